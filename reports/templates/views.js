/* Training course, and how to read the page. */

/* ---- training course ---- */

function courseView() {
  const groups = new Map();
  P.rows.forEach((r, row) => { if (r.training) groups.set(r.training, [...(groups.get(r.training) || []), row]); });
  const sections = [];
  for (const [training, rows] of groups) {
    for (const col of rankedColumns) {
      const points = rows.map((row) => ({ cell: cellOf(row, col), step: P.rows[row].step, row })).filter((p) => p.cell).sort((a, b) => a.step - b.step)
        .map(({ cell, step, row }) => ({ step, row, value: cell.tv, lo: cell.lo, hi: cell.hi, perfect: cell.perfect }));
      if (points.length > 1) sections.push(courseSection(training, col, points));
    }
  }
  return [heading(t("course")), h("p", { class: "lead" }, t("course_lead")), sections.length ? sections : h("p", { class: "quiet" }, t("no_course"))];
}

function courseSection(training, col, points) {
  const label = t("course_label", { training, task: columnName(col) });
  return section(`${training}: ${columnName(col)}`, h("figure", {}, courseChart(points, points[0].perfect, label), h("figcaption", { class: "quiet small" }, t("course_caption"))),
    scroller(label, h("table", { class: "board fit" }, h("thead", {}, h("tr", {}, [t("step"), t("metric_tv")].map((words, i) => h("th", { scope: "col", class: i ? "num" : null }, words)))),
      h("tbody", {}, points.map((p) => h("tr", {}, h("th", { scope: "row" }, h("a", { href: address({ view: "row", row: P.rows[p.row].id, col: P.columns[col].id }) }, whole(p.step))), h("td", { class: "num" }, num(p.value), interval(p.lo, p.hi))))))));
}

/* ---- how to read ---- */

function guideView() {
  const terms = ["tv", "plugin", "floor", ...METRICS.map(({ key }) => key), "conditional", "bounds", "rank", "overall", "perfect", "people", "uniform", "apart", "utility", "checked"];
  return [heading(t("guide")), h("p", { class: "lead" }, t("guide_lead")),
    h("dl", { class: "guide" }, terms.map((key) => [h("dt", {}, WORDS.en["metric_" + key] ? t("metric_" + key) : t(key)), h("dd", {}, t("about_" + key))]))];
}
