// How deep the queues are, what lies in them and why, and sending a dead letter again.

import { get, post, watch } from "./api.js";
import { ask, chip, empty, failure, h, link, row, say, show, table, textOf } from "./dom.js";
import { count, moment } from "./units.js";

const HEADS = ["topic", "queue or subscription", "#active", "#scheduled", "#dead letters"];

export async function open(main, parts, about, signal) {
  if (parts[1]) return messages(main, parts[1], parts[2] !== "active", signal);
  const body = h("section");
  show(main, h("div", { class: "bar" }, h("h1", null, "Queues")), body);
  show(body, empty("Asking Service Bus …"));
  watch({ queues: (found) => depths(body, found) }, signal);
}

function depths(place, found) {
  if (found.error) return show(place, failure({ message: found.error }));
  if (!found.length) return show(place, empty("Service Bus has no queues and no subscriptions."));
  const focused = document.activeElement?.dataset?.entity;
  const most = Math.max(1, ...found.map((each) => each.active));
  const rows = found.map((each) => row([
    each.topic, h("a", { href: link("queues", each.entity) }, each.name),
    h("span", { class: "depth" }, h("progress", { max: most, value: each.active, "aria-label": "active" }), ` ${count(each.active)}`),
    count(each.scheduled), each.dead ? chip(count(each.dead), "bad") : "0",
  ], HEADS, {
    tabindex: 0, "data-row": true, "data-entity": each.entity,
    onclick: () => { location.hash = link("queues", each.entity, each.dead ? "dead" : "active"); },
  }));
  const dead = found.reduce((sum, each) => sum + each.dead, 0);
  show(place, h("p", { class: "facts" }, chip(`${count(found.reduce((sum, each) => sum + each.active, 0))} active`),
    dead ? chip(`${count(dead)} dead letters`, "bad") : chip("no dead letters", "good")), table(HEADS, rows, "Queues"));
  if (focused) place.querySelector(`[data-entity="${CSS.escape(focused)}"]`)?.focus();
  return null;
}

const LETTER = ["#number", "label", "message id", "enqueued", "#deliveries", "why", ""];

async function messages(main, entity, dead, signal) {
  const body = h("section");
  const tab = (name, title) => h("a", { href: link("queues", entity, name), "aria-current": (name === "dead") === dead ? "page" : null }, title);
  show(main, h("div", { class: "bar" }, h("a", { href: link("queues") }, "← Queues"), h("h1", null, entity.replace("/subscriptions/", " / ")),
    h("nav", { class: "choice" }, tab("dead", "Dead letters"), tab("active", "Active"))), body);
  let since = 1;
  let depth;
  const look = async () => {
    try {
      const found = await get("messages", { entity, dead, since }, signal);
      draw(found);
    } catch (error) {
      if (!signal.aborted) show(body, failure(error));
    }
  };
  const draw = (found) => {
    const opened = new Set([...body.querySelectorAll("tr.details:not([hidden])")].map((each) => each.dataset.of));
    if (!found.length) return show(body, empty(dead ? "No dead letters." : "No messages wait."),
      since > 1 ? h("button", { type: "button", onclick: () => { since = 1; look(); } }, "From the first") : null);
    show(body, table(LETTER, found.map((each) => lines(each, entity, dead, opened.has(String(each.sequence)), look)), "Messages"),
      h("p", { class: "buttons" },
        since > 1 ? h("button", { type: "button", onclick: () => { since = 1; look(); } }, "From the first") : null,
        found.length >= 50 ? h("button", { type: "button", onclick: () => { since = found.at(-1).sequence + 1; look(); } }, "Further") : null));
    return null;
  };
  await look();
  watch({ queues: (found) => {
    const mine = Array.isArray(found) && found.find((each) => each.entity === entity);
    const now = mine && `${mine.active} ${mine.dead}`;
    if (depth !== undefined && now !== depth) look();
    depth = now;
  } }, signal);
}

function lines(message, entity, dead, opened, look) {
  const details = h("tr", { class: "details", hidden: !opened, "data-of": message.sequence },
    h("td", { colspan: LETTER.length }, letter(message)));
  const again = async (event) => {
    event.stopPropagation();
    const sure = await ask("Send it again?", ["A copy of ", h("b", null, message.subject || message.id || "this message"),
      " goes to where it came from under a new message id, and the dead letter is removed. A subscription without a rule for what is addressed to it shares it with the others of its topic."], "Send again");
    if (!sure) return;
    try {
      const { id } = await post("send-again", { entity, sequence: message.sequence });
      say(`Sent again as ${id}`);
    } catch (error) {
      say(error.message, "bad");
    }
    look();
  };
  const first = row([
    message.sequence, message.subject, h("span", { class: "mono" }, message.id), moment(message.enqueued), message.deliveries,
    dead ? h("span", { class: "bad" }, message.reason || "–") : "",
    dead ? h("button", { type: "button", class: "act", onclick: again, onkeydown: (event) => event.stopPropagation() }, "Send again") : null,
  ], LETTER, { tabindex: 0, "data-row": true, "data-sequence": message.sequence, onclick: () => { details.hidden = !details.hidden; } });
  return [first, details];
}

function letter(message) {
  const fields = { why: message.description, session: message.session, correlation: message.correlation, type: message.type,
    bytes: count(message.bytes), ...message.properties };
  return [
    h("dl", null, Object.entries(fields).filter(([, value]) => value).map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
    h("pre", { class: "json" }, textOf(message.body)), message.partial ? empty("The body is longer than this.") : null,
  ];
}
