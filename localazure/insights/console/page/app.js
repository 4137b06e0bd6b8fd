// The page's frame: tabs, addresses, keys, light and dark. Each tab is a module that shows itself.

import { get } from "./api.js";
import { ask, failure, h, link, show } from "./dom.js";
import * as data from "./data.js";
import * as query from "./query.js";
import * as queues from "./queues.js";
import * as services from "./services.js";
import * as subjects from "./subjects.js";
import * as workflows from "./workflows.js";

const main = document.getElementById("main");
const about = await get("about").catch((error) => { show(main, failure(error)); throw error; });

// A part of this machine that has something to show adds a line here; one that does not run has no tab.
const TABS = [
  { name: "subjects", title: about.title, view: subjects, also: ["subject", "trace"] },
  { name: "services", title: "Services", view: services },
  { name: "queues", title: "Queues", view: queues },
  { name: "workflows", title: "Workflows", view: workflows },
  { name: "data", title: "Data", view: data },
  { name: "query", title: "Query", view: query },
].filter((tab) => !["queues", "workflows", "data"].includes(tab.name) || about.tabs.includes(tab.name));

const KEYS = [
  ["1 … 6", "the tabs"], ["/", "search, or the query"], ["j, k", "down and up the rows"], ["Enter", "open the row"],
  ["Esc", "back"], ["Ctrl Enter", "run the query"], ["t", "light or dark"], ["?", "these keys"],
];

let leaving = new AbortController();

async function route() {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  const name = parts[0] || TABS[0].name;
  const tab = TABS.find((each) => each.name === name || each.also?.includes(name)) || TABS[0];
  document.title = `${parts[1] || tab.title} · Console`;
  show(document.getElementById("tabs"), TABS.map((each, place) =>
    h("a", { href: link(each.name), "aria-current": each === tab ? "page" : null, title: `${each.title} (${place + 1})` },
      each.title)));
  show(main, h("p", { class: "empty" }, "…"));
  document.querySelector("#tabs [aria-current]").scrollIntoView({ block: "nearest", inline: "center" });
  main.dataset.tab = tab.name;
  try {
    await tab.view.open(main, parts, about, signal);
  } catch (error) {
    if (!signal.aborted) show(main, failure(error));
  }
}

function theme(wanted) {
  if (wanted) document.documentElement.dataset.theme = wanted;
  else delete document.documentElement.dataset.theme;
}

function turn() {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const wanted = dark ? "light" : "dark";
  localStorage.setItem("theme", wanted);
  theme(wanted);
  window.dispatchEvent(new Event("theme"));
}

function move(step) {
  const rows = [...main.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
  const at = rows.indexOf(document.activeElement.closest("[data-row]"));
  rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))]?.focus();
}

const help = () => ask("Keys", KEYS.map(([key, does]) => h("span", { class: "key" }, h("kbd", null, key), ` ${does}`)), "Good", [], null);

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input, textarea, select, dialog");
  if (event.key === "Escape" && writing && !event.target.closest("dialog")) { event.target.blur(); return; }
  if (writing || event.ctrlKey || event.metaKey || event.altKey) return;
  const place = Number(event.key);
  if (place >= 1 && place <= TABS.length) location.hash = link(TABS[place - 1].name);
  else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "t") turn();
  else if (event.key === "?") help();
  else if (event.key === "Escape") history.back();
  else if (event.key === "Enter" && document.activeElement.dataset.row !== undefined) document.activeElement.click();
  else if (event.key === "/") main.querySelector("[data-search]")?.focus();
  else return;
  event.preventDefault();
});

theme(localStorage.getItem("theme"));
document.getElementById("theme").addEventListener("click", turn);
document.getElementById("help").addEventListener("click", help);
window.addEventListener("hashchange", route);
await route();
document.documentElement.dataset.ready = "yes";
