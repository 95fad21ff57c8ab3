/* Puts the views on the page and keeps keyboard focus where it was. */

const VIEWS = { board: boardView, contexts: contextsView, compare: compareView, methods: methodsView, course: courseView, guide: guideView, row: rowView };
const say = (words) => { document.getElementById("said").textContent = words; };

function render(moved) {
  const view = Object.hasOwn(VIEWS, state.view) ? state.view : "board";
  document.documentElement.lang = HTML_LANG[language()];
  if (state.theme) document.documentElement.dataset.theme = state.theme;
  else delete document.documentElement.dataset.theme;
  for (const node of document.querySelectorAll("[data-words]")) node.textContent = t(node.dataset.words, P.meta);
  for (const link of document.querySelectorAll("nav a")) {
    const own = link.dataset.view;
    link.setAttribute("href", address({ view: own === "board" ? "" : own, row: "", run: "", seed: "", every: "", context: "", cls: "", sort: "" }));
    if (own === view) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.getElementById("language").value = language();
  document.getElementById("theme").value = state.theme || "";

  const before = document.activeElement;
  const at = before && before.id ? { id: before.id, from: before.selectionStart } : null;
  const open = [...document.querySelectorAll("main details[open][id]")].map((node) => node.id);
  const across = [...document.querySelectorAll("main .scroll")].map((node) => node.scrollLeft);
  document.getElementById("app").replaceChildren(...VIEWS[view]().flat(3).filter(Boolean));
  document.title = `${document.getElementById("view-title").textContent} · distalign`;
  if (moved) {
    document.getElementById("view-title").focus();
    window.scrollTo(0, 0);
    return;
  }
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  document.querySelectorAll("main .scroll").forEach((node, i) => { node.scrollLeft = across[i] || 0; });
  const again = at && document.getElementById(at.id);
  if (again) {
    again.focus();
    if (at.from !== null && again.type === "search") again.setSelectionRange(at.from, at.from);
  }
}

function start() {
  for (const node of document.querySelectorAll(".live")) node.hidden = false;
  const tongue = document.getElementById("language");
  tongue.append(...Object.entries(LANGUAGES).map(([key, name]) => h("option", { value: key, lang: HTML_LANG[key] }, name)));
  tongue.addEventListener("change", () => go({ ui: tongue.value }));
  const theme = document.getElementById("theme");
  theme.addEventListener("change", () => go({ theme: theme.value }));
  // The link that skips to the content changes the address too; what is shown stays, and so does the focus.
  const moved = () => { if (location.hash === "#app") return; const was = [state.view, state.row, state.context]; readState(); render(was.some((part, i) => part !== [state.view, state.row, state.context][i])); };
  window.addEventListener("hashchange", moved);
  readState();
  render(false);
  document.documentElement.dataset.ready = "true";
}

start();
