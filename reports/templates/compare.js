/* Two rows, or runs that are not ranked, paired over the contexts that both have. */

const apartId = (cell) => `${P.rows[cell.row].id}@${P.runs[cell.run].id}@${cell.col}`;

/* What can be compared: every ranked row with all its columns, nearest first, then each result that stands apart. */
function comparands() {
  const nearness = (row) => [cellOf(row, P.first)?.tv ?? 9, row];
  const rows = [...rankedRows].sort((x, y) => nearness(x)[0] - nearness(y)[0] || x - y);
  return [
    ...rows.map((row) => ({ id: P.rows[row].id, row, label: `${rowName(row)} — ${methodName(P.rows[row].method)}`, cell: (col) => cellOf(row, col), apart: null })),
    ...apart.map((cell) => ({ id: apartId(cell), row: cell.row, label: `${rowName(cell.row)} — ${methodName(P.rows[cell.row].method)} (${t("apart_short")}: ${columnName(cell.col)}, n = ${P.runs[cell.run].certain ? t("computed") : whole(P.runs[cell.run].n)})`, cell: (col) => (col === cell.col ? cell : null), apart: cell })),
  ];
}

const bothHave = (x, y) => byFirst().filter((col) => x.cell(col) && y.cell(col) && paired(x.cell(col), y.cell(col)).rows.length);

function verdict(result, p, a, b, target) {
  const size = num(Math.abs(result.value));
  const values = { a, b, target, size, lo: num(Math.min(Math.abs(result.lo), Math.abs(result.hi))), hi: num(Math.max(Math.abs(result.lo), Math.abs(result.hi))), least: num(Math.max(Math.abs(result.lo), Math.abs(result.hi))) };
  if (!(p < 0.05) || result.lo * result.hi <= 0) return t("verdict_tie", values);
  return t(result.value < 0 ? "verdict_a" : "verdict_b", values);
}

function compareView() {
  const all = comparands();
  if (all.length < 2) return [heading(t("compare")), h("p", {}, t("compare_two"))];
  const find = (id) => all.find((one) => one.id === id);
  const a = find(state.a) ?? all[0];
  const b = find(state.b) ?? all.find((one) => one !== a && bothHave(a, one).length) ?? all.find((one) => one !== a);
  const options = all.map((one) => [one.id, one.label]);
  const shared = bothHave(a, b);
  const results = shared.map((col) => paired(a.cell(col), b.cell(col)));
  const ps = adjusted(results.map((result) => result.p));
  const [nameA, nameB] = [rowLabel(a.row), rowLabel(b.row)];
  const opened = Math.max(0, shared.findIndex((col) => P.columns[col].id === state.col));
  const warned = [a, b].filter((one, i, both) => one.apart && both.indexOf(one) === i);
  return [
    heading(t("compare")), h("p", { class: "lead" }, t("compare_lead")),
    h("div", { class: "controls" },
      select(t("first"), options, a.id, (value) => go({ a: value }), "f-a"), select(t("second"), options, b.id, (value) => go({ b: value }), "f-b"),
      h("button", { type: "button", id: "f-swap", onclick: () => go({ a: b.id, b: a.id }) }, t("swap"))),
    a === b ? h("p", { class: "notice" }, t("same_row")) : null,
    warned.map((one) => h("p", { class: "notice" }, t("compare_apart", { model: rowLabel(one.row), why: one.apart.apart.map(reason).join("; ") }))),
    shared.length ? h("p", { class: "verdict" }, verdict(results[opened], ps[opened], nameA, nameB, columnName(shared[opened]))) : h("p", { class: "notice" }, t("nothing_shared")),
    shared.length ? compareTable(shared, results, ps, opened, [a, b]) : null,
    shared.length ? contextDifferences(shared[opened], results[opened], nameA, nameB) : null,
  ];
}

const rowLabel = (row) => `${rowName(row)} (${methodName(P.rows[row].method)})`;

function compareTable(shared, results, ps, opened, both) {
  const least = Math.min(...results.map((r) => r.lo));
  const most = Math.max(...results.map((r) => r.hi));
  const bars = dotRows(results, least, most);
  const head = [[t("task_target")], [t("difference"), "num"], [t("verdict")], [t("p_adjusted"), "num"], [t("chart")], [t("valid_both"), "num"]];
  const word = (result, p) => (!(p < 0.05) || result.lo * result.hi <= 0 ? t("word_tie") : t(result.value < 0 ? "word_a" : "word_b"));
  return scroller(t("compare"), h("table", { class: "board" }, h("thead", {}, h("tr", {}, head.map(([words, kind]) => h("th", { scope: "col", class: kind }, words)))),
    h("tbody", {}, shared.map((col, i) => h("tr", { class: i === opened ? "opened" : null },
      h("th", { scope: "row" }, h("a", { href: address({ col: P.columns[col].id }), "aria-current": i === opened ? "true" : null }, columnName(col))),
      h("td", { class: "num" }, num(results[i].value), interval(results[i].lo, results[i].hi)), h("td", { class: "told" }, word(results[i], ps[i])),
      h("td", { class: "num" }, ps[i] < 0.001 ? "< 0.001" : num(ps[i])), h("td", {}, bars[i]),
      h("td", { class: "num" }, both.map((one) => share(one.cell(col).valid)).join(" · ")))))));
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
