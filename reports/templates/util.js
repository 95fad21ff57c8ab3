"use strict";
/* Shared by every view: data, words, numbers, elements, and the state in the address. */

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const P = read("data");
const WORDS = read("words");
const LANGUAGES = { en: "English", zh: "中文" };
const HTML_LANG = { en: "en", zh: "zh-Hans" };

/* ---- data: arrays become objects once, columns and rows find their cells ---- */

P.cells = P.cells.map((values) => Object.fromEntries(P.cellKeys.map((key, i) => [key, values[i]])));
const ranked = new Map();
const apart = [];
for (const cell of P.cells) {
  if (cell.apart.length) apart.push(cell);
  else ranked.set(`${cell.row}/${cell.col}`, cell);
}
const cellOf = (row, col) => ranked.get(`${row}/${col}`) || null;
const cellsByRow = P.rows.map(() => []);
for (const cell of P.cells) cellsByRow[cell.row].push(cell);
const cellsOf = (row) => cellsByRow[row] || [];
const text = (id) => (id === null || id === undefined ? "" : P.strings[id]);

/* ---- state: everything a link must bring back lives after the # ---- */

let state = {};

function readState() {
  state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

function address(patch) {
  const next = { ...state, ...patch };
  const kept = Object.entries(next).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return "#" + new URLSearchParams(kept.sort(([a], [b]) => (a < b ? -1 : 1))).toString();
}

/* A new view is a step that "back" undoes; typing in a filter is not. */
function go(patch, step) {
  const target = address(patch);
  if (step) history.pushState(null, "", target);
  else history.replaceState(null, "", target);
  const view = state.view;
  readState();
  render(view !== state.view || patch.row !== undefined);
}

/* ---- words ---- */

const language = () => (Object.hasOwn(LANGUAGES, state.ui ?? "") && state.ui) || (/^zh\b/i.test(navigator.language) ? "zh" : "en");

function t(key, values) {
  const words = WORDS[language()][key] ?? WORDS.en[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => (values && name in values ? values[name] : whole));
}

/* ---- numbers ---- */

const missing = (x) => x === null || x === undefined || Number.isNaN(x);
const num = (x, digits = 3) => (missing(x) ? "–" : x === "inf" ? "∞" : x.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−"));
const pct = (x, digits = 0) => (missing(x) ? "–" : num(100 * x, digits) + "%");
const share = (x) => pct(x, 1).replace("100.0%", "100%");
const whole = (x) => (missing(x) ? "–" : Math.round(x).toLocaleString("en-US"));
const span = (lo, hi, digits = 3) => (missing(lo) ? "" : t("to", { lo: num(lo, digits), hi: num(hi, digits) }));
const rankText = (lo, hi) => (missing(lo) ? "–" : lo === hi ? String(lo) : `${lo}–${hi}`);

function duration(seconds) {
  if (missing(seconds)) return "–";
  if (seconds < 90) return t("seconds", { x: num(seconds, seconds < 10 ? 1 : 0) });
  return seconds < 5400 ? t("minutes", { x: num(seconds / 60, 0) }) : t("hours", { x: num(seconds / 3600, 1) });
}

/* ---- elements: text goes in as text, never as markup ---- */

const SVG = new Set(["svg", "g", "rect", "line", "circle", "path", "text", "title", "polyline"]);

function h(tag, attributes, ...children) {
  const node = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const classText = (...names) => names.filter(Boolean).join(" ");
const heading = (words) => h("h2", { tabindex: "-1", id: "view-title" }, words);
const pairs = (entries) =>
  h("dl", { class: "pairs" }, entries.filter(Boolean).map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))));
const scroller = (label, ...children) => h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, children);

function select(label, options, value, onchange, id) {
  const box = h("select", { id, onchange: (event) => onchange(event.target.value) }, options.map(([key, words]) => h("option", { value: key, selected: key === value }, words)));
  return h("label", { class: "field" }, h("span", {}, label), box);
}

/* ---- names ---- */

const rowName = (row) => P.rows[row].model;
function methodName(method) {
  const [name, arm] = method.split("/");
  const known = WORDS.en["method_" + name] ? t("method_" + name) : name;
  return arm ? `${known}: ${arm}` : known;
}
const targetName = (col) => P.columns[col].ttitle.split(":")[0].trim() || P.columns[col].target;
const questionTitle = (col) => P.columns[col].title || P.columns[col].about;
const columnName = (col) => `${questionTitle(col)} → ${targetName(col)}${P.columns[col].mark ? ` [${P.columns[col].mark}]` : ""}`;
/* Every question, the one that most models share first. */
const byFirst = () => P.columns.map((_, col) => col).sort((a, b) => (b === P.first) - (a === P.first) || a - b);
