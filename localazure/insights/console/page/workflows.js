// Durable instances by status; one with its history as a Gantt chart; terminating it, and raising an event.

import { get, post, seldom, watch } from "./api.js";
import { ask, chip, empty, failure, h, json, link, row, say, show, table } from "./dom.js";
import { gantt, spans } from "./gantt.js";
import { clock, count, duration, moment } from "./units.js";

const HEADS = ["instance", "orchestrator", "status", "created", "#age"];
const OPEN = ["Pending", "Running", "Suspended"];
const KIND = { Running: "strong", Completed: "good", Failed: "bad", Terminated: "bad", Canceled: "bad" };

export async function open(main, parts, about, signal) {
  if (parts[2]) return instance(main, parts[1], parts[2], signal);
  const state = { status: "", prefix: "", minutes: 60 };
  const body = h("section");
  const input = h("input", { type: "search", placeholder: "Instances whose id begins with …", "aria-label": "Instance id", "data-search": true,
    maxlength: 100, spellcheck: "false", oninput: () => { state.prefix = input.value.trim(); look(); } });
  const time = h("select", { "aria-label": "Time", onchange: () => { state.minutes = Number(time.value); look(); } },
    [[15, "15 minutes"], [60, "1 hour"], [1440, "1 day"], [43200, "30 days"]].map(([minutes, text]) =>
      h("option", { value: minutes, selected: minutes === state.minutes }, `Last ${text}`)));
  const look = seldom(400, async () => {
    try {
      draw(body, await get("workflows", state, signal), state, look);
    } catch (error) {
      if (!signal.aborted) show(body, failure(error));
    }
  }, signal);
  show(main, h("div", { class: "bar" }, h("h1", null, "Workflows"), input, time), body);
  await look();
  watch({ workflows: look }, signal);
}

function draw(place, found, state, look) {
  const focused = document.activeElement?.dataset?.instance;
  const filters = Object.entries(found.counts).filter(([name, number]) => number || name === state.status || OPEN.includes(name)).map(([name, number]) =>
    h("button", { type: "button", class: `chip ${number ? KIND[name] || "" : ""}`, "aria-pressed": String(name === state.status), onclick: () => {
      state.status = state.status === name ? "" : name;
      look();
    } }, `${name} ${count(number)}`));
  const rows = found.instances.map((each) => row([
    h("a", { class: "mono", href: link("workflows", each.host, each.id) }, each.id), each.name, chip(each.status, KIND[each.status]),
    moment(each.created), duration(new Date(OPEN.includes(each.status) ? Date.now() : each.updated) - new Date(each.created)),
  ], HEADS, { tabindex: 0, "data-row": true, "data-instance": each.id, onclick: () => { location.hash = link("workflows", each.host, each.id); } }));
  show(place, h("p", { class: "facts" }, filters), rows.length ? table(HEADS, rows, "Instances") : empty("No instance of this kind in this time."),
    found.partial ? empty("There are more than are shown.") : null);
  if (focused) place.querySelector(`[data-instance="${CSS.escape(focused)}"]`)?.focus();
}

async function instance(main, host, id, signal) {
  const body = h("section");
  const actions = h("div", { class: "buttons" });
  show(main, h("div", { class: "bar" }, h("a", { href: link("workflows") }, "← Workflows"), h("h1", { class: "mono" }, id), actions), body);
  let shown = "";
  let open = true;
  const look = async () => {
    try {
      const found = await get("workflow", { host, id }, signal);
      open = OPEN.includes(found.status);
      const text = JSON.stringify(found);
      if (text === shown) return;
      shown = text;
      show(actions, open ? doable(host, id, look) : null);
      show(body, details(found));
    } catch (error) {
      if (!signal.aborted) show(body, failure(error));
    }
  };
  await look();
  watch({ workflows: seldom(1000, look, signal) }, signal);
  // what one instance hears is no news to the list of all
  const timer = setInterval(() => open && look(), 1500);
  signal.addEventListener("abort", () => clearInterval(timer));
}

function details(found) {
  const heads = ["event", "name", "began", "ended", "#took"];
  const bars = spans(found);
  return [
    h("p", { class: "facts" }, chip(found.status, KIND[found.status]), chip(found.name), chip(`created ${moment(found.created)}`),
      chip(`updated ${moment(found.updated)}`), found.host === "functions" ? null : chip(found.host)),
    gantt(bars),
    h("details", { open: true }, h("summary", null, `History · ${found.history.length} events`), table(heads, bars.map((each) => row([
      each.kind, each.name, clock(each.began, true), each.ended ? clock(each.ended, true) : "–", each.ended ? duration(new Date(each.ended) - new Date(each.began)) : "–",
    ], heads)), "History")),
    [["Input", found.input], ["Custom status", found.custom], ["Output", found.output]].filter(([, value]) => value !== null && value !== undefined)
      .map(([title, value]) => h("details", null, h("summary", null, title), json(value))),
    h("details", null, h("summary", null, "History as JSON"), json(found.history)),
  ];
}

function doable(host, id, look) {
  const act = async (name, body, told) => {
    try {
      await post(name, { host, id, ...body });
      say(told);
    } catch (error) {
      say(error.message, "bad");
    }
    look();
  };
  const raise = async () => {
    const given = await ask("Raise an event?", "The instance hears it as if the app had raised it.", "Raise event",
      [{ name: "name", label: "Name" }, { name: "data", label: "Data, as JSON", value: "null", rows: 4 }]);
    if (!given) return;
    let data;
    try {
      data = JSON.parse(given.data);
    } catch (error) {
      say(`The data is not JSON: ${error.message}`, "bad");
      return;
    }
    await act("raise", { name: given.name, data }, `Raised ${given.name}`);
  };
  const terminate = async () => {
    const given = await ask("Terminate it?", "The instance ends where it is; what it has begun is not undone.", "Terminate", [{ name: "reason", label: "Reason" }]);
    if (given) await act("terminate", { reason: given.reason }, "Asked to end");
  };
  return [h("button", { type: "button", class: "act", onclick: raise }, "Raise event …"),
    h("button", { type: "button", class: "act danger", onclick: terminate }, "Terminate …")];
}
