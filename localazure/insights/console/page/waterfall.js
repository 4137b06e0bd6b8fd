// One trace as a waterfall: a row for each span, its bar where it happened, what was charged and how long it waited.

import { chip, h, show, styled } from "./dom.js";
import { clock, colour, duration } from "./units.js";

const number = (text) => (text === undefined ? NaN : Number(text));

export function waterfall(told, measures, chosen) {
  const waits = measures.filter((measure) => measure.wait);
  const begin = Math.min(0, ...told.spans.map((span) => span.offset - waited(span, waits)));
  const whole = Math.max(told.milliseconds - begin, 0.001);
  const types = [...new Set(told.spans.map(kindOf))].sort();
  const hidden = new Set();
  const rows = h("div", { class: "spans", role: "list" });
  const draw = () => show(rows, ruler(whole), told.spans.filter((span) => !hidden.has(kindOf(span)))
    .map((span) => line(span, { begin, whole, measures, waits, chosen, started: told.started })));
  draw();
  const filters = types.map((type) => {
    const box = h("input", { type: "checkbox", checked: true, onchange: () => {
      if (box.checked) hidden.delete(type); else hidden.add(type);
      draw();
    } });
    return h("label", { class: "filter" }, box, type);
  });
  return h("div", { class: "waterfall" }, facts(told), h("div", { class: "filters" }, filters), rows);
}

const kindOf = (span) => (span.kind === "request" ? "requests" : span.type || "calls");

const waited = (span, waits) => waits.reduce((sum, measure) => sum + (number(span.dimensions[measure.dimension]) || 0), 0);

function facts(told) {
  const roles = [...new Set(told.spans.map((span) => span.role))];
  const failed = told.spans.filter((span) => !span.success).length;
  return h("p", { class: "facts" },
    chip(clock(told.started, true)), chip(duration(told.milliseconds), "strong"), chip(`${told.spans.length} spans`),
    told.totals.filter((total) => total.total).map((total) => chip(`${total.total} ${total.unit}`, "strong", total.dimension)),
    failed ? chip(`${failed} failed`, "bad") : chip("none failed", "good"),
    told.partial ? chip("more spans than are shown", "bad") : null,
    roles.map((role) => chip(role, colour(role))));
}

function ruler(whole) {
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) =>
    styled(h("span", null, share ? duration(whole * share) : "0"), share === 1 ? { right: "0" } : { left: `${share * 100}%` }));
  return h("div", { class: "span ruler", "aria-hidden": "true" }, h("div", { class: "name" }), h("div", { class: "track" }, marks));
}

function line(span, frame) {
  const waits = waited(span, frame.waits);
  const place = (offset, length) => ({
    left: `${((offset - frame.begin) / frame.whole) * 100}%`, width: `${(length / frame.whole) * 100}%`,
  });
  const said = frame.measures.filter((measure) => span.dimensions[measure.dimension] !== undefined)
    .filter((measure) => !(measure.unit === "delivery" && span.dimensions[measure.dimension] === "1"))
    .map((measure) => `${trimmed(span.dimensions[measure.dimension])} ${measure.unit}`);
  const label = beside((span.offset - waits - frame.begin) / frame.whole, (span.offset - frame.begin) / frame.whole,
    (span.offset - frame.begin + span.duration) / frame.whole, duration(span.duration), said.map((text) => [" · ", text]));
  const details = h("div", { class: "details", hidden: true });
  const name = styled(h("div", { class: "name" },
    h("span", { class: `dot ${colour(span.role)}`, title: span.role }),
    span.success ? null : h("span", { class: "bad", title: "failed" }, "✕ "),
    h("span", { class: span.kind === "request" ? "strong" : null }, span.name),
    span.logs.length ? h("span", { class: "count", title: "lines of the log" }, `≡${span.logs.length}`) : null,
    span.told > 1 ? h("span", { class: "count", title: "reported several times" }, `×${span.told}`) : null,
    span.orphan ? h("span", { class: "count bad", title: "its parent is not here" }, "↯") : null),
  { paddingLeft: `${Math.min(span.depth, 12) * 0.8 + 0.3}rem` });
  const element = h("div", {
    class: `span ${span.success ? "" : "failed"}`, role: "listitem", tabindex: 0, "data-row": true, "data-span": span.id,
    title: `${span.role}: ${span.name}`,
  }, name, h("div", { class: "track" },
    waits ? styled(h("i", { class: `wait ${colour(span.role)}`, title: `waited ${duration(waits)}` }), place(span.offset - waits, waits)) : null,
    styled(h("i", { class: `${span.kind} ${colour(span.role)}` }), place(span.offset, span.duration)), label));
  const toggle = () => {
    details.hidden = !details.hidden;
    element.toggleAttribute("data-open", !details.hidden);
    if (!details.hidden && !details.childElementCount) show(details, told(span, frame));
  };
  element.addEventListener("click", toggle);
  if (span.id && span.id === frame.chosen) toggle();
  return [element, details];
}

/** What is said of a bar: in it where it is long, otherwise after it, or before it where there is more room. */
export function beside(waits, begin, end, ...text) {
  const label = (name, styles) => styled(h("span", { class: `label ${name}` }, text), styles);
  if (end - begin > 0.3) return label("inside", { left: `${begin * 100}%` });
  if (end > 0.6) return label("before", { right: `${(1 - waits) * 100}%` });
  return label("after", { left: `${end * 100}%` });
}

const trimmed = (text) => (Number.isFinite(number(text)) ? String(Math.round(number(text) * 100) / 100) : text);

function told(span, frame) {
  const at = new Date(new Date(frame.started).getTime() + span.offset);
  const fields = { service: span.role, kind: span.type || span.kind, result: span.result, target: span.target, data: span.data,
    began: clock(at, true), took: duration(span.duration), ...span.dimensions, span: span.id, parent: span.parent };
  return [
    h("dl", null, Object.entries(fields).filter(([, value]) => value !== "" && value !== null)
      .map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
    span.logs.length ? h("ul", { class: "logs" }, span.logs.map((log) => h("li", { class: log.level },
      h("span", { class: "quiet" }, clock(log.at, true)), " ", log.level, " ", h("b", null, log.message), " ",
      Object.entries(log.dimensions).map(([name, value]) => h("span", { class: "field" }, `${name}=${value} `))))) : null,
  ];
}
