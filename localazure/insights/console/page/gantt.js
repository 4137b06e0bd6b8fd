// An orchestration's history as a Gantt chart: what ran from when to when, and what came in.

import { h, styled } from "./dom.js";
import { duration } from "./units.js";
import { beside } from "./waterfall.js";

/** The history's events as `{kind, name, began, ended, failed, instant}`: a task once, with when it was asked for. */
export function spans(found) {
  const last = found.history.at(-1)?.Timestamp || found.updated;
  const whole = { kind: "Orchestration", name: found.name, began: found.history[0]?.Timestamp || found.created, failed: found.status === "Failed",
    ended: ["Pending", "Running", "Suspended"].includes(found.status) ? null : last };
  const fired = new Set(found.history.filter((event) => event.EventType === "TimerFired").map((event) => event.FireAt));
  return [whole, ...found.history.filter((event) => event.EventType !== "ExecutionStarted").map((event) => one(event, fired)).filter(Boolean)];
}

function one(event, fired) {
  const { EventType: type, Timestamp: at } = event;
  const name = event.FunctionName || event.Name || "";
  if (event.ScheduledTime) return { kind: type, name, began: event.ScheduledTime, ended: at, failed: type.endsWith("Failed") };
  if (type === "TimerCreated") return fired.has(event.FireAt) ? null : { kind: "Timer", name: "not fired", began: at, ended: event.FireAt, planned: true };
  if (type === "TimerFired") return { kind: "Timer", name: "fired", began: at, ended: at, instant: true };
  if (type === "TaskScheduled" || type === "SubOrchestrationInstanceCreated") return { kind: type, name, began: at, ended: null };
  return { kind: type, name: name || event.Reason || event.OrchestrationStatus || "", began: at, ended: at, instant: true, failed: type === "ExecutionTerminated" };
}

export function gantt(bars) {
  const now = Date.now();
  const at = (moment) => new Date(moment).getTime();
  const begin = Math.min(...bars.map((bar) => at(bar.began)));
  const happened = bars.filter((bar) => !bar.planned).map((bar) => (bar.ended ? at(bar.ended) : now));
  const whole = Math.max(...happened, begin + 1) - begin;
  return h("div", { class: "spans gantt", role: "list" },
    h("div", { class: "span ruler", "aria-hidden": "true" }, h("div", { class: "name" }), h("div", { class: "track" },
      [0, 0.25, 0.5, 0.75, 1].map((share) => styled(h("span", null, share ? duration(whole * share) : "0"), share === 1 ? { right: "0" } : { left: `${share * 100}%` })))),
    bars.map((bar) => {
      const left = ((at(bar.began) - begin) / whole) * 100;
      const end = Math.min(100, (((bar.ended ? at(bar.ended) : now) - begin) / whole) * 100);
      const kind = [bar.kind === "Orchestration" ? "c0" : bar.kind.startsWith("Timer") ? "c3" : bar.instant ? "c5" : "c2",
        bar.failed ? "failing" : "", bar.ended ? "" : "open", bar.planned ? "planned" : "", bar.instant ? "instant" : "request"].join(" ");
      const took = bar.instant ? `+${duration(at(bar.began) - begin)}` : bar.ended ? duration(at(bar.ended) - at(bar.began)) : "under way";
      const label = beside(left / 100, bar.instant || bar.planned || !bar.ended ? end / 100 : left / 100, end / 100, took);
      return h("div", { class: "span", role: "listitem", title: `${bar.kind} ${bar.name}` },
        h("div", { class: "name" }, h("span", { class: "quiet" }, bar.kind), " ", h("b", null, bar.name)),
        h("div", { class: "track" }, styled(h("i", { class: kind }), { left: `${left}%`, width: `${Math.max(0, end - left)}%` }),
          bar.planned ? null : label));
    }));
}
