// Finding what an item is about, and everything that happened to it: a timeline, and a waterfall for each trace.

import { get, seldom, watch } from "./api.js";
import { chip, empty, failure, h, link, row, show, table } from "./dom.js";
import { clock, colour, count, duration, moment } from "./units.js";
import { waterfall } from "./waterfall.js";

export async function open(main, parts, about, signal) {
  if (parts[0] === "subject") return subject(main, parts[1], about, signal);
  if (parts[0] === "trace") return trace(main, parts[1], about, signal);
  return search(main, parts[1] || "", about, signal);
}

const HEADS = ["id", "first seen", "#took", "#requests", "#failed", "services", "#traces"];

async function search(main, text, about, signal) {
  const by = [about.title === "Traces" ? null : "id", ...about.lookups, "trace id"].filter(Boolean).join(", ");
  const found = h("section", { "aria-live": "polite" });
  const input = h("input", {
    type: "search", value: text, placeholder: `Search by ${by}`, "aria-label": `Search by ${by}`, "data-search": true,
    autocomplete: "off", spellcheck: "false", maxlength: 200,
  });
  let wanted = text;
  const look = async () => {
    const asked = wanted;
    try {
      const answer = await get("search", { text: asked }, signal);
      if (asked === wanted) showFound(found, answer, asked, about);
    } catch (error) {
      if (!signal.aborted) show(found, failure(error));
    }
  };
  let timer;
  input.addEventListener("input", () => {
    wanted = input.value.trim();
    clearTimeout(timer);
    timer = setTimeout(look, 120);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") found.querySelector("[data-row]")?.click();
    if (event.key === "ArrowDown") found.querySelector("[data-row]")?.focus();
  });
  show(main, h("div", { class: "bar" }, input), found);
  await look();
  watch({ telemetry: seldom(2000, () => (wanted ? null : look()), signal) }, signal);
}

function showFound(place, answer, text, about) {
  if (answer.trace) {
    const go = h("a", { class: "row", "data-row": true, href: link("trace", answer.trace) }, `Trace ${answer.trace}`);
    show(place, h("h2", null, "Found"), go);
    return;
  }
  if (!answer.subjects.length) {
    show(place, empty(text ? `Nothing is known of “${text}”.` : "Nothing has been told yet. Telemetry comes some seconds after it happened."));
    return;
  }
  const focused = document.activeElement?.dataset?.subject;
  const rows = answer.subjects.map((each) => row([
    h("a", { href: link("subject", each.subject) }, each.subject),
    moment(each.first),
    duration(new Date(each.last) - new Date(each.first)),
    count(each.requests),
    each.failed ? chip(count(each.failed), "bad") : "0",
    each.services.map((name) => chip(name, colour(name))),
    count(each.traces),
  ], HEADS, {
    tabindex: 0, "data-row": true, "data-subject": each.subject,
    onclick: () => { location.hash = link("subject", each.subject); },
  }));
  const title = answer.by ? `By ${answer.by}` : text ? "Found" : `Latest ${about.title.toLowerCase()}`;
  show(place, h("h2", null, title), table(HEADS, rows, title));
  if (focused) place.querySelector(`[data-subject="${CSS.escape(focused)}"]`)?.focus();
}

async function subject(main, id, about, signal) {
  const body = h("section");
  show(main, h("div", { class: "bar" }, h("a", { href: link("subjects") }, `← ${about.title}`), h("h1", null, id)), body);
  let shown = 0;
  const look = async () => {
    try {
      const told = await get("subject", { id }, signal);
      const spans = told.traces.reduce((sum, each) => sum + each.spans.length + each.logs.length, 0);
      if (spans === shown) return;
      shown = spans;
      const chosen = body.querySelector("[data-open]")?.dataset.span;
      show(body, timeline(told.traces, about), told.traces.map((each, place) => section(each, place, about, chosen)));
    } catch (error) {
      if (!signal.aborted && !shown) show(body, failure(error));
    }
  };
  await look();
  watch({ telemetry: seldom(2000, look, signal) }, signal);
}

async function trace(main, id, about, signal) {
  show(main, h("div", { class: "bar" }, h("a", { href: link("subjects") }, `← ${about.title}`), h("h1", null, "Trace ", id)));
  const told = await get("trace", { id }, signal);
  main.append(timeline([told], about), section(told, 0, about));
}

function section(told, place, about, chosen) {
  return h("section", { class: "trace" },
    h("h2", null, place ? "Another trace" : "Trace", " ", h("a", { class: "mono", href: link("trace", told.trace) }, told.trace)),
    waterfall(told, about.measures, chosen));
}

/** Requests and lines of the log in the order of time, each with the time since the first. */
function timeline(traces) {
  const happened = [];
  for (const told of traces) {
    const begun = new Date(told.started).getTime();
    for (const span of told.spans) {
      const at = begun + span.offset;
      if (span.kind === "request") happened.push({ at, role: span.role, text: span.name, ok: span.success, note: `${span.result} · ${duration(span.duration)}` });
      for (const log of span.logs) happened.push(line(log));
    }
    for (const log of told.logs) happened.push(line(log));
  }
  happened.sort((one, other) => one.at - other.at);
  const first = happened[0]?.at ?? 0;
  const heads = ["", "#since", "service", "what", ""];
  const rows = happened.map((each) => row([
    h("span", { class: "quiet" }, clock(each.at, true)), `+${duration(Math.max(0, each.at - first))}`, chip(each.role, colour(each.role)),
    h("span", { class: each.log ? "log" : "strong" }, each.text), h("span", { class: each.ok ? "quiet" : "bad" }, each.note),
  ], heads));
  return h("details", { class: "timeline", open: true }, h("summary", null, `Timeline · ${happened.length} entries`), table(heads, rows, "Timeline"));
}

function line(log) {
  const fields = Object.entries(log.dimensions).filter(([name]) => name !== "event").map(([name, value]) => `${name} ${value}`);
  const ok = !["error", "critical"].includes(log.level);
  return { at: new Date(log.at).getTime(), role: log.role, text: log.message, ok, log: true, note: ok ? "" : fields.join(", ") };
}
