// The application map: callers on the left, services by how far they are from them, what they call on the right.

import { svg } from "./dom.js";
import { colour, count, duration, percent } from "./units.js";

const WIDE = 190;
const HIGH = 62;
const GAP = 130;
const BETWEEN = 26;

/** An SVG of `{nodes, edges, entries}`; `open(role)` is called for a service that is chosen. */
export function map(found, minutes, open) {
  const graph = graphOf(found);
  const { width, height } = arrange(graph);
  const rate = (number) => `${(number / minutes).toFixed(number / minutes < 10 ? 1 : 0)}/min`;
  return svg("svg", { class: "map", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "Application map" },
    svg("defs", null, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" },
      svg("path", { d: "M0 0 8 4 0 8z", class: "tip" }))),
    graph.edges.map((edge) => drawn(edge, rate)),
    [...graph.nodes.values()].map((node) => box(node, rate, open)));
}

function graphOf({ nodes, edges, entries }) {
  const found = new Map();
  for (const each of nodes) found.set(`s:${each.role}`, { id: `s:${each.role}`, title: each.role || "unnamed", service: true, ...each });
  const lines = [];
  if (entries.length) found.set("callers", { id: "callers", title: "callers", caller: true });
  for (const each of entries) lines.push({ from: "callers", to: `s:${each.role}`, ...each });
  for (const each of edges) {
    if (each.type === "InProc" || each.source === each.role) continue;
    const from = `s:${each.source}`;
    const to = each.role !== null ? `s:${each.role}` : `t:${each.type}:${each.target}`;
    for (const [id, title] of [[from, each.source], [to, each.target || each.type]]) {
      if (!found.has(id)) found.set(id, { id, title, type: id.startsWith("t:") ? each.type : "", service: id.startsWith("s:"), count: 0, failed: 0 });
    }
    if (to.startsWith("t:")) {
      const target = found.get(to);
      Object.assign(target, { count: target.count + each.count, failed: target.failed + each.failed, p95: Math.max(target.p95 || 0, each.p95) });
    }
    lines.push({ from, to, ...each });
  }
  return { nodes: found, edges: lines.map((line) => ({ ...line, a: found.get(line.from), b: found.get(line.to) })) };
}

/** Places: callers, services by how far they are from those that nobody else calls, each in rows of its own, and beside it what it calls. */
function arrange({ nodes, edges }) {
  const services = [...nodes.values()].filter((node) => node.service);
  const rank = ranks(services, edges);
  const columns = [...new Set(rank.values())].sort((one, other) => one - other);
  const caller = nodes.get("callers");
  const at = (column) => 20 + (column + (caller ? 1 : 0)) * (WIDE + GAP);
  const owner = new Map();
  for (const edge of [...edges].sort((one, other) => other.count - one.count)) if (!edge.b.service && !owner.has(edge.to)) owner.set(edge.to, edge.from);
  services.sort((one, other) => rank.get(one.id) - rank.get(other.id) || one.title.localeCompare(other.title));
  let y = 20;
  for (const node of services) {
    const own = [...nodes.values()].filter((target) => owner.get(target.id) === node.id).sort((one, other) => one.title.localeCompare(other.title));
    own.forEach((target, place) => Object.assign(target, { x: at(columns.length), y: y + place * (HIGH + BETWEEN) }));
    const rows = Math.max(1, own.length) * (HIGH + BETWEEN);
    Object.assign(node, { x: at(columns.indexOf(rank.get(node.id))), y: y + (rows - BETWEEN - HIGH) / 2 });
    y += rows;
  }
  if (caller) Object.assign(caller, { x: 20, y: (y - HIGH) / 2 });
  return { width: at(columns.length + (owner.size ? 1 : 0)) - GAP + 20, height: y };
}

/** How far each service is from those that no other one calls; where each is called, from the one that is asked most from outside. */
function ranks(services, edges) {
  const between = edges.filter((edge) => edge.a.service && edge.b.service);
  const called = new Set(between.map((edge) => edge.to));
  const busiest = edges.filter((edge) => edge.a.caller).sort((one, other) => other.count - one.count)[0]?.to ?? services[0]?.id;
  const first = services.filter((node) => !called.has(node.id)).map((node) => node.id);
  const found = new Map();
  let level = first.some((id) => between.some((edge) => edge.from === id)) ? first : [busiest];
  for (let depth = 0; level.length; depth += 1) {
    for (const id of level) found.set(id, depth);
    level = [...new Set(between.filter((edge) => level.includes(edge.from) && !found.has(edge.to)).map((edge) => edge.to))];
  }
  for (const node of services) if (!found.has(node.id)) found.set(node.id, 0);
  return found;
}

function drawn(edge, rate) {
  const { a, b } = edge;
  const d = a.x === b.x ? loop(a, b) : b.x < a.x ? curve(a.x, a.y + HIGH * 0.72, b.x + WIDE, b.y + HIGH * 0.72)
    : curve(a.x + WIDE, a.y + HIGH * (b.service && a.service ? 0.32 : 0.5), b.x, b.y + HIGH * (b.service && a.service ? 0.32 : 0.5));
  const told = `${a.title} → ${b.title}: ${count(edge.count)} calls, ${rate(edge.count)}, ${percent(edge.failed, edge.count)} failed, p95 ${duration(edge.p95)}`;
  return svg("path", { d, class: `edge ${edge.failed ? "failed" : ""}`, "stroke-width": Math.min(5, 1 + Math.log10(1 + edge.count)).toFixed(1), "marker-end": "url(#tip)" },
    svg("title", null, told));
}

function curve(x1, y1, x2, y2) {
  const bend = (x2 - x1) / 2;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

/** Between two of one column: around their right sides. */
function loop(a, b) {
  const [x, y1, y2] = [a.x + WIDE, a.y + HIGH * 0.7, b.y + HIGH * 0.3];
  return `M${x} ${y1}C${x + 70} ${y1} ${x + 70} ${y2} ${x} ${y2}`;
}

function box(node, rate, open) {
  const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const line = (y, text, properties) => svg("text", { x: node.x + 14, y: node.y + y, ...properties }, text);
  if (node.caller) {
    return svg("g", { class: "node caller" }, svg("rect", { x: node.x, y: node.y, width: WIDE, height: HIGH, rx: 31 }),
      svg("text", { x: node.x + WIDE / 2, y: node.y + HIGH / 2 + 5, "text-anchor": "middle", class: "title" }, node.title));
  }
  const failed = node.count ? node.failed / node.count : 0;
  const properties = node.service
    ? { tabindex: 0, role: "button", "data-row": true, "data-role": node.title, onclick: () => open(node.role), "aria-label": `${node.title}: percentiles` }
    : {};
  return svg("g", { class: `node ${node.service ? "service" : "target"} ${node.failed ? "failed" : ""}`, ...properties },
    svg("title", null, `${node.title} ${node.type || ""}`),
    svg("rect", { x: node.x, y: node.y, width: WIDE, height: HIGH, rx: 8 }),
    node.service ? svg("rect", { x: node.x, y: node.y, width: 6, height: HIGH, rx: 3, class: `band ${colour(node.title)}` }) : null,
    line(20, cut(node.title, 24), { class: "title" }),
    line(37, node.service ? `${rate(node.count)} · p95 ${duration(node.p95)}` : cut(node.type || "", 28), { class: "quiet" }),
    line(53, node.service ? (failed ? `${percent(node.failed, node.count)} failed` : "no errors") : `${rate(node.count)} · p95 ${duration(node.p95)}`,
      { class: failed ? "bad" : "quiet" }));
}
