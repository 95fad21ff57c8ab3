/* Charts: plain SVG whose every number also stands beside it as text. */

const scale = (lo, hi, width) => (x) => ((x - lo) / (hi - lo || 1)) * width;
/* Distances between the marks of an axis: the least that gives no more than seven. */
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25];
const clampTo = (x, lo, hi) => Math.min(hi, Math.max(lo, x));

/* One estimate with its interval, over the strip that a perfect model would fall into. */
function estimateBar(cell, top) {
  const width = 120;
  const x = scale(Math.min(0, -top / 12), top, width);
  const at = (value) => clampTo(x(value), 0, width).toFixed(1);
  return h("svg", { class: "bar", viewBox: `0 0 ${width} 16`, width, height: 16, "aria-hidden": "true", focusable: "false" },
    h("rect", { class: "strip", x: at(0), y: 1, width: Math.max(1, at(cell.perfect) - at(0)).toFixed(1), height: 14 }),
    h("line", { class: "zero", x1: at(0), x2: at(0), y1: 1, y2: 15 }),
    h("line", { class: "whisker", x1: at(cell.lo), x2: at(cell.hi), y1: 8, y2: 8 }),
    h("circle", { class: "dot", cx: at(cell.tv), cy: 8, r: 3.5 }));
}

/* A class's share with its interval, and the target as a tick. */
function shareBar(share, lo, hi, target, index) {
  const width = 150;
  const x = scale(0, 1, width);
  const at = (value) => x(value).toFixed(1);
  return h("svg", { class: "share", viewBox: `-2 0 ${width + 4} 16`, width: width + 4, height: 16, "aria-hidden": "true", focusable: "false" },
    h("rect", { class: "track", x: 0, y: 3, width, height: 10 }),
    h("rect", { class: `fill class${index % 8}`, x: 0, y: 3, width: at(share), height: 10 }),
    h("line", { class: "whisker", x1: at(lo), x2: at(hi), y1: 8, y2: 8 }),
    h("line", { class: "tick", x1: at(target), x2: at(target), y1: 0, y2: 16 }));
}

/* One context: every class's share beside its target. */
function contextFigure(cell, context, name = contextNames(cell)[context], href = null) {
  const column = P.columns[cell.col];
  const counts = contextCounts(cell, context);
  const n = sum(counts);
  const shares = targetShares(cell, context);
  const rows = column.classes.map((name, i) => {
    const [lo, hi] = shareLimits(cell, context, i);
    return h("tr", {},
      h("th", { scope: "row" }, name),
      h("td", {}, shareBar(n ? counts[i] / n : 0, lo, hi, shares[i], i)),
      h("td", { class: "num" }, pct(n ? counts[i] / n : null)),
      h("td", { class: "num quiet" }, pct(shares[i])));
  });
  const invalid = sum(counts.slice(column.classes.length));
  return h("figure", { class: "context" },
    h("figcaption", {}, h("strong", {}, href ? h("a", { href }, name) : name), " ", h("span", { class: "quiet" }, `TV ${num(contextTv(cell, context))}`)),
    h("table", { class: "mini" },
      h("thead", { class: "unseen" }, h("tr", {}, [t("class"), t("chart"), t("share"), t("target")].map((words) => h("th", { scope: "col" }, words)))),
      h("tbody", {}, rows)),
    invalid ? h("p", { class: "quiet small" }, P.runs[cell.run].certain ? t("no_class_share", { x: pct(invalid, 1) }) : t("no_class_of", { k: whole(invalid), n: whole(n) })) : null);
}

/* Where every draw went. */
function accountBar(totals) {
  const all = sum(totals.map(([, count]) => count)) || 1;
  let x = 0;
  const width = 600;
  const parts = totals.map(([, count, style]) => {
    const wide = (count / all) * width;
    const part = h("rect", { class: style, x: x.toFixed(2), y: 0, width: wide.toFixed(2), height: 18 });
    x += wide;
    return part;
  });
  return h("svg", { class: "account", viewBox: `0 0 ${width} 18`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" }, parts);
}

/* Estimates with intervals side by side on one axis, worst first or in the order given. */
function dotRows(rows, lo, hi) {
  const width = 260;
  const from = Math.min(lo, 0);
  const to = Math.max(hi, 0, from + 0.01);
  const x = scale(from, to, width);
  const at = (value) => clampTo(x(value), 0, width).toFixed(1);
  return rows.map((row) =>
    h("svg", { class: "bar", viewBox: `-5 0 ${width + 10} 16`, width: width + 10, height: 16, "aria-hidden": "true", focusable: "false" },
      h("line", { class: "zero", x1: at(0), x2: at(0), y1: 0, y2: 16 }),
      h("line", { class: "whisker", x1: at(row.lo), x2: at(row.hi), y1: 8, y2: 8 }),
      h("circle", { class: "dot", cx: at(row.value), cy: 8, r: 3.5 })));
}

/* A course over training steps, with the interval as a band. */
function courseChart(points, floor, label) {
  const [width, height, left, bottom] = [640, 260, 46, 30];
  const top = Math.max(...points.map((p) => p.hi), floor || 0) * 1.08 || 0.1;
  const least = Math.min(0, ...points.map((p) => p.lo));
  const steps = points.map((p) => p.step);
  const x = scale(Math.min(...steps), Math.max(...steps), width - left - 12);
  const y = (value) => height - bottom - scale(least, top, height - bottom - 10)(value);
  const at = (p, key) => `${(left + x(p.step)).toFixed(1)},${y(p[key]).toFixed(1)}`;
  const step = STEPS.find((one) => (top - least) / one <= 6) ?? 0.25;
  const first = Math.ceil(least / step - 1e-9);
  const ticks = Array.from({ length: Math.floor(top / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
  return h("svg", { class: "course", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    ticks.map((tick) => [
      h("line", { class: "grid", x1: left, x2: width - 12, y1: y(tick), y2: y(tick) }),
      h("text", { class: "axis", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, num(tick, 2)),
    ]),
    points.map((p) => h("text", { class: "axis", x: left + x(p.step), y: height - 10, "text-anchor": "middle" }, whole(p.step))),
    h("path", { class: "band", d: "M" + points.map((p) => at(p, "hi")).join("L") + "L" + [...points].reverse().map((p) => at(p, "lo")).join("L") + "Z" }),
    missing(floor) ? null : h("line", { class: "floor", x1: left, x2: width - 12, y1: y(floor), y2: y(floor) }),
    h("polyline", { class: "line", points: points.map((p) => at(p, "value")).join(" ") }),
    points.map((p) => h("circle", { class: "dot", cx: left + x(p.step), cy: y(p.value), r: 4 })));
}
