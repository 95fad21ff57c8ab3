/* The board: one row per model and method, either one question or all of them side by side. */

/* Metrics beside the TV that some result here has, and those that a table of all tasks can show. */
const METRICS = P.metrics.filter(({ key }) => P.cells.some((cell) => !missing(cell[key])));
const CHOICES = ["tv", "plugin", ...METRICS.map(({ key }) => key)];
const PERCENT = new Set(METRICS.filter((metric) => metric.percent).map(({ key }) => key));
const chosenMetric = () => (CHOICES.includes(state.metric) ? state.metric : "tv");
const distinct = (values) => [...new Set(values.filter((v) => v !== "" && !missing(v)))].sort();

/* The columns of the table of all; a single question is chosen by itself. */
function shownColumns() {
  return rankedColumns.filter((col) => {
    const c = P.columns[col];
    return (!state.attribute || c.attribute === state.attribute) && (!state.lang || c.lang === state.lang) && (!state.target || c.target === state.target);
  });
}

const SIZES = [["tiny", 0, 1e8], ["small", 1e8, 2e9], ["medium", 2e9, 1e10], ["large", 1e10, Infinity]];
const sizeGroup = (size) => (missing(size) ? "" : SIZES.find(([, from, to]) => size >= from && size < to)[0]);

const rankedRows = new Set([...ranked.values()].map((cell) => cell.row));
const rankedColumns = P.columns.map((_, col) => col).filter((col) => P.columns[col].ranked);

function shownRows(inFocus) {
  const words = (state.q || "").toLowerCase().split(/\s+/).filter(Boolean);
  return P.rows.map((_, row) => row).filter((row) => {
    const r = P.rows[row];
    if (inFocus === null ? !rankedRows.has(row) : !cellOf(row, inFocus)) return false;
    const whole = `${r.model} ${r.base} ${r.method} ${methodName(r.method)} ${r.engine}`.toLowerCase();
    return (!state.method || r.method === state.method) && (!state.size || sizeGroup(r.size) === state.size) && words.every((word) => whole.includes(word));
  });
}

/* The question in focus: the one in the address, else the one that most models share; null for all side by side. */
function focus() {
  if (!rankedColumns.length) return null;
  if (state.col === "all" && rankedColumns.length > 1) return null;
  return rankedColumns.find((col) => P.columns[col].id === state.col) ?? P.first;
}

/* Whether the mean over questions is of columns that are all shown. */
const overallShown = (columns) => P.shared.length > 0 && P.shared.every((col) => columns.includes(col));

/* Columns of the table: key, heading, line under it, value to sort by, and what a cell shows. */
function fields(columns, inFocus) {
  const model = { key: "model", name: t("model"), value: (row) => rowName(row).toLowerCase(), show: (row) => modelCell(row, columns, inFocus), head: true };
  const cost = [
    { key: "method", name: t("method"), value: (row) => methodName(P.rows[row].method), show: (row) => methodName(P.rows[row].method) },
    { key: "utility", name: t("utility"), under: t("utility_under"), num: true, value: (row) => P.rows[row].utility.ratio ?? P.rows[row].utility.main, show: utilityCell },
    { key: "n", name: "n", under: t("n_under"), num: true, value: (row) => eachRun(row, inFocus, "n")[0], show: (row) => some(runsOf(row, inFocus).map((run) => (run.certain ? t("computed") : whole(run.n)))) },
    { key: "engine", name: t("engine"), value: (row) => P.rows[row].engine, show: (row) => P.rows[row].engine || "–" },
    { key: "cost", name: t("cost"), under: t("cost_under"), num: true, value: (row) => sum(eachRun(row, inFocus, "tokens")), show: (row) => costCell(row, inFocus) },
    { key: "checked", name: t("checked"), value: (row) => checkedOf(row, inFocus), show: (row) => [t("checked_" + checkedOf(row, inFocus)), readerMark(row, inFocus)] },
  ];
  if (inFocus !== null) return [rankField(inFocus), model, ...focusFields(inFocus), ...cost];
  const metric = chosenMetric();
  const many = overallShown(columns) ? [{ key: "overall", name: t("overall"), under: t("overall_under", { k: P.shared.length }), value: (row) => P.rows[row].overall, show: overallCell, num: true }] : [];
  const tasks = columns.map((col) => ({
    key: "c" + col, col, name: P.columns[col].about, under: `→ ${P.columns[col].target}${P.columns[col].mark ? ` [${P.columns[col].mark}]` : ""}`, num: true,
    value: (row) => cellOf(row, col)?.[metric], show: (row) => taskCell(cellOf(row, col), metric),
  }));
  const valid = { key: "valid", name: t("metric_valid"), under: t("least_of"), num: true, value: leastValid(columns), show: (row) => share(leastValid(columns)(row)) };
  return [model, ...many, ...tasks, valid, ...cost];
}

const leastValid = (columns) => (row) => {
  const found = columns.map((col) => cellOf(row, col)?.valid).filter((share) => !missing(share));
  return found.length ? Math.min(...found) : null;
};

function rankField(col) {
  return { key: "rank", name: t("rank"), under: t("rank_range"), value: (row) => cellOf(row, col)?.rankLo, show: (row) => rankCell(cellOf(row, col)) };
}

function focusFields(col) {
  const plain = (key, digits = 3) => ({
    key, name: t("metric_" + key), under: t("under_" + key), num: true,
    value: (row) => cellOf(row, col)?.[key],
    show: (row) => metricCell(cellOf(row, col), key, digits),
  });
  const firstTuned = rankedCells(col).find((cell) => cellOf(baseRow(cell.row), col))?.row;
  const valid = METRICS.filter(({ key }) => key === "valid").map(({ key }) => plain(key));
  return [
    { key: "chart", name: t("distance"), plain: true, axis: () => chartAxis(col), show: (row) => chartLine(row, col, row === firstTuned) },
    { key: "tv", name: "TV", under: t("interval"), num: true, value: (row) => cellOf(row, col)?.tv, show: (row) => metricCell(cellOf(row, col), "tv", 3) },
    ...valid, plain("plugin"), plain("floor"), ...METRICS.filter(({ key }) => key !== "valid").map(({ key }) => plain(key)), plain("conditional"),
  ];
}

/* ---- cells ---- */

const interval = (lo, hi, digits, percent) => (missing(lo) ? null : h("small", {}, percent ? t("to", { lo: pct(lo, 1), hi: pct(hi, 1) }) : span(lo, hi, digits)));
const some = (values) => distinct(values).join(", ") || "–";

function metricCell(cell, key, digits) {
  if (!cell || missing(cell[key])) return h("span", { class: "quiet" }, cell ? "–" : t("not_run"));
  const [lo, hi] = key === "tv" ? [cell.lo, cell.hi] : [cell[key + "Lo"], cell[key + "Hi"]];
  return [PERCENT.has(key) ? share(cell[key]) : num(cell[key], digits), interval(lo, hi, digits, PERCENT.has(key))];
}

function rankCell(cell) {
  if (!cell || missing(cell.rankLo)) return h("span", { class: "quiet" }, "–");
  return h("span", { class: `rank band${cell.band % 2}`, title: t("band", { band: cell.band + 1 }) }, rankText(cell.rankLo, cell.rankHi));
}

function modelCell(row, columns, inFocus) {
  const r = P.rows[row];
  const cells = cellsOf(row).filter((cell) => !cell.apart.length && (inFocus === null || cell.col === inFocus));
  const tag = (what) => (cells.some((cell) => cell.seen.includes(what)) ? h("span", { class: "tag", title: t(`seen_${what}_note`) }, t("seen_" + what)) : null);
  return [
    h("a", { href: address({ view: "row", row: r.id, col: inFocus === null ? "" : P.columns[inFocus].id }), class: "name" }, r.model),
    h("small", {}, methodName(r.method), r.revision ? ` · ${r.revision}` : "", inFocus === null ? h("span", { class: "narrow" }, ` · ${t("valid_is", { x: share(leastValid(columns)(row)) })}`) : null),
    tag("contexts"), tag("prompts"),
  ];
}

function taskCell(cell, metric) {
  const shown = metricCell(cell, metric, 3);
  return cell && !missing(cell.rankLo) && metric === "tv" ? [shown, h("small", {}, t("rank_is", { rank: rankText(cell.rankLo, cell.rankHi) }))] : shown;
}

function overallCell(row) {
  const r = P.rows[row];
  if (missing(r.overall)) return h("span", { class: "quiet" }, t("of", { k: P.shared.filter((col) => cellOf(row, col)).length, all: P.shared.length }));
  return [pct(r.overall, 1), interval(r.overallLo, r.overallHi, 1, true), h("small", {}, t("rank_is", { rank: rankText(r.rankLo, r.rankHi) }))];
}

function utilityCell(row) {
  const u = P.rows[row].utility;
  if (missing(u.main)) return "–";
  const name = WORDS.en["metric_" + u.name] ? t("metric_" + u.name).toLowerCase() : u.name;
  const value = num(u.main, u.main < 10 ? 3 : 1);
  return missing(u.ratio) ? [value, h("small", {}, name)] : [`× ${num(u.ratio, 2)}`, h("small", {}, `${name} ${value}`)];
}

function runsOf(row, inFocus) {
  const found = cellsOf(row).filter((cell) => !cell.apart.length && (inFocus === null || cell.col === inFocus));
  return [...new Set(found.map((cell) => cell.run))].map((run) => P.runs[run]);
}

const eachRun = (row, inFocus, key) => runsOf(row, inFocus).map((run) => run[key]);

function costCell(row, inFocus) {
  const tokens = sum(eachRun(row, inFocus, "tokens"));
  const seconds = sum(eachRun(row, inFocus, "seconds"));
  return [whole(tokens), h("small", {}, duration(seconds))];
}

/* A reader that errs on more than a tenth of the texts it was not written on, while nobody has labelled texts of the run. */
function readerMark(row, inFocus) {
  const attributes = inFocus === null ? null : P.columns[inFocus].attribute;
  const found = runsOf(row, inFocus).flatMap((run) => Object.entries(run.blind).filter(([name]) => attributes === null || name === attributes).map(([, blind]) => blind));
  const worst = Math.max(...found.filter((blind) => blind[4]).map((blind) => blind[0]));
  return worst > 0 ? h("small", { class: "reader-mark", title: t("reader_errs_why") }, "⚠ " + t("reader_errs", { error: pct(worst, 0) })) : null;
}

function checkedOf(row, inFocus) {
  const found = cellsOf(row).filter((cell) => !cell.apart.length && (inFocus === null || cell.col === inFocus));
  return found.length && found.every((cell) => cell.checked !== "claimed") ? "recomputed" : "claimed";
}

/* ---- the view ---- */

/* On a board of no more rows than these, search is one of the filters. */
const FEW = 20;

function controls(inFocus, all) {
  const set = (key) => (value) => go({ [key]: value, ...(key === "col" ? { sort: "", hide: "" } : {}) });
  const any = (options) => [["", t("any")], ...options];
  const choice = (key, values, words) => (values.length > 1 ? select(t("filter_" + key), any(values.map((value) => [value, words ? words(value) : value])), state[key] || "", set(key), "f-" + key) : null);
  const hidden = hiddenFields();
  const toggle = (key, on) => {
    if (on) hidden.delete(key); else hidden.add(key);
    go({ hide: [...hidden].sort().join(",") || "none" });
  };
  const every = inFocus === null;
  const search = h("label", { class: "field grow" }, h("span", {}, t("search")), h("input", { id: "f-q", type: "search", value: state.q || "", oninput: (event) => go({ q: event.target.value }) }));
  return h("form", { class: "controls", onsubmit: (event) => event.preventDefault() },
    questionSelect(inFocus, true, set("col")),
    rankedRows.size > FEW ? search : null,
    h("details", { class: "columns", id: "f-more-filters", open: Boolean((state.q && rankedRows.size <= FEW) || state.method || state.size || state.attribute || state.lang || state.target || state.metric) }, h("summary", {}, t("filters")),
      h("div", { class: "choices" },
        rankedRows.size > FEW ? null : search,
        choice("method", distinct(P.rows.map((r) => r.method)), methodName),
        choice("size", SIZES.map(([key]) => key).filter((key) => P.rows.some((r) => sizeGroup(r.size) === key)), (value) => t("size_" + value)),
        every ? choice("attribute", distinct(P.columns.map((c) => c.attribute))) : null,
        every ? choice("lang", distinct(P.columns.map((c) => c.lang)), (value) => LANGUAGES[value] || value) : null,
        every ? choice("target", distinct(P.columns.map((c) => c.target))) : null,
        every ? select(t("filter_metric"), CHOICES.map((key) => [key, t("metric_" + key)]), chosenMetric(), set("metric"), "f-metric") : null)),
    h("details", { class: "columns wide-only", id: "f-columns" }, h("summary", {}, t("columns")),
      h("div", { class: "choices" }, all.filter((field) => !field.head).map((field) =>
        h("label", {}, h("input", { type: "checkbox", id: "f-col-" + field.key, checked: !hidden.has(field.key), onchange: (event) => toggle(field.key, event.target.checked) }), " ", field.name)))));
}

/* The choice of a question, the ones that most models ran first. */
function questionSelect(inFocus, withAll, choose) {
  if (P.columns.length < 2) return null;
  const ran = (col) => P.cells.filter((cell) => cell.col === col && !cell.apart.length).length;
  const order = [...rankedColumns].sort((a, b) => ran(b) - ran(a) || a - b);
  const options = order.map((col) => [P.columns[col].id, columnName(col)]);
  return select(t("filter_col"), withAll && rankedColumns.length > 1 ? [...options, ["all", t("all_tasks")]] : options, inFocus === null ? "all" : P.columns[inFocus].id, choose, "f-col");
}

function boardView() {
  const inFocus = focus();
  const columns = inFocus === null ? shownColumns() : [inFocus];
  if (!P.rows.length) return [heading(t("board")), h("p", {}, t("nothing"))];
  if (!rankedColumns.length) return [heading(t("board")), h("p", { class: "empty" }, t("none_ranked")), apartSection(null)];
  const { table, all, more, count } = boardTable(columns, inFocus);
  const none = count ? null : h("p", { class: "empty" }, t("no_rows"));
  const counted = count && count === rankedRows.size ? null : h("p", { class: "quiet small", role: "status" }, t("counted", { shown: count, all: rankedRows.size }));
  return [
    inFocus === null ? heading(t("all_tasks")) : questionHeading(inFocus),
    controls(inFocus, all),
    inFocus === null ? [h("p", { class: "lead" }, t("lead_all")), h("p", { class: "quiet small" }, overallNote(columns))] : verdictLines(inFocus),
    counted, scroller(t("board"), table), h("p", {}, more), none,
    inFocus === null ? null : [chartNote(inFocus), columnNotes(inFocus)],
    apartSection(inFocus),
  ];
}

/* Of what the overall column is the mean; or why there is none. */
function overallNote(columns) {
  if (!P.shared.length) return rankedColumns.length > 1 ? t("overall_none") : "";
  if (!overallShown(columns)) return t("overall_filtered");
  const rows = P.rows.filter((r) => !missing(r.overall)).length;
  return t("overall_of", { rows, columns: P.shared.map((col) => columnName(col)).join("; ") });
}

function columnNotes(col) {
  const c = P.columns[col];
  return h("p", { class: "quiet small" }, t("column_notes", { contexts: c.contexts.length, classes: c.classes.join(", "), target: c.ttitle || c.target, sampling: c.sampling, split: c.split, paraphrases: c.paraphrases }));
}

function apartSection(inFocus) {
  const shown = apart.filter((cell) => inFocus === null || cell.col === inFocus);
  if (!shown.length) return null;
  const more = apart.length - shown.length;
  const head = [t("model"), t("reason"), t("method"), t("task_target"), t("metric_tv"), t("metric_valid"), "n", t("compare")];
  return h("section", { class: "apart" },
    h("h3", { id: "apart-title" }, t("apart")),
    h("p", { class: "lead" }, t("apart_lead"), more ? [" ", h("a", { href: address({ col: "all" }) }, t("apart_more", { k: more }))] : null),
    scroller(t("apart"), h("table", { class: "board" },
      h("thead", {}, h("tr", {}, head.map((words, i) => h("th", { scope: "col", class: i > 3 && i < 7 ? "num" : i === 2 ? "k-method" : null }, words)))),
      h("tbody", {}, shown.map(apartRow)))));
}

function apartRow(cell) {
  const at = { row: P.rows[cell.row].id, col: P.columns[cell.col].id, run: P.runs[cell.run].id };
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { class: "name", href: address({ view: "row", ...at }) }, rowName(cell.row))),
    h("td", {}, cell.apart.map(reason).join("; ")),
    h("td", { class: "k-method" }, methodName(P.rows[cell.row].method)),
    h("td", {}, columnName(cell.col)),
    h("td", { class: "num" }, num(cell.tv), interval(cell.lo, cell.hi)),
    h("td", { class: "num" }, share(cell.valid)),
    h("td", { class: "num" }, P.runs[cell.run].certain ? t("computed") : whole(P.runs[cell.run].n)),
    h("td", {}, h("a", { href: address({ view: "compare", a: apartId(cell), b: "", col: at.col }), "aria-label": `${t("compare_with")}: ${rowName(cell.row)}` }, t("compare_with"))));
}

const reason = ([kind, detail]) => t("apart_" + kind, { detail });
