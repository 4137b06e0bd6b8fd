// The map of the services with their rates and errors, and percentiles over time.

import { get, seldom, watch } from "./api.js";
import { chart } from "./chart.js";
import { chip, empty, failure, h, row, show, table } from "./dom.js";
import { map } from "./map.js";
import { colour, count, duration, percent } from "./units.js";

const TIMES = [[5, "5 minutes"], [15, "15 minutes"], [60, "1 hour"], [360, "6 hours"], [1440, "1 day"], [10080, "7 days"]];
const HEADS = ["service", "operation", "#requests", "#failed", "#p95"];

export async function open(main, parts, about, signal) {
  const state = { minutes: Number(parts[1]) || 15, role: "", name: "" };
  const picture = h("div", { class: "scroll mapped" });
  const operations = h("section");
  const time = h("select", { "aria-label": "Time", "data-search": true, onchange: () => { state.minutes = Number(time.value); draw(); } },
    TIMES.map(([minutes, text]) => h("option", { value: minutes, selected: minutes === state.minutes }, `Last ${text}`)));
  const role = h("select", { "aria-label": "Service", onchange: () => choose(role.value) });
  const durations = chart("Duration of requests", duration, 220, signal);
  const rates = chart("Requests and failures", count, 140, signal);
  const choose = (chosen, name = "") => {
    Object.assign(state, { role: chosen, name });
    if ([...role.options].some((option) => option.value === chosen)) role.value = chosen;
    chosenName.textContent = name ? ` · ${name}` : "";
    percentiles();
  };
  const chosenName = h("span", { class: "quiet" });
  show(main, h("div", { class: "bar" }, h("h1", null, "Services"), time),
    picture, h("div", { class: "bar" }, h("h2", null, "Percentiles", chosenName), role),
    durations.element, rates.element, operations);

  async function percentiles() {
    const found = await get("percentiles", state, signal);
    durations.draw(found.at, [
      { label: "p50", colour: "--c2", values: found.p50 }, { label: "p95", colour: "--c0", values: found.p95 },
      { label: "p99", colour: "--c4", values: found.p99, dash: [4, 3] }]);
    rates.draw(found.at, [
      { label: "requests", colour: "--c0", values: found.count, bars: true }, { label: "failed", colour: "--bad", values: found.failed, bars: true }]);
  }

  async function services() {
    const found = await get("services", { minutes: state.minutes }, signal);
    const focused = document.activeElement?.dataset?.role;
    if (found.nodes.length) show(picture, map(found, state.minutes, choose));
    else show(picture, empty("No requests in this time."));
    if (focused) picture.querySelector(`[data-role="${CSS.escape(focused)}"]`)?.focus();
    const options = ["", ...found.nodes.map((node) => node.role)];
    if (options.join() !== [...role.options].map((option) => option.value).join()) {
      show(role, options.map((each) => h("option", { value: each, selected: each === state.role }, each || "All services")));
    }
    show(operations, h("h2", null, "Operations"), table(HEADS, found.operations.map((each) => row([
      chip(each.role, colour(each.role)), each.name, count(each.count),
      each.failed ? chip(`${count(each.failed)} · ${percent(each.failed, each.count)}`, "bad") : "0", duration(each.p95),
    ], HEADS, { tabindex: 0, "data-row": true, onclick: () => choose(each.role, each.name) })), "Operations"));
  }

  async function draw() {
    try {
      await Promise.all([services(), percentiles()]);
    } catch (error) {
      if (!signal.aborted) show(picture, failure(error));
    }
  }
  await draw();
  watch({ telemetry: seldom(3000, draw, signal) }, signal);
}
