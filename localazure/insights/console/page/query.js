// Kusto queries over the telemetry: a table, a chart where there is time, and the saved queries.

import { post } from "./api.js";
import { chart } from "./chart.js";
import { chip, empty, failure, h, row, show, table } from "./dom.js";
import { count, moment } from "./units.js";

const FIRST = "requests\n| summarize requests = count(), p95 = percentile(duration, 95), failed = countif(success == 'False')\n    by name, cloud_RoleName\n| order by requests desc";
const TIMES = [["", "All time"], ["PT15M", "Last 15 minutes"], ["PT1H", "Last hour"], ["P1D", "Last day"], ["P7D", "Last 7 days"]];
const NUMBERS = ["int", "long", "real", "decimal"];
const MOST = 1000;

export async function open(main, parts, about, signal) {
  const result = h("section", { "aria-live": "polite" });
  const text = h("textarea", { rows: 9, spellcheck: "false", "aria-label": "Query", "data-search": true }, sessionStorage.getItem("query") || FIRST);
  const time = h("select", { "aria-label": "Time" }, TIMES.map(([value, name]) => h("option", { value }, name)));
  const note = h("p", { class: "quiet" });
  const saved = h("select", { "aria-label": "Saved queries", id: "saved", onchange: () => {
    const chosen = about.queries.find((each) => each.name === saved.value);
    if (!chosen) return;
    text.value = chosen.text;
    note.textContent = chosen.about;
    run();
  } }, h("option", { value: "" }, about.queries.length ? "Saved queries …" : "No saved queries"), about.queries.map((each) => h("option", { value: each.name }, each.name)));
  const run = async () => {
    sessionStorage.setItem("query", text.value);
    show(result, h("p", { class: "empty" }, "…"));
    const began = performance.now();
    try {
      const answer = await post("query", { query: text.value, timespan: time.value || null }, signal);
      answered(result, answer, performance.now() - began, signal);
    } catch (error) {
      if (!signal.aborted) refused(result, error, text);
    }
  };
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
  });
  show(main, h("div", { class: "bar" }, h("h1", null, "Query"), saved, time, h("button", { type: "button", id: "run", title: "Ctrl Enter", onclick: run }, "Run")),
    note, text, result);
}

function refused(place, error, text) {
  show(place, failure({ message: error.line ? `Line ${error.line}, column ${error.column + 1}: ${error.message}` : error.message }));
  if (!error.line) return;
  const lines = text.value.split("\n");
  const at = lines.slice(0, error.line - 1).reduce((sum, each) => sum + each.length + 1, 0) + (error.column || 0);
  text.focus();
  text.setSelectionRange(at, at);
}

function answered(place, answer, took, signal) {
  const { columns, rows } = answer.tables[0];
  const heads = columns.map((column) => (NUMBERS.includes(column.type) ? `#${column.name}` : column.name));
  const drawn = charted(columns, rows, signal);
  show(place, h("p", { class: "facts" }, chip(`${count(rows.length)} rows`), chip(`${took.toFixed(0)} ms`),
    answer.error ? chip("more than can be answered", "bad") : null, rows.length > MOST ? chip(`the first ${count(MOST)} are shown`) : null),
  drawn?.element,
  rows.length ? table(heads, rows.slice(0, MOST).map((each) => row(each.map((value, at) => cell(value, columns[at].type)), heads)), "Answer") : empty("No rows."));
  drawn?.draw();
}

function cell(value, type) {
  if (value === null || value === undefined) return "";
  if (type === "datetime") return moment(value);
  if (type === "real") return Number.isFinite(value) ? String(Math.round(value * 1000) / 1000) : String(value);
  if (typeof value === "object") return h("span", { class: "mono" }, JSON.stringify(value));
  return String(value);
}

/** The first datetime is the time; a text beside it makes a series of each of its values. */
function charted(columns, rows, signal) {
  const time = columns.findIndex((column) => column.type === "datetime");
  const numbers = columns.map((column, place) => place).filter((place) => NUMBERS.includes(columns[place].type));
  if (time < 0 || !numbers.length || rows.length < 2) return null;
  const by = columns.findIndex((column) => column.type === "string");
  const at = [...new Set(rows.map((each) => new Date(each[time]).getTime() / 1000))].filter(Number.isFinite).sort((one, other) => one - other);
  if (at.length < 2) return null;
  const place = new Map(at.map((moment, index) => [moment, index]));
  const series = new Map();
  for (const each of rows) {
    for (const number of numbers) {
      const name = [by < 0 ? null : each[by], numbers.length > 1 || by < 0 ? columns[number].name : null].filter((part) => part !== null).join(" · ");
      if (!series.has(name)) series.set(name, new Array(at.length).fill(null));
      series.get(name)[place.get(new Date(each[time]).getTime() / 1000)] = each[number];
    }
  }
  const shown = [...series].slice(0, 8).map(([label, values], index) => ({ label, values, colour: `--c${index}` }));
  const made = chart("Over time", (value) => (Math.abs(value) >= 1000 ? count(Math.round(value)) : String(Math.round(value * 100) / 100)), 240, signal);
  return { element: made.element, draw: () => made.draw(at, shown) };
}
