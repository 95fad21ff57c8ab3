/* Methods: how far each brought its model, and at what cost; beneath, what papers reported. */

const PANELS = 12;

function methodsView() {
  return [heading(t("methods")), h("p", { class: "lead" }, t("methods_lead")), measuredMethods(), publishedSection()];
}

/* Every tuned row that has its untuned model beside it, by question and base. */
function changes() {
  const groups = new Map();
  for (const col of byFirst().filter((one) => P.columns[one].ranked)) {
    P.rows.forEach((r, row) => {
      const [after, before] = [cellOf(row, col), untunedCell(row, col)];
      if (!after || !before) return;
      const key = `${col}/${r.base}`;
      groups.set(key, [...(groups.get(key) || []), { col, row, before, after, ratio: r.utility.ratio }]);
    });
  }
  return [...groups.values()];
}

function measuredMethods() {
  const groups = changes();
  if (!groups.length) return section(t("measured"), h("p", { class: "quiet" }, t("no_pairs")));
  const shown = state.every ? groups : groups.slice(0, PANELS);
  const more = groups.length > shown.length ? h("p", {}, h("button", { type: "button", id: "f-every", onclick: () => go({ every: "1" }) }, t("all_charts", { k: groups.length }))) : null;
  return section(t("measured"), h("p", { class: "quiet small" }, t("slope_lead")),
    h("div", { class: "panels" }, shown.map(changeFigure)), more,
    h("details", { id: "f-changes" }, h("summary", {}, t("changes_table")), changeTable(groups.flat())));
}

function changeFigure(lines) {
  const { col, before } = lines[0];
  const costed = lines.filter((line) => !missing(line.ratio));
  const told = lines.map(({ row, after, ratio }) => t("slope_says", { method: lineName(row, lines), tv: num(after.tv), cost: missing(ratio) ? t("not_measured") : `× ${num(ratio, 2)}` })).join("; ");
  const label = `${columnName(col)}, ${rowName(before.row)}. ${t("method_untuned")}: ${num(before.tv)}; ${told}`;
  return h("figure", { class: "panel" },
    h("figcaption", {}, h("strong", {}, columnName(col)), h("small", {}, rowName(before.row), before.apart.length ? ` · ${t("valid_is", { x: share(before.valid) })}` : null)),
    slopeChart(lines, costed, label));
}

const lineName = (row, lines) => (!missing(P.rows[row].step) ? `${methodName(P.rows[row].method)}, ${t("step").toLowerCase()} ${P.rows[row].step}` : lines.filter((line) => P.rows[line.row].method === P.rows[row].method && missing(P.rows[line.row].step)).length > 1 ? rowName(row) : methodName(P.rows[row].method));

/* From the untuned model to each method: distance downwards is better, cost to the right is worse. */
function slopeChart(lines, costed, label) {
  const [width, height, left, right, top, bottom] = [400, 280, 42, 132, 14, 40];
  const { before } = lines[0];
  const most = Math.max(before.hi, ...lines.map(({ after }) => after.hi)) * 1.05 || 0.1;
  const step = [0.02, 0.05, 0.1, 0.2, 0.25].find((one) => most / one <= 5) ?? 0.25;
  const y = (value) => top + (1 - clampTo(value / most, 0, 1)) * (height - top - bottom);
  const ratios = [1, ...costed.map(({ ratio }) => ratio)];
  const [least, greatest] = [Math.min(...ratios), Math.max(Math.max(...ratios), Math.min(...ratios) + 0.02)];
  const inner = width - left - right;
  const x = (ratio) => left + 14 + scale(least, greatest, inner - 28)(ratio);
  const place = ({ ratio }) => (costed.length ? (missing(ratio) ? null : x(ratio)) : left + inner - 14);
  const start = costed.length ? x(1) : left + 14;
  const placed = lines.filter((line) => place(line) !== null);
  const beside = lines.filter((line) => place(line) === null);
  const ticks = Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
  const ends = [...placed.map((line) => ({ line, at: place(line) })), ...beside.map((line) => ({ line, at: left + inner }))];
  return h("svg", { class: "slope", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    ticks.map((tick) => [h("line", { class: "grid", x1: left, x2: left + inner, y1: y(tick), y2: y(tick) }), h("text", { class: "axis", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, String(Number(tick.toFixed(2))))]),
    h("rect", { class: "strip", x: left, y: y(before.perfect), width: inner, height: y(0) - y(before.perfect) }),
    costed.length ? costAxis(x, least, greatest, height - 22) : null,
    h("text", { class: "axis", x: left + inner / 2, y: height - 4, "text-anchor": "middle" }, costed.length ? t("slope_axis") : t("slope_axis_none")),
    costed.length ? frontier([{ at: x(1), value: before.tv }, ...costed.map((line) => ({ at: x(line.ratio), value: line.after.tv }))], y, left + inner) : null,
    placed.map((line) => h("line", { class: "course-line", x1: start, y1: y(before.tv), x2: place(line), y2: y(line.after.tv) })),
    ends.map(({ line, at }) => [h("line", { class: "whisker", x1: at, x2: at, y1: y(line.after.lo), y2: y(line.after.hi) }), h("circle", { class: "dot", cx: at, cy: y(line.after.tv), r: 4.5 })]),
    h("line", { class: "whisker", x1: start, x2: start, y1: y(before.lo), y2: y(before.hi) }), h("circle", { class: "open", cx: start, cy: y(before.tv), r: 4.5 }),
    endLabels([{ name: t("method_untuned"), at: start, y: y(before.tv) }, ...ends.map(({ line, at }) => ({ name: lineName(line.row, lines) + (costed.length && missing(line.ratio) ? "*" : ""), at, y: y(line.after.tv) }))], left + inner + 14, height - bottom));
}

function costAxis(x, least, greatest, y) {
  const marks = greatest - least < 0.06 ? [least, greatest] : [least, (least + greatest) / 2, greatest];
  return marks.map((mark) => h("text", { class: "axis", x: x(mark), y, "text-anchor": "middle" }, `× ${num(mark, 2)}`));
}

/* What nothing else beats in both distance and cost, joined by steps. */
function frontier(points, y, end) {
  let best = Infinity;
  const kept = [...points].sort((a, b) => a.at - b.at || a.value - b.value).filter((point) => { const good = point.value < best; best = Math.min(best, point.value); return good; });
  const path = kept.map((point, i) => `${i ? `H${point.at.toFixed(1)}V` : `M${point.at.toFixed(1)},`}${y(point.value).toFixed(1)}`).join("") + `H${end}`;
  return h("path", { class: "frontier", d: path });
}

/* Names in a column at the right, moved apart where they would lie on one another, each with a hair line to its dot. */
function endLabels(labels, at, floor) {
  const gap = 15;
  const sorted = [...labels].sort((a, b) => a.y - b.y).map((label) => ({ ...label, to: label.y }));
  sorted.forEach((label, i) => { if (i) label.to = Math.max(label.to, sorted[i - 1].to + gap); });
  const over = Math.max(0, (sorted[sorted.length - 1]?.to ?? 0) - floor);
  if (over) for (let i = sorted.length - 1, limit = floor; i >= 0; i -= 1, limit -= gap) sorted[i].to = Math.min(sorted[i].to, limit);
  return sorted.map((label) => [
    h("line", { class: "hair", x1: label.at + 6, y1: label.y, x2: at - 3, y2: label.to }),
    h("text", { class: "name-label", x: at, y: label.to + 4 }, label.name.length > 19 ? label.name.slice(0, 18) + "…" : label.name),
  ]);
}

function changeTable(lines) {
  const results = lines.map(({ before, after }) => paired(after, before));
  const bars = dotRows(results, Math.min(...results.map((r) => r.lo)), Math.max(...results.map((r) => r.hi)));
  const head = [t("method"), t("model"), t("task_target"), t("before"), t("after"), t("change"), t("chart"), t("utility")];
  return scroller(t("measured"), h("table", { class: "board" }, h("thead", {}, h("tr", {}, head.map((words, i) => h("th", { scope: "col", class: (i > 2 && i < 6) || i === 7 ? "num" : null }, words)))),
    h("tbody", {}, lines.map(({ col, row, before, after }, i) => h("tr", {},
      h("th", { scope: "row" }, methodName(P.rows[row].method)), h("td", {}, h("a", { href: address({ view: "row", row: P.rows[row].id, col: P.columns[col].id, every: "" }) }, rowName(row))), h("td", {}, columnName(col)),
      h("td", { class: "num" }, num(before.tv)), h("td", { class: "num" }, num(after.tv)), h("td", { class: "num" }, num(results[i].value), interval(results[i].lo, results[i].hi)), h("td", {}, bars[i]), h("td", { class: "num" }, utilityCell(row)))))));
}

function publishedSection() {
  const papers = distinct(P.published.map((row) => row.paper));
  return section(t("published"), h("p", {}, t("published_lead")), papers.map((paper) => publishedTable(paper, P.published.filter((row) => row.paper === paper))));
}

function publishedTable(paper, rows) {
  const head = [t("method"), t("model"), t("task"), t("target"), t("metric"), t("value"), t("flags"), t("source")];
  const value = (row) => (row.value === null ? "–" : row.high === null ? num(row.value) : t("to", { lo: num(row.value, 2), hi: num(row.high, 2) }));
  return h("details", { id: "f-" + paper, open: rows.length < 12 }, h("summary", {}, t("published_of", { paper, k: rows.length })),
    scroller(paper, h("table", { class: "board" }, h("thead", {}, h("tr", {}, head.map((words) => h("th", { scope: "col" }, words)))),
      h("tbody", {}, rows.map((row) => h("tr", {},
        h("th", { scope: "row" }, row.method), h("td", {}, row.model || t("not_stated")), h("td", {}, row.task || "–"), h("td", {}, row.target || "–"),
        h("td", {}, WORDS.en["metric_" + row.metric] ? t("metric_" + row.metric) : row.metric, h("small", {}, t(row.better + "_is_better"))), h("td", { class: "num" }, value(row)),
        h("td", { class: "wide-text" }, row.flags.map((flag) => h("span", { class: "tag warn" }, t("flag_" + flag))), row.note ? h("small", {}, row.note) : null),
        h("td", {}, row.link ? h("a", { href: row.link, rel: "noopener noreferrer" }, row.source) : row.source)))))));
}

