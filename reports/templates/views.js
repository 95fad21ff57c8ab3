/* Compare, methods, training course, and how to read the page. */

function verdict(result, p, a, b, target) {
  const size = num(Math.abs(result.value));
  const values = { a, b, target, size, lo: num(Math.min(Math.abs(result.lo), Math.abs(result.hi))), hi: num(Math.max(Math.abs(result.lo), Math.abs(result.hi))), least: num(tQuantile(Infinity) * result.error + 0.84 * result.error) };
  if (p >= 0.05 || result.lo * result.hi <= 0) return t("verdict_tie", values);
  return t(result.value < 0 ? "verdict_a" : "verdict_b", values);
}

function compareView() {
  const rows = [...rankedRows].sort((x, y) => x - y);
  if (rows.length < 2) return [heading(t("compare")), h("p", {}, t("compare_two"))];
  const both = (x, y) => P.columns.map((_, col) => col).filter((col) => cellOf(x, col) && cellOf(y, col));
  const find = (id) => rows.find((row) => P.rows[row].id === id);
  const a = find(state.a) ?? rows[0];
  const b = find(state.b) ?? rows.find((row) => row !== a && both(a, row).length) ?? rows.find((row) => row !== a);
  const options = rows.map((row) => [P.rows[row].id, `${rowName(row)} — ${methodName(P.rows[row].method)}`]);
  const shared = both(a, b);
  const results = shared.map((col) => paired(cellOf(a, col), cellOf(b, col)));
  const ps = adjusted(results.map((result) => result.p));
  const [nameA, nameB] = [rowLabel(a), rowLabel(b)];
  const opened = Math.max(0, shared.findIndex((col) => P.columns[col].id === state.col));
  return [
    heading(t("compare")), h("p", { class: "lead" }, t("compare_lead")),
    h("div", { class: "controls" },
      select(t("first"), options, P.rows[a].id, (value) => go({ a: value }), "f-a"), select(t("second"), options, P.rows[b].id, (value) => go({ b: value }), "f-b"),
      h("button", { type: "button", id: "f-swap", onclick: () => go({ a: P.rows[b].id, b: P.rows[a].id }) }, t("swap"))),
    a === b ? h("p", { class: "notice" }, t("same_row")) : null,
    shared.length ? h("p", { class: "verdict" }, verdict(results[opened], ps[opened], nameA, nameB, columnName(shared[opened]))) : h("p", { class: "notice" }, t("nothing_shared")),
    shared.length ? compareTable(shared, results, ps, opened) : null,
    shared.length ? contextDifferences(shared[opened], results[opened], nameA, nameB) : null,
  ];
}

const rowLabel = (row) => `${rowName(row)} (${methodName(P.rows[row].method)})`;

function compareTable(shared, results, ps, opened) {
  const least = Math.min(...results.map((r) => r.lo));
  const most = Math.max(...results.map((r) => r.hi));
  const bars = dotRows(results, least, most);
  const head = [t("task_target"), t("difference"), t("chart"), t("p_adjusted"), t("verdict")];
  const word = (result, p) => (p >= 0.05 || result.lo * result.hi <= 0 ? t("word_tie") : t(result.value < 0 ? "word_a" : "word_b"));
  return scroller(t("compare"), h("table", { class: "board" }, h("thead", {}, h("tr", {}, head.map((words) => h("th", { scope: "col" }, words)))),
    h("tbody", {}, shared.map((col, i) => h("tr", { class: i === opened ? "opened" : null },
      h("th", { scope: "row" }, h("a", { href: address({ col: P.columns[col].id }), "aria-current": i === opened ? "true" : null }, columnName(col))),
      h("td", { class: "num" }, num(results[i].value), interval(results[i].lo, results[i].hi)), h("td", {}, bars[i]),
      h("td", { class: "num" }, ps[i] < 0.001 ? "< 0.001" : num(ps[i])), h("td", {}, word(results[i], ps[i])))))));
}

function contextDifferences(col, result, nameA, nameB) {
  const rows = [...result.rows].sort((x, y) => Math.abs(y.value) - Math.abs(x.value));
  const bars = dotRows(rows, Math.min(...rows.map((r) => r.lo)), Math.max(...rows.map((r) => r.hi)));
  return section(t("by_context", { task: columnName(col) }),
    h("p", { class: "quiet small" }, t("by_context_lead", { a: nameA, b: nameB })),
    scroller(t("context"), h("table", { class: "board" },
      h("thead", {}, h("tr", {}, [t("context"), t("difference"), t("chart")].map((words, i) => h("th", { scope: "col", class: i === 1 ? "num" : null }, words)))),
      h("tbody", {}, rows.map((row, i) => h("tr", {}, h("th", { scope: "row" }, row.name), h("td", { class: "num" }, num(row.value), interval(row.lo, row.hi)), h("td", {}, bars[i])))))));
}

/* ---- methods ---- */

function methodsView() {
  return [heading(t("methods")), h("p", { class: "lead" }, t("methods_lead")), measuredMethods(), publishedSection()];
}

function measuredMethods() {
  const lines = [];
  for (const col of shownColumns()) {
    P.rows.forEach((r, row) => {
      const after = cellOf(row, col);
      const base = P.rows.findIndex((other) => other.untuned && other.base === r.base);
      const before = base >= 0 && base !== row && cellOf(base, col);
      if (after && before && !r.untuned) lines.push({ col, row, before, after, result: paired(after, before) });
    });
  }
  if (!lines.length) return section(t("measured"), h("p", { class: "quiet" }, t("no_pairs")));
  const bars = dotRows(lines.map((line) => line.result), Math.min(...lines.map((l) => l.result.lo)), Math.max(...lines.map((l) => l.result.hi)));
  const head = [t("method"), t("model"), t("task_target"), t("before"), t("after"), t("change"), t("chart"), t("utility")];
  return section(t("measured"), scroller(t("measured"), h("table", { class: "board" }, h("thead", {}, h("tr", {}, head.map((words) => h("th", { scope: "col" }, words)))),
    h("tbody", {}, lines.map(({ col, row, before, after, result }, i) => h("tr", {},
      h("th", { scope: "row" }, methodName(P.rows[row].method)), h("td", {}, h("a", { href: address({ view: "row", row: P.rows[row].id, col: P.columns[col].id }) }, rowName(row))), h("td", {}, columnName(col)),
      h("td", { class: "num" }, num(before.tv)), h("td", { class: "num" }, num(after.tv)), h("td", { class: "num" }, num(result.value), interval(result.lo, result.hi)), h("td", {}, bars[i]), h("td", { class: "num" }, utilityCell(row))))))));
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

/* ---- training course ---- */

function courseView() {
  const groups = new Map();
  P.rows.forEach((r, row) => { if (r.training) groups.set(r.training, [...(groups.get(r.training) || []), row]); });
  const sections = [];
  for (const [training, rows] of groups) {
    for (const col of shownColumns()) {
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
