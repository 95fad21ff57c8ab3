/* By context and by wording: where every model is off, and whether the words of the question matter. */

const COLUMNS_SHOWN = 12;
const rankedCells = (col) => P.cells.filter((cell) => cell.col === col && !cell.apart.length).sort((a, b) => a.tv - b.tv || a.row - b.row);

/* A model over its column, in two lines: what it was made from and how; a checkpoint by its own name. */
function uprightName(row) {
  const r = P.rows[row];
  const made = missing(r.step) ? (r.baseName || r.model).split("/").pop() : r.model;
  return [made, h("small", {}, methodName(r.method))];
}

/* A class's share less the target's, in one context; null where nothing was drawn. */
function signedOff(cell, context, index) {
  const counts = contextCounts(cell, context);
  const n = sum(counts);
  return n ? counts[index] / n - targetShares(cell, context)[index] : null;
}

function contextsView() {
  const col = focus();
  if (col === null && !rankedColumns.length) return [heading(t("contexts")), h("p", {}, t("none_ranked"))];
  const chosen = col ?? P.first;
  const cells = rankedCells(chosen);
  const column = P.columns[chosen];
  const opened = column.contexts.indexOf(state.context);
  const set = (value) => go({ col: value, context: "", cls: "" });
  if (opened >= 0) return oneContext(chosen, cells, opened);
  return [
    questionHeading(chosen),
    h("div", { class: "controls" }, questionSelect(chosen, false, set), column.classes.length > 2 ? classSelect(chosen, cells) : null),
    heatSection(chosen, cells), wordingSection(chosen, cells),
  ];
}

const offBy = (cells, context, index) => mean(cells.map((cell) => Math.abs(signedOff(cell, context, index) ?? 0)));

/* The class that was asked for, else the one that is furthest off. */
function shownClass(col, cells) {
  const { classes, contexts } = P.columns[col];
  const asked = classes.indexOf(state.cls);
  if (asked >= 0 || classes.length <= 2) return Math.max(asked, 0);
  const far = classes.map((_, index) => mean(contexts.map((_, context) => offBy(cells, context, index))));
  return far.indexOf(Math.max(...far));
}

function classSelect(col, cells) {
  const { classes } = P.columns[col];
  return select(t("class"), classes.map((name) => [name, name]), classes[shownClass(col, cells)], (value) => go({ cls: value }), "f-cls");
}

const LEVELS = [0.025, 0.075, 0.15, 0.3];

function heatCell(off) {
  if (off === null) return h("td", { class: "heat quiet" }, "–");
  const level = LEVELS.filter((least) => Math.abs(off) >= least).length;
  const points = Math.round(100 * off);
  return h("td", { class: classText("heat", level && (off > 0 ? "more" : "less") + level) }, points > 0 ? `+${points}` : String(points).replace("-", "−"));
}

function heatSection(col, cells) {
  const column = P.columns[col];
  const index = shownClass(col, cells);
  const shown = state.every ? cells : cells.slice(0, COLUMNS_SHOWN);
  const order = column.contexts.map((_, i) => [offBy(shown, i, index), i]).sort(([a, i], [b, j]) => b - a || i - j).map(([, i]) => i);
  const more = cells.length > shown.length ? h("p", {}, h("button", { type: "button", id: "f-every", onclick: () => go({ every: "1" }) }, t("all_models", { k: cells.length }))) : null;
  const head = h("tr", {}, h("th", { scope: "col" }, t("context")),
    shown.map((cell) => h("th", { scope: "col", class: "upright" }, h("a", { href: address({ view: "row", row: P.rows[cell.row].id, col: column.id, every: "" }), title: rowLabel(cell.row) }, uprightName(cell.row)))));
  const body = order.map((context) => h("tr", {},
    h("th", { scope: "row" }, h("a", { href: address({ context: column.contexts[context], col: column.id, every: "" }) }, column.contexts[context])),
    shown.map((cell) => heatCell(signedOff(cell, context, index)))));
  return section(t("contexts_worst"),
    h("p", { class: "lead" }, t("heat_lead", { cls: column.classes[index] })),
    scroller(t("contexts"), h("table", { class: "board heatmap" }, h("caption", { class: "unseen" }, t("heat_lead", { cls: column.classes[index] })), h("thead", {}, head), h("tbody", {}, body))), more);
}

/* One context: every model's shares beside the target's. */
function oneContext(col, cells, context) {
  const shown = state.every ? cells : cells.slice(0, FIRST);
  const more = cells.length > shown.length ? h("p", {}, h("button", { type: "button", id: "f-every", onclick: () => go({ every: "1" }) }, t("all_models", { k: cells.length }))) : null;
  return [
    h("p", {}, h("a", { href: address({ context: "", every: "" }) }, "← " + t("back_contexts"))),
    h("h2", { tabindex: "-1", id: "view-title" }, P.columns[col].contexts[context], h("small", {}, columnName(col))),
    h("p", { class: "quiet small" }, t("contexts_legend")),
    h("div", { class: "contexts" }, shown.map((cell) => contextFigure(cell, context, rowLabel(cell.row), address({ view: "row", row: P.rows[cell.row].id, col: P.columns[col].id, context: "", every: "" })))), more,
  ];
}

/* ---- by wording ---- */

const wordingsOf = (cell) => cell.wordings.filter(([, value]) => !missing(value)).map(([id, value]) => ({ name: text(id), value }));

function wordingSection(col, cells) {
  const asked = cells.filter((cell) => wordingsOf(cell).length > 1);
  if (!asked.length) return section(t("wordings"), h("p", { class: "quiet" }, t("wordings_none")));
  const names = distinct(asked.flatMap((cell) => wordingsOf(cell).map(({ name }) => name)));
  const shown = state.every ? asked : asked.slice(0, FIRST);
  return section(t("wordings"), h("p", { class: "lead" }, t("wordings_lead")),
    scroller(t("wordings"), wordingTable(col, shown)),
    h("details", { id: "f-wordings" }, h("summary", {}, t("wordings_table")), scroller(t("wordings_table"), h("table", { class: "board fit" },
      h("thead", {}, h("tr", {}, [t("model"), ...names].map((name, i) => h("th", { scope: "col", class: i ? "num" : null }, name)))),
      h("tbody", {}, shown.map((cell) => h("tr", {}, h("th", { scope: "row" }, rowLabel(cell.row)),
        names.map((name) => h("td", { class: "num" }, num(wordingsOf(cell).find((one) => one.name === name)?.value)))))))))
  );
}

function wordingTable(col, cells) {
  const top = Math.max(0.02, ...cells.flatMap((cell) => wordingsOf(cell).map(({ value }) => value)));
  const head = [t("model"), t("chart"), t("spread")];
  return h("table", { class: "board spread" }, h("thead", {}, h("tr", {}, head.map((words, i) => h("th", { scope: "col", class: i > 1 ? "num" : null }, words)))),
    h("tbody", {}, cells.map((cell) => {
      const values = wordingsOf(cell).map(({ value }) => value);
      return h("tr", {}, h("th", { scope: "row" }, rowName(cell.row), h("small", {}, methodName(P.rows[cell.row].method))),
        h("td", { class: "k-chart" }, wordingDots(values, meanDistance(cell), top)),
        h("td", { class: "num" }, span(Math.min(...values), Math.max(...values))));
    })));
}

/* By the same estimate as each wording's. */
const meanDistance = (cell) => Math.max(0, mean(cell.each.filter((value) => !missing(value))));

/* A dot for each wording; the tick is all of them together. */
function wordingDots(values, tv, top) {
  const at = (value) => `${(2 + 96 * clampTo(value / top, 0, 1)).toFixed(2)}%`;
  return h("svg", { class: "line-chart", "aria-hidden": "true", focusable: "false", width: "100%" },
    h("line", { class: "zero", x1: at(0), x2: at(0), y1: 0, y2: "100%" }),
    h("line", { class: "grid", x1: at(Math.min(...values)), x2: at(Math.max(...values)), y1: "50%", y2: "50%" }),
    h("line", { class: "tick", x1: at(tv), x2: at(tv), y1: "25%", y2: "75%" }),
    values.map((value) => h("circle", { class: "dot wording", cx: at(value), cy: "50%", r: 4 })));
}
