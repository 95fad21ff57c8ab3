/* The board: one row per model and method, either all tasks at once or every metric of one. */

const PAGE = 50;
/* Metrics beside the TV that some result here has, and those that a table of all tasks can show. */
const METRICS = P.metrics.filter(({ key }) => P.cells.some((cell) => !missing(cell[key])));
const CHOICES = ["tv", "plugin", ...METRICS.map(({ key }) => key)];
const PERCENT = new Set(METRICS.filter((metric) => metric.percent).map(({ key }) => key));
const chosenMetric = () => (CHOICES.includes(state.metric) ? state.metric : "tv");
const distinct = (values) => [...new Set(values.filter((v) => v !== "" && !missing(v)))].sort();

function shownColumns() {
  return P.columns.map((_, col) => col).filter((col) => {
    const c = P.columns[col];
    return c.ranked && (!state.attribute || c.attribute === state.attribute) && (!state.lang || c.lang === state.lang) && (!state.target || c.target === state.target);
  });
}

const SIZES = [["tiny", 0, 1e8], ["small", 1e8, 2e9], ["medium", 2e9, 1e10], ["large", 1e10, Infinity]];
const sizeGroup = (size) => (missing(size) ? "" : SIZES.find(([, from, to]) => size >= from && size < to)[0]);

const rankedRows = new Set([...ranked.values()].map((cell) => cell.row));
const rankedColumns = P.columns.filter((c) => c.ranked).length;

function shownRows() {
  const words = (state.q || "").toLowerCase().split(/\s+/).filter(Boolean);
  return P.rows.map((_, row) => row).filter((row) => {
    const r = P.rows[row];
    if (!rankedRows.has(row)) return false;
    const whole = `${r.model} ${r.base} ${r.method} ${methodName(r.method)} ${r.engine}`.toLowerCase();
    return (!state.method || r.method === state.method) && (!state.size || sizeGroup(r.size) === state.size) && words.every((word) => whole.includes(word));
  });
}

/* The task in focus, or null for all of them side by side. */
function focus(columns) {
  if (columns.length === 1) return columns[0];
  const wanted = columns.find((col) => P.columns[col].id === state.col);
  return wanted === undefined ? null : wanted;
}

/* Overall stands the TV, or the skill where this is what is shown: on its scale tasks with different classes can be averaged. */
const bySkill = () => chosenMetric() === "skill";

function overall(row, columns) {
  const found = columns.map((col) => cellOf(row, col)).filter(Boolean);
  if (!found.length) return { value: null, of: 0 };
  return { value: mean(found.map((cell) => (bySkill() ? cell.skill : cell.tv))), of: found.length };
}

/* Rows that lack a column come after those that have all: their mean is of other things. */
function sortedOverall(row, columns) {
  const { value, of } = overall(row, columns);
  return of ? (bySkill() ? -value : value) + (of < columns.length ? 1000 : 0) : null;
}

/* Columns of the table: key, heading, line under it, value to sort by, and what a cell shows. */
function fields(columns, inFocus) {
  const id = [
    { key: "rank", name: t("rank"), under: t("rank_under"), value: (row) => rankOf(row, columns, inFocus).lo, show: (row) => rankCell(row, columns, inFocus) },
    { key: "model", name: t("model"), value: (row) => rowName(row).toLowerCase(), show: modelCell, head: true },
    { key: "method", name: t("method"), value: (row) => methodName(P.rows[row].method), show: (row) => methodName(P.rows[row].method) },
  ];
  const cost = [
    { key: "utility", name: t("utility"), under: t("utility_under"), value: (row) => P.rows[row].utility.main, show: utilityCell },
    { key: "n", name: "n", under: t("n_under"), value: (row) => eachRun(row, inFocus, "n")[0], show: (row) => some(runsOf(row, inFocus).map((run) => (run.certain ? t("computed") : whole(run.n)))) },
    { key: "engine", name: t("engine"), value: (row) => P.rows[row].engine, show: (row) => P.rows[row].engine || "–" },
    { key: "cost", name: t("cost"), under: t("cost_under"), value: (row) => sum(eachRun(row, inFocus, "tokens", true)), show: (row) => costCell(row, inFocus) },
    { key: "checked", name: t("checked"), value: (row) => checkedOf(row, inFocus), show: (row) => [t("checked_" + checkedOf(row, inFocus)), readerMark(row, inFocus)] },
  ];
  if (inFocus !== null) return [...id, ...focusFields(inFocus), ...cost];
  const metric = chosenMetric();
  const many = columns.length > 1 ? [{ key: "overall", name: t("overall"), under: t(bySkill() ? "overall_skill" : "overall_under"), value: (row) => sortedOverall(row, columns), show: (row) => overallCell(row, columns), num: true }] : [];
  const tasks = columns.map((col) => ({
    key: "c" + col, col, name: P.columns[col].about, under: `→ ${P.columns[col].target}${P.columns[col].mark ? ` [${P.columns[col].mark}]` : ""}`, num: true,
    value: (row) => cellOf(row, col)?.[metric], show: (row) => taskCell(cellOf(row, col), metric),
  }));
  return [...id, ...many, ...tasks, ...cost];
}

function focusFields(col) {
  const top = Math.max(0.02, P.columns[col].uniform.tv || 0, ...P.cells.filter((cell) => cell.col === col && !cell.apart.length).map((cell) => cell.hi));
  const plain = (key, digits = 3) => ({
    key, name: t("metric_" + key), under: t("under_" + key), num: true,
    value: (row) => cellOf(row, col)?.[key],
    show: (row) => { const cell = cellOf(row, col); return cell && !missing(cell[key]) ? [PERCENT.has(key) ? pct(cell[key], 1) : num(cell[key], digits), interval(cell[key + "Lo"], cell[key + "Hi"], digits, PERCENT.has(key))] : "–"; },
  });
  return [
    { key: "tv", name: t("metric_tv"), under: t("under_tv"), num: true, value: (row) => cellOf(row, col)?.tv, show: (row) => tvCell(cellOf(row, col), top) },
    plain("plugin"), plain("floor"), ...METRICS.map(({ key }) => plain(key)), plain("conditional"),
  ];
}

/* ---- cells ---- */

const interval = (lo, hi, digits, percent) => (missing(lo) ? null : h("small", {}, percent ? t("to", { lo: pct(lo, 1), hi: pct(hi, 1) }) : span(lo, hi, digits)));
const some = (values) => distinct(values).join(", ") || "–";

function rankOf(row, columns, inFocus) {
  if (inFocus !== null) {
    const cell = cellOf(row, inFocus);
    return cell ? { lo: cell.rankLo, hi: cell.rankHi, band: cell.band } : {};
  }
  if (columns.length !== rankedColumns) return {};
  const r = P.rows[row];
  return { lo: r.rankLo, hi: r.rankHi, band: r.band };
}

function rankCell(row, columns, inFocus) {
  const { lo, hi, band } = rankOf(row, columns, inFocus);
  if (missing(lo)) return h("span", { class: "quiet" }, "–");
  return h("span", { class: `rank band${band % 2}`, title: t("band", { band: band + 1 }) }, rankText(lo, hi));
}

function modelCell(row) {
  const r = P.rows[row];
  return [
    h("a", { href: address({ view: "row", row: r.id }), class: "name" }, r.model),
    h("small", { class: "narrow" }, methodName(r.method)),
    cellsOf(row).some((cell) => !cell.apart.length && cell.seen.includes("contexts")) ? h("span", { class: "tag" }, t("seen_contexts")) : null,
    cellsOf(row).some((cell) => !cell.apart.length && cell.seen.includes("prompts")) ? h("span", { class: "tag" }, t("seen_prompts")) : null,
    r.revision ? h("small", {}, r.revision) : null,
  ];
}

function taskCell(cell, metric) {
  if (!cell || missing(cell[metric])) return h("span", { class: "quiet" }, "–");
  const value = PERCENT.has(metric) ? pct(cell[metric], 1) : num(cell[metric]);
  return [value, interval(cell[metric === "tv" ? "lo" : metric + "Lo"], cell[metric === "tv" ? "hi" : metric + "Hi"], 3, PERCENT.has(metric))];
}

function tvCell(cell, top) {
  if (!cell) return h("span", { class: "quiet" }, "–");
  return h("span", { class: "estimate" }, h("span", {}, num(cell.tv), interval(cell.lo, cell.hi)), estimateBar(cell, top));
}

function overallCell(row, columns) {
  const { value, of } = overall(row, columns);
  if (!of) return "–";
  const r = P.rows[row];
  const full = columns.length === rankedColumns;
  const limits = bySkill() ? interval(r.skillLo, r.skillHi, 3, true) : interval(r.overallLo, r.overallHi);
  return [bySkill() ? pct(value, 1) : num(value), of < columns.length ? h("small", {}, t("of", { k: of, all: columns.length })) : full ? limits : null];
}

function utilityCell(row) {
  const u = P.rows[row].utility;
  return missing(u.main) ? "–" : [num(u.main, u.main < 10 ? 3 : 1), h("small", {}, u.name)];
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

/* ---- the table ---- */

const hiddenFields = () => new Set((state.hide || ["conditional", ...METRICS.filter((metric) => metric.hidden).map(({ key }) => key)].join(",")).split(","));

function boardTable(columns, inFocus) {
  const hidden = hiddenFields();
  const all = fields(columns, inFocus);
  const shown = all.filter((field) => field.head || !hidden.has(field.key));
  const caption = inFocus === null ? t("caption_all", { k: columns.length }) : columnName(inFocus, true);
  const head = h("thead", {}, h("tr", {}, shown.map(headCell)));
  const body = h("tbody", { id: "rows" });
  const table = h("table", { class: classText("board", inFocus === null && "wide") }, h("caption", {}, caption), head, referenceRows(shown, columns, inFocus), body);
  const rows = shownRows();
  const made = new Map();
  const line = (row) => {
    if (!made.has(row)) made.set(row, h("tr", { "data-row": row, class: P.rows[row].untuned ? "base" : null }, shown.map((field) => bodyCell(field, row))));
    return made.get(row);
  };
  let [order, some] = [rows, PAGE];
  const more = h("button", { type: "button", id: "f-more", onclick: () => fill(order.length) }, t("all_rows", { k: rows.length }));
  const fill = (count) => {
    some = count;
    body.replaceChildren(...order.slice(0, some).map(line));
    more.hidden = some >= order.length;
  };
  /* Further rows come as the reader nears them: laying out hundreds at once would make every sort wait. */
  new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting) && some < order.length) fill(some + PAGE); }, { rootMargin: "600px" }).observe(more);
  window.onbeforeprint = () => fill(order.length);
  const sort = (key, direction) => {
    const field = shown.find((one) => one.key === key) || shown[0];
    order = rows.map((row) => [field.value(row), row]).sort(([a, i], [b, j]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b) || i - j;
      const sign = typeof a === "string" ? a.localeCompare(b) : a - b;
      return sign * direction || i - j;
    }).map(([, row]) => row);
    fill(PAGE);
    for (const cell of head.querySelectorAll("th")) {
      cell.setAttribute("aria-sort", cell.dataset.key !== field.key ? "none" : direction > 0 ? "ascending" : "descending");
    }
  };
  head.addEventListener("click", (event) => {
    const cell = event.target.closest("th");
    if (!cell || !event.target.closest("button")) return;
    const down = cell.getAttribute("aria-sort") === "ascending";
    sort(cell.dataset.key, down ? -1 : 1);
    state.sort = (down ? "-" : "") + cell.dataset.key;
    history.replaceState(null, "", address({}));
    say(t("sorted", { by: cell.dataset.name, way: t(down ? "descending" : "ascending") }));
  });
  const start = inFocus === null && columns.length > 1 ? "overall" : inFocus === null ? "c" + columns[0] : "tv";
  const wanted = state.sort || start;
  sort(wanted.replace(/^-/, ""), wanted.startsWith("-") ? -1 : 1);
  return { table, all, more, count: rows.length };
}

function headCell(field) {
  const inside = [h("button", { type: "button" }, field.name, h("span", { class: "arrow", "aria-hidden": "true" })), field.under ? h("small", {}, field.under) : null];
  return h("th", { scope: "col", "data-key": field.key, "data-name": field.name, class: classText("k-" + field.key.replace(/\d+/, ""), field.num && "num"), "aria-sort": "none" }, inside);
}

function bodyCell(field, row) {
  const kind = classText("k-" + field.key.replace(/\d+/, ""), field.num && "num");
  return field.head ? h("th", { scope: "row", class: kind }, field.show(row)) : h("td", { class: kind }, field.show(row));
}

/* What a perfect model, an even guess and other people would score: pinned above, never ranked. */
function referenceRows(shown, columns, inFocus) {
  const perfect = (col) => ({ ...P.columns[col].ideal, lo: 0, hi: P.columns[col].perfect, perfect: P.columns[col].perfect, plugin: P.columns[col].floor, floor: P.columns[col].floor, conditional: 0 });
  const uniform = (col) => ({ ...P.columns[col].uniform, perfect: P.columns[col].perfect, plugin: P.columns[col].uniform.tv, conditional: P.columns[col].uniform.tv });
  const line = (name, of) => {
    const shownAs = (value, key) => (missing(value) ? "" : PERCENT.has(key) ? pct(value, 0) : num(value));
    const numbers = (field) => {
      if (field.col !== undefined) return shownAs(of(field.col)[chosenMetric()], chosenMetric());
      if (field.key === "overall") return name === "people" ? "" : bySkill() ? pct(mean(columns.map((col) => of(col).skill)), 0) : num(mean(columns.map((col) => of(col).tv)));
      if (inFocus === null) return "";
      return shownAs(of(inFocus)[field.key], field.key);
    };
    return h("tr", {}, shown.map((field) => field.head
      ? h("th", { scope: "row", class: "k-model" }, t(name), h("span", { class: "tag" }, t("reference")))
      : h("td", { class: classText("k-" + field.key.replace(/\d+/, ""), field.num && "num") }, field.key === "method" || field.key === "rank" ? "" : numbers(field))));
  };
  const people = (col) => P.columns[col].people;
  const known = inFocus === null ? columns.some((col) => !missing(people(col)[chosenMetric()])) : Object.keys(people(inFocus)).length > 0;
  return columns.length ? h("tbody", { class: "reference" }, line("perfect", perfect), known ? line("people", people) : null, line("uniform", uniform)) : null;
}

/* ---- the view ---- */

function controls(columns, inFocus, all) {
  const set = (key) => (value) => go({ [key]: value, ...(key === "col" ? { sort: "", hide: "" } : {}) });
  const any = (options) => [["", t("any")], ...options];
  const choice = (key, values, words) => (values.length > 1 ? select(t("filter_" + key), any(values.map((value) => [value, words ? words(value) : value])), state[key] || "", set(key), "f-" + key) : null);
  const hidden = hiddenFields();
  const toggle = (key, on) => {
    if (on) hidden.delete(key); else hidden.add(key);
    go({ hide: [...hidden].sort().join(",") || "none" });
  };
  return h("form", { class: "controls", onsubmit: (event) => event.preventDefault() },
    h("label", { class: "field grow" }, h("span", {}, t("search")), h("input", { id: "f-q", type: "search", value: state.q || "", oninput: (event) => go({ q: event.target.value }) })),
    P.columns.length > 1 ? select(t("filter_col"), [["", t("all_tasks")], ...shownColumns().map((col) => [P.columns[col].id, columnName(col)])], inFocus === null ? "" : P.columns[inFocus].id, set("col"), "f-col") : null,
    choice("attribute", distinct(P.columns.map((c) => c.attribute))),
    choice("lang", distinct(P.columns.map((c) => c.lang)), (value) => LANGUAGES[value] || value),
    choice("target", distinct(P.columns.map((c) => c.target))),
    choice("method", distinct(P.rows.map((r) => r.method)), methodName),
    choice("size", SIZES.map(([key]) => key).filter((key) => P.rows.some((r) => sizeGroup(r.size) === key)), (value) => t("size_" + value)),
    inFocus === null ? select(t("filter_metric"), CHOICES.map((key) => [key, t("metric_" + key)]), chosenMetric(), set("metric"), "f-metric") : null,
    h("details", { class: "columns", id: "f-columns" }, h("summary", {}, t("columns")),
      h("div", { class: "choices" }, all.filter((field) => !field.head).map((field) =>
        h("label", {}, h("input", { type: "checkbox", id: "f-col-" + field.key, checked: !hidden.has(field.key), onchange: (event) => toggle(field.key, event.target.checked) }), " ", field.name)))));
}

function boardView() {
  const columns = shownColumns();
  const inFocus = focus(columns);
  if (!P.rows.length) return [heading(t("board")), h("p", {}, t("nothing"))];
  const { table, all, more, count } = boardTable(columns, inFocus);
  const none = count ? null : h("p", { class: "empty" }, t("no_rows"));
  return [
    heading(t("board")),
    h("p", { class: "lead" }, inFocus === null ? t("lead_all") : t("lead_focus")),
    controls(columns, inFocus, all),
    h("p", { class: "quiet small", role: "status" }, t("counted", { shown: count, all: rankedRows.size })),
    scroller(t("board"), table), h("p", {}, more), none,
    inFocus === null ? null : columnNotes(inFocus),
    apartSection(),
  ];
}

function columnNotes(col) {
  const c = P.columns[col];
  return h("p", { class: "quiet small" }, t("column_notes", { contexts: c.contexts.length, classes: c.classes.join(", "), target: c.ttitle || c.target, sampling: c.sampling, split: c.split, paraphrases: c.paraphrases }));
}

function apartSection() {
  if (!apart.length) return null;
  const head = [t("model"), t("method"), t("task_target"), t("reason"), t("metric_tv"), "n"];
  return h("section", { class: "apart" },
    h("h2", { id: "apart-title" }, t("apart")),
    h("p", { class: "lead" }, t("apart_lead")),
    scroller(t("apart"), h("table", { class: "board" },
      h("thead", {}, h("tr", {}, head.map((words, i) => h("th", { scope: "col", class: i > 3 ? "num" : null }, words)))),
      h("tbody", {}, apart.map((cell) => h("tr", {},
        h("th", { scope: "row" }, h("a", { class: "name", href: address({ view: "row", row: P.rows[cell.row].id, col: P.columns[cell.col].id, run: P.runs[cell.run].id }) }, rowName(cell.row))),
        h("td", {}, methodName(P.rows[cell.row].method)),
        h("td", {}, columnName(cell.col)),
        h("td", {}, cell.apart.map(reason).join("; ")),
        h("td", { class: "num" }, num(cell.tv), interval(cell.lo, cell.hi)),
        h("td", { class: "num" }, P.runs[cell.run].certain ? t("computed") : whole(P.runs[cell.run].n))))))));
}

const reason = ([kind, detail]) => t("apart_" + kind, { detail });
