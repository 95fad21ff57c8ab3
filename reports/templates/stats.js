/* Statistics of the page: shares and their limits from counts; differences from the distances that the harness found. */

const Z = 1.959963984540054;

/* 95% interval of a share (Wilson). */
function wilson(k, n) {
  if (!n) return [0, 1];
  const p = k / n;
  const d = 1 + (Z * Z) / n;
  const middle = (p + (Z * Z) / (2 * n)) / d;
  const half = (Z / d) * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/* Counts of one context: classes, then unparsed, refused, truncated, failed. Of a run without draws: shares. */
function contextCounts(cell, context) {
  const column = P.columns[cell.col];
  const run = P.runs[cell.run];
  const width = column.classes.length + P.invalid.length + (run.certain ? 1 : 0);
  return run.counts[column.attribute].slice(context * width, context * width + column.classes.length + P.invalid.length);
}

/* Mass that a run without draws left undecided. */
function undecided(cell, context) {
  return P.runs[cell.run].certain ? Math.max(0, 1 - sum(contextCounts(cell, context))) : 0;
}

/* 95% interval of a class's share: Wilson's, or the certain bounds of computed shares. */
function shareLimits(cell, context, index) {
  const counts = contextCounts(cell, context);
  if (P.runs[cell.run].certain) return [counts[index], Math.min(1, counts[index] + undecided(cell, context))];
  return wilson(counts[index], sum(counts));
}

/* A result whose contexts are not its column's has its own. */
const contextNames = (cell) => cell.own?.contexts ?? P.columns[cell.col].contexts;

const targetShares = (cell, context) => {
  const column = P.columns[cell.col];
  const k = column.classes.length;
  return (cell.own?.shares ?? column.shares).slice(context * k, (context + 1) * k);
};

const sum = (values) => values.reduce((a, b) => a + b, 0);
const mean = (values) => sum(values) / values.length;

/* TV of one context as it was drawn (or computed). */
function contextTv(cell, context) {
  const shares = targetShares(cell, context);
  const counts = contextCounts(cell, context);
  const grouped = [...counts.slice(0, shares.length), sum(counts.slice(shares.length))];
  const mass = sum(grouped) || 1;
  return sum(grouped.map((share, i) => Math.abs(share / mass - (shares[i] || 0)))) / 2;
}

/* Mean difference of two rows' corrected TVs over the contexts of a column; positive: a is further from the target.
   The distances of each context with their errors are the harness's; here they are added up as in its compare.py.
   What is shown is cut to -1 and 1, as there. */
function paired(a, b) {
  const there = new Map(contextNames(b).map((name, j) => [name, j]));
  const rows = contextNames(a).map((name, i) => {
    const j = a.own || b.own ? there.get(name) : i;
    const value = j === undefined || missing(a.each[i]) || missing(b.each[j]) ? null : a.each[i] - b.each[j];
    const error = value === null ? null : Math.hypot(a.errors[i], b.errors[j], ...sampledTarget(a, i, b, j));
    return { name, value, error };
  }).filter((row) => row.value !== null);
  const k = rows.length;
  const value = mean(rows.map((row) => row.value));
  const within = sum(rows.map((row) => row.error ** 2)) / k / k;
  const degrees = Math.max(k - 1, 1);
  const between = Math.max(sum(rows.map((row) => (row.value - value) ** 2)) / degrees / k - within, 0);
  const error = Math.sqrt(within + between);
  const freedom = between ? degrees * ((between + within) / between) ** 2 : Infinity;
  const half = tQuantile(freedom) * error;
  const shown = rows.map((row) => ({ name: row.name, ...possible(row.value, Z * row.error) }));
  return { rows: shown, ...possible(value, half), p: error ? tTail(Math.abs(value) / error, freedom) : Number(value === 0), error };
}

/* A difference of two distances and its limits: no two differ by more than 1. */
function possible(value, half) {
  const [cut, lo, hi] = [value, value - half, value + half].map((one) => Math.min(1, Math.max(-1, one)));
  return { value: cut, lo, hi };
}

/* By how much the chance of a sampled target moves the two apart, in independent directions. */
function sampledTarget(a, i, b, j) {
  if (!a.shift.length || !b.shift.length) return [];
  const width = a.shift.length / a.each.length;
  return a.shift.slice(i * width, (i + 1) * width).map((x, cell) => x - b.shift[j * width + cell]);
}

/* A generator that a seed decides (mulberry32): the same five texts for everyone who opens the same link. */
function seeded(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let x = Math.imul(a ^ (a >>> 15), a | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

/* k of the items without replacement, an item's chance growing with its weight. */
function pick(items, weights, k, seed) {
  const random = seeded(seed);
  const keyed = items.map((item, i) => [Math.log(random() || 1e-12) / weights[i], item]);
  return keyed.sort((a, b) => b[0] - a[0]).slice(0, k).map(([, item]) => item);
}

/* Holm: p-values adjusted so that equal ones are called different in 5% of all tables, whichever of them it is. */
function adjusted(ps) {
  const out = [];
  let most = 0;
  ps.map((p, i) => [p, i]).sort((a, b) => a[0] - b[0]).forEach(([p, i], k) => {
    most = Math.max(most, Math.min(1, p * (ps.length - k)));
    out[i] = most;
  });
  return out;
}

/* Student's t: two-sided tail probability, through the incomplete beta function; infinite freedom is the normal. */
function logGamma(x) {
  const c = [76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155, 0.1208650973866179e-2, -0.5395239384953e-5];
  const base = x + 5.5 - (x + 0.5) * Math.log(x + 5.5);
  return Math.log((2.5066282746310005 * c.reduce((s, v, i) => s + v / (x + 1 + i), 1.000000000190015)) / x) - base;
}

function betaFraction(x, a, b) {
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / (Math.abs(1 - ((a + b) * x) / (a + 1)) < tiny ? tiny : 1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m < 300; m += 1) {
    for (const part of [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)), (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))]) {
      d = 1 / (1 + part * d || tiny);
      c = 1 + part / c || tiny;
      value *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-14) break;
  }
  return value;
}

function incompleteBeta(x, a, b) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

function tTail(value, freedom) {
  if (freedom === Infinity) {
    /* The normal tail is the limit; at a million degrees they agree to 1e-6. */
    return tTail(value, 1e6);
  }
  return incompleteBeta(freedom / (freedom + value * value), freedom / 2, 0.5);
}

function tQuantile(freedom) {
  let [lo, hi] = [0, 1000];
  for (let i = 0; i < 60; i += 1) {
    const middle = (lo + hi) / 2;
    if (tTail(middle, freedom) > 0.05) lo = middle; else hi = middle;
  }
  return hi;
}
