/* The first screen: one question, its verdict, and every model's distance from the target with its interval. */

const inWords = (texts) => texts[language()] ?? texts.en ?? "";

/* Distances as shares of the chart's width. */
function chartScale(col) {
  const cells = P.cells.filter((cell) => cell.col === col && !cell.apart.length);
  const most = Math.max(0.02, evenTv(col), ...cells.map((cell) => cell.hi ?? cell.tv));
  const step = STEPS.find((one) => most / one <= 6) ?? 0.25;
  const top = Math.min(1, Math.ceil(most / step - 1e-9) * step);
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
  const at = (value) => `${(2 + 94 * clampTo(value / top, 0, 1)).toFixed(2)}%`;
  return { at, ticks, top };
}

const evenTv = (col) => P.columns[col].uniform.tv || 0;
const untunedRow = new Map(P.rows.map((r, row) => [r.base, r.untuned ? row : -1]).filter(([, row]) => row >= 0).reverse());
const baseRow = (row) => (P.rows[row].untuned ? -1 : untunedRow.get(P.rows[row].base) ?? -1);
/* The untuned model's result, also one that is not ranked only because it seldom answers with a class. */
const untunedCell = (row, col) => cellOf(baseRow(row), col) ?? apart.find((cell) => cell.row === baseRow(row) && cell.col === col && cell.apart.every(([kind]) => kind === "valid")) ?? null;

/* The axis: what is at which distance is written where it is. */
function chartAxis(col) {
  const { at, ticks, top } = scaleOf(col);
  const even = evenTv(col);
  const anchor = even / top > 0.5 ? "end" : "start";
  return h("svg", { class: "axis-head", "aria-hidden": "true", focusable: "false", width: "100%", height: 52 },
    h("text", { class: "axis", x: at(0), y: 27 }, t("axis_perfect")),
    even ? h("text", { class: "axis", x: at(even), y: 11, "text-anchor": anchor, dx: anchor === "end" ? 4 : -4 }, t("uniform")) : null,
    even ? h("line", { class: "even", x1: at(even), x2: at(even), y1: 15, y2: 52 }) : null,
    ticks.map((tick) => h("text", { class: "axis", x: at(tick), y: 46, "text-anchor": "middle" }, String(Number(tick.toFixed(2))))));
}

/* One model: its interval over the strip where a perfect model would fall; the open dot is its untuned model. */
function chartLine(row, col, named) {
  const cell = cellOf(row, col);
  if (!cell) return null;
  const { at } = scaleOf(col);
  const before = cellOf(baseRow(row), col);
  const even = evenTv(col);
  return h("svg", { class: "line-chart", "aria-hidden": "true", focusable: "false", width: "100%" },
    h("rect", { class: "strip", x: at(0), y: 0, width: `${(parseFloat(at(cell.perfect)) - parseFloat(at(0))).toFixed(2)}%`, height: "100%" }),
    h("line", { class: "zero", x1: at(0), x2: at(0), y1: 0, y2: "100%" }),
    even ? h("line", { class: "even", x1: at(even), x2: at(even), y1: 0, y2: "100%" }) : null,
    before ? h("line", { class: "moved", x1: at(before.tv), x2: at(cell.tv), y1: "50%", y2: "50%" }) : null,
    before ? h("circle", { class: "open", cx: at(before.tv), cy: "50%", r: 4.5 }) : null,
    before && named ? h("text", { class: "axis halo", x: at(before.tv), y: "50%", dy: -9, "text-anchor": "middle" }, t("method_untuned")) : null,
    h("line", { class: "whisker", x1: at(cell.lo ?? cell.tv), x2: at(cell.hi ?? cell.tv), y1: "50%", y2: "50%" }),
    h("circle", { class: P.rows[row].untuned ? "open" : "dot", cx: at(cell.tv), cy: "50%", r: 5.5 }));
}

const scales = new Map();
function scaleOf(col) {
  if (!scales.has(col)) scales.set(col, chartScale(col));
  return scales.get(col);
}

/* What the counts allow to be said, and what it cost; made in Python from the pairs behind the ranks. */
function verdictLines(col) {
  const c = P.columns[col];
  return [
    h("p", { class: "verdict", id: "verdict" }, inWords(c.says)),
    inWords(c.cost) ? h("p", { class: "cost" }, inWords(c.cost)) : null,
  ];
}

function questionHeading(col) {
  return h("h2", { tabindex: "-1", id: "view-title" }, questionTitle(col), h("small", {}, t("against", { target: P.columns[col].ttitle || P.columns[col].target })));
}

function chartNote(col) {
  const some = P.rows.some((_, row) => cellOf(row, col) && cellOf(baseRow(row), col));
  return h("p", { class: "quiet small" }, t("chart_note"), some ? " " + t("chart_note_open") : "");
}
