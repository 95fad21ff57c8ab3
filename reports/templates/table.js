/* The table of the board: sorted by a click on a heading, further rows as the reader nears them. */

const PAGE = 25;
const HIDDEN = ["conditional", "plugin", "floor", "engine", "method"];
const hiddenFields = () => new Set((state.hide || [...HIDDEN, ...METRICS.filter(({ key, hidden }) => key !== "valid" && (hidden || !ofPeople(key))).map(({ key }) => key)].join(",")).split(","));

/* Whether people have a value of a metric in the question in focus: their row is of these. */
function ofPeople(key) {
  const col = focus();
  return col !== null && !missing(P.columns[col].people[key]);
}

function boardTable(columns, inFocus) {
  const hidden = hiddenFields();
  const all = fields(columns, inFocus);
  const shown = all.filter((field) => field.head || field.axis || !hidden.has(field.key));
  const caption = inFocus === null ? t("caption_all", { k: columns.length }) : t("caption_focus");
  const head = h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, shown.map(headCell)));
  const body = h("tbody", { id: "rows", role: "rowgroup" });
  const reference = referenceRows(shown, columns, inFocus);
  const parts = inFocus === null ? [head, reference, body] : [head, body, reference];
  const table = h("table", { role: "table", class: classText("board", inFocus === null ? "wide" : "focus") }, h("caption", {}, caption), parts);
  const rows = shownRows(inFocus);
  const made = new Map();
  const line = (row) => {
    if (!made.has(row)) made.set(row, h("tr", { role: "row", "data-row": row, class: P.rows[row].untuned ? "base" : null }, shown.map((field) => bodyCell(field, row))));
    return made.get(row);
  };
  let [order, some, banded] = [rows, PAGE, false];
  const more = h("button", { type: "button", id: "f-more", onclick: () => fill(order.length) }, t("all_rows", { k: rows.length }));
  const fill = (count) => {
    some = count;
    const lines = order.slice(0, some).map(line);
    lines.forEach((node, i) => node.classList.toggle("newband", banded && i > 0 && bandOf(order[i], inFocus) !== bandOf(order[i - 1], inFocus)));
    body.replaceChildren(...lines);
    more.hidden = some >= order.length;
  };
  /* Further rows come as the reader nears them: laying out hundreds at once would make every sort wait. */
  new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting) && some < order.length) fill(some + PAGE); }, { rootMargin: "600px" }).observe(more);
  window.onbeforeprint = () => fill(order.length);
  const sort = (key, direction) => {
    const field = shown.find((one) => one.key === key && !one.axis) || shown[0];
    banded = inFocus !== null && ["rank", "tv"].includes(field.key);
    order = rows.map((row) => [field.value(row), row]).sort(([a, i], [b, j]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b) || i - j;
      const sign = typeof a === "string" ? a.localeCompare(b) : a - b;
      return sign * direction || i - j;
    }).map(([, row]) => row);
    fill(PAGE);
    for (const cell of head.querySelectorAll("th[data-key]")) {
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
  const start = inFocus !== null ? "tv" : overallShown(columns) ? "-overall" : "c" + (columns.includes(P.first) ? P.first : columns[0]);
  const wanted = state.sort || start;
  sort(wanted.replace(/^-/, ""), wanted.startsWith("-") ? -1 : 1);
  return { table, all, more, count: rows.length };
}

const bandOf = (row, col) => cellOf(row, col)?.band;
const kindOf = (field) => classText("k-" + field.key.replace(/\d+/, ""), field.num && "num");

function headCell(field) {
  if (field.axis) return h("th", { role: "columnheader", scope: "col", class: kindOf(field) }, h("span", {}, field.name), field.axis());
  const inside = [h("button", { type: "button" }, field.name, h("span", { class: "arrow", "aria-hidden": "true" })), field.under ? h("small", {}, field.under) : null];
  return h("th", { role: "columnheader", scope: "col", "data-key": field.key, "data-name": field.name, class: kindOf(field), "aria-sort": "none" }, inside);
}

function bodyCell(field, row) {
  if (field.head) return h("th", { role: "rowheader", scope: "row", class: kindOf(field) }, field.show(row));
  return h("td", { role: "cell", class: kindOf(field) }, field.show(row));
}

/* What a perfect model, an even guess and other people would score: never ranked. */
function referenceRows(shown, columns, inFocus) {
  if (!columns.length) return null;
  const perfect = (col) => ({ ...P.columns[col].ideal, plugin: P.columns[col].floor, floor: P.columns[col].floor, conditional: 0 });
  const uniform = (col) => ({ ...P.columns[col].uniform, plugin: P.columns[col].uniform.tv, conditional: P.columns[col].uniform.tv });
  const people = (col) => P.columns[col].people;
  const as = (value, key) => (missing(value) ? "" : PERCENT.has(key) ? share(value) : num(value));
  const known = inFocus === null ? columns.some((col) => !missing(people(col)[chosenMetric()])) : Object.keys(people(inFocus)).length > 0;
  const value = (name, of, field) => {
    if (field.col !== undefined) return as(of(field.col)[chosenMetric()], chosenMetric());
    if (field.key === "overall") return name === "people" ? "" : pct(mean(P.shared.map((col) => of(col).skill)));
    return inFocus === null || field.key === "rank" || field.key === "chart" ? "" : as(of(inFocus)[field.key], field.key);
  };
  const line = (name, of) => h("tr", { role: "row" }, shown.map((field) => (field.head
    ? h("th", { role: "rowheader", scope: "row", class: "k-model" }, t(name), h("span", { class: "tag" }, t("reference")))
    : h("td", { role: "cell", class: kindOf(field) }, value(name, of, field)))));
  return h("tbody", { class: "reference", role: "rowgroup" }, line("perfect", perfect), known ? line("people", people) : null, line("uniform", uniform));
}
