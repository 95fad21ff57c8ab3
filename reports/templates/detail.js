/* One row, opened: everything behind its numbers. */

const FIRST = 24;

function openedCell(row) {
  const cells = cellsOf(row);
  return cells.find((cell) => P.runs[cell.run].id === state.run && (!state.col || P.columns[cell.col].id === state.col))
    || cells.find((cell) => P.columns[cell.col].id === state.col && !cell.apart.length)
    || cells.find((cell) => P.columns[cell.col].id === state.col)
    || cells.find((cell) => cell.col === P.first && !cell.apart.length) || cells.find((cell) => !cell.apart.length) || cells[0];
}

function rowView() {
  const row = P.rows.findIndex((r) => r.id === state.row);
  if (row < 0) return [heading(t("no_row")), back()];
  const r = P.rows[row];
  const cell = openedCell(row);
  const choices = cellsOf(row).map((one) => [`${P.runs[one.run].id}|${P.columns[one.col].id}`, columnName(one.col) + (one.apart.length ? ` (${t("apart_short")})` : "")]);
  const choose = (value) => { const [run, ...col] = value.split("|"); go({ run, col: col.join("|"), seed: "", every: "" }); };
  return [
    back(),
    heading(r.model),
    h("p", { class: "lead" }, methodName(r.method), !r.untuned && r.baseName ? ` — ${t("from_base", { base: r.baseName })}` : ""),
    h("div", { class: "controls" }, select(t("task_target"), choices, `${P.runs[cell.run].id}|${P.columns[cell.col].id}`, choose, "f-cell"),
      h("a", { class: "button", href: address({ view: "compare", a: cell.apart.length ? apartId(cell) : r.id, b: "", col: P.columns[cell.col].id, row: "", run: "", seed: "", every: "" }) }, t("compare_with"))),
    !cell.apart.length && cell.seen.length ? h("p", { class: "notice" }, cell.seen.map((what) => t("seen_" + what + "_note")).join(" ")) : null,
    cell.apart.length ? h("p", { class: "notice" }, h("strong", {}, t("apart_short"), ": "), cell.apart.map(reason).join("; ")) : null,
    numbersSection(cell), peopleSection(cell), contextsSection(cell), wordingsOfRow(cell), accountSection(cell), samplesSection(cell), settingsSection(cell, r), targetSection(cell),
  ];
}

const back = () => h("p", {}, h("a", { href: address({ view: "", row: "", run: "", seed: "", every: "" }) }, "← " + t("back")));
const facts = (entries) => h("dl", { class: "facts" }, entries.filter(Boolean).map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));
const section = (title, ...children) => h("section", {}, h("h3", {}, title), children);

function numbersSection(cell) {
  const line = (key, digits = 3) => (missing(cell[key]) ? null : [t("metric_" + key), [PERCENT.has(key) ? pct(cell[key], 1) : num(cell[key], digits), " ", interval(cell[key + "Lo"], cell[key + "Hi"], digits, PERCENT.has(key))]]);
  return section(t("numbers"),
    h("p", { class: "verdict" }, verdictOf(cell)),
    pairs([
      [t("metric_tv"), [num(cell.tv), " ", interval(cell.lo, cell.hi)]], line("plugin"), line("floor"), ...METRICS.map(({ key }) => line(key)), line("conditional"),
      missing(cell.best) ? null : [t("bounds"), span(cell.best, cell.worst)],
      [t("rank"), rankText(cell.rankLo, cell.rankHi)], [t("checked"), t("how_" + cell.checked)],
      ...P.rows[cell.row].utility.all.map(([name, value]) => [name, num(value)]),
    ]));
}

/* Measures against people's replies: the model's value, what other people score, and their floor. */
function peopleSection(cell) {
  const rows = METRICS.filter(({ key }) => cell.beside[key]);
  if (!rows.length) return null;
  const head = ["metric", "value", "people", "floor_people"];
  return section(t("likeness"), h("p", { class: "quiet small" }, t("likeness_lead")),
    scroller(t("likeness"), h("table", { class: "board fit" }, h("thead", {}, h("tr", {}, head.map((key, i) => h("th", { scope: "col", class: i ? "num" : null }, t(key))))),
      h("tbody", {}, rows.map(({ key }) => h("tr", {}, h("th", { scope: "row" }, t("metric_" + key), h("small", {}, t("under_" + key))),
        h("td", { class: "num" }, num(cell[key]), interval(cell[key + "Lo"], cell[key + "Hi"])), cell.beside[key].map((value) => h("td", { class: "num" }, num(value)))))))));
}

function verdictOf(cell) {
  const uniform = P.columns[cell.col].uniform.tv;
  if (cell.lo <= 0.0005) return t("verdict_floor", { hi: num(cell.hi) });
  if (uniform > 0.0005 && cell.lo > uniform) return t("verdict_uniform", { lo: num(cell.lo), uniform: num(uniform) });
  return t("verdict_off", { tv: num(cell.tv), lo: num(cell.lo), hi: num(cell.hi) });
}

function contextsSection(cell) {
  const column = P.columns[cell.col];
  const off = contextNames(cell).map((_, i) => contextTv(cell, i));
  const order = off.map((_, i) => i).sort((a, b) => off[b] - off[a] || a - b);
  const shown = state.every ? order : order.slice(0, FIRST);
  const more = order.length > shown.length ? h("p", {}, h("button", { type: "button", id: "f-every", onclick: () => go({ every: "1" }) }, t("show_all", { k: order.length }))) : null;
  return section(t("contexts_worst"),
    h("p", { class: "quiet small legend" }, t("contexts_legend")),
    h("div", { class: "contexts" }, shown.map((context) => contextFigure(cell, context))), more,
    h("details", { id: "f-counts" }, h("summary", {}, t("counts_table")), countsTable(cell, order)));
}

/* The interval for wordings like those that were asked, where there are enough of them. */
function likeThese(cell) {
  const column = P.columns[cell.col];
  const found = P.runs[cell.run].wordings[`${column.attribute}/${column.target}`];
  return found ? h("p", {}, t("wordings_like", { k: found[2], lo: num(found[0]), hi: num(found[1]) })) : null;
}

/* The TV of each wording of the question. */
function wordingsOfRow(cell) {
  const found = wordingsOf(cell);
  if (found.length < 2) return null;
  return section(t("wordings"), h("p", { class: "quiet small" }, t("wordings_lead")),
    likeThese(cell),
    scroller(t("wordings"), h("table", { class: "board fit" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("wording")), h("th", { scope: "col", class: "num" }, t("metric_tv")))),
      h("tbody", {}, found.map(({ name, value }) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "num" }, num(value))))))));
}

/* A count; of a run without draws, a share. */
const amount = (cell, value) => (P.runs[cell.run].certain ? pct(value, 1) : whole(value));

function countsTable(cell, order) {
  const column = P.columns[cell.col];
  const outcomes = [...column.classes, ...P.invalid.map((name) => t("outcome_" + name))];
  return scroller(t("counts_table"), h("table", { class: "board" },
    h("thead", {}, h("tr", {}, [t("context"), ...outcomes, t("draws")].map((words, i) => h("th", { scope: "col", class: i ? "num" : null }, words)))),
    h("tbody", {}, order.map((context) => {
      const counts = contextCounts(cell, context);
      return h("tr", {}, h("th", { scope: "row" }, contextNames(cell)[context]), [...counts, sum(counts)].map((count) => h("td", { class: "num" }, amount(cell, count))));
    }))));
}

function accountSection(cell) {
  const column = P.columns[cell.col];
  const names = [...column.classes, ...P.invalid.map((name) => t("outcome_" + name))];
  const totals = names.map((name, i) => [name, sum(contextNames(cell).map((_, context) => contextCounts(cell, context)[i])), i < column.classes.length ? `fill class${i % 8}` : `fill invalid${i - column.classes.length}`]);
  const all = sum(totals.map(([, count]) => count));
  return section(t("account"), accountBar(totals),
    h("ul", { class: "account-list" }, totals.map(([name, count, style]) => h("li", {},
      h("svg", { class: "key", viewBox: "0 0 10 10", width: 10, height: 10, "aria-hidden": "true", focusable: "false" }, h("rect", { class: style, width: 10, height: 10 })),
      ` ${name} `, P.runs[cell.run].certain ? null : h("strong", {}, whole(count)), h("span", { class: "quiet" }, ` ${pct(count / all, 1)}`)))),
    h("p", { class: "quiet small" }, P.runs[cell.run].certain ? t("account_certain") : t("account_sum", { all: whole(all) })));
}

function samplesSection(cell) {
  const found = P.runs[cell.run].texts[P.columns[cell.col].attribute];
  if (!found) return section(t("samples"), h("p", { class: "quiet" }, t("no_samples")));
  const seed = Number.parseInt(state.seed || "0", 10) || 0;
  const groups = Object.entries(found).map(([label, pool], i) => {
    const chosen = pick(pool, pool.map(([, count]) => count), 5, seed * 31 + i);
    return h("div", { class: "samples" },
      h("h4", {}, WORDS.en["outcome_" + label] ? t("outcome_" + label) : label),
      h("ul", {}, chosen.map(([id, count]) => h("li", {}, h("q", { lang: P.columns[cell.col].lang, dir: "auto" }, text(id) || " "), count > 1 ? h("span", { class: "quiet small" }, " " + t("times", { k: whole(count) })) : null))));
  });
  return section(t("samples"),
    h("p", { class: "quiet small" }, t("samples_lead", { seed })),
    h("p", {}, h("button", { type: "button", id: "f-seed", onclick: () => go({ seed: String(seed + 1) }) }, t("other_five"))),
    h("div", { class: "sample-groups" }, groups));
}

function settingsSection(cell, r) {
  const run = P.runs[cell.run];
  const column = P.columns[cell.col];
  const reader = run.readers[column.attribute];
  const blind = run.blind[column.attribute];
  const hand = run.hand[`${column.attribute}/${column.target}`];
  const settings = run.settings.map(([key, value]) => [WORDS.en["set_" + key] ? t("set_" + key) : key, text(value)]);
  return section(t("settings"),
    facts([["n", run.certain ? t("computed") : whole(run.n)], [t("task"), `${column.task}@${column.version}`],
      reader ? [t("reader"), t("reader_says", { accuracy: pct(reader[0], 1), n: whole(reader[1]) })] : null,
      blind ? [t("blind"), t("blind_says", { error: pct(blind[0], 1), low: pct(blind[1], 1), high: pct(blind[2], 1), n: whole(blind[3]) })] : null,
      hand ? [t(hand[7] ? "judged" : "hand"), t("hand_says", { n: whole(hand[6]), error: pct(hand[0], 1), low: pct(hand[1], 1), high: pct(hand[2], 1), tv: num(hand[3]), from: num(hand[4]), to: num(hand[5]) })]
        : reader || blind ? [t("hand"), t("hand_none")] : null, ...settings]),
    run.first === null ? null : h("details", { id: "f-first" }, h("summary", {}, t("first_prompt")), h("pre", { tabindex: "0" }, text(run.first))),
    h("h4", {}, t("remake")), h("pre", { tabindex: "0" }, text(run.command)),
    h("p", { class: "quiet small" }, t("counts_file", { run: run.id })));
}

function targetSection(cell) {
  const c = P.columns[cell.col];
  const p = c.provenance;
  if (!p) return section(t("target"), h("p", {}, c.kind === "uniform" ? t("uniform_target") : c.ttitle || c.target));
  return section(t("target"), facts([
    [t("target"), c.ttitle || c.target], [t("publisher"), p.publisher], [t("table"), p.table], [t("year"), String(p.year)], [t("license"), p.license],
    [t("link"), p.url ? h("a", { href: p.url, rel: "noopener noreferrer" }, p.link) : p.link],
    c.sample ? [t("sample"), t("sample_says", { least: whole(c.sample[0]), most: whole(c.sample[1]) })] : null,
    p.note ? [t("note"), p.note] : null, c.smoothing ? [t("smoothing"), c.smoothing] : null,
  ]));
}
