// Containers of Cosmos DB, their items, and a query box that reads.

import { get, post } from "./api.js";
import { chip, empty, failure, h, json, link, show, table, row } from "./dom.js";

export async function open(main, parts, about, signal) {
  const [, database, container] = parts;
  const containers = await get("containers", {}, signal);
  const list = h("nav", { class: "side", "aria-label": "Containers" }, [...new Set(containers.map((each) => each.database))].map((name) => [
    h("h3", null, name), containers.filter((each) => each.database === name).map((each) => h("a", {
      href: link("data", each.database, each.container), "data-row": true,
      "aria-current": each.database === database && each.container === container ? "page" : null,
    }, each.container))]));
  const body = h("section", { class: "beside" });
  show(main, h("div", { class: "bar" }, h("h1", null, "Data"), h("span", { class: "quiet" }, "read only")), h("div", { class: "split" }, list, body));
  const chosen = containers.find((each) => each.database === database && each.container === container);
  if (chosen) await items(body, chosen, signal);
  else show(body, empty(containers.length ? "Choose a container." : "The account has no containers."));
}

async function items(place, { database, container, partition_key: key }, signal) {
  const result = h("div");
  const text = h("textarea", { rows: 3, spellcheck: "false", "aria-label": "Query", "data-search": true }, "SELECT * FROM c");
  const run = async (continuation, before = []) => {
    show(result, h("p", { class: "empty" }, "…"));
    try {
      const found = await post("documents", { database, container, query: text.value, continuation }, signal);
      const all = [...before, ...found.items];
      show(result, h("p", { class: "facts" }, chip(`${all.length} items`), chip(`${found.charge} RU`)), all.length ? listed(all, key) : empty("Nothing is found."),
        found.continuation ? h("button", { type: "button", onclick: () => run(found.continuation, all) }, "More") : null);
    } catch (error) {
      if (!signal.aborted) show(result, failure(error));
    }
  };
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  show(place, h("h2", null, `${database} / ${container}`, " ", h("span", { class: "quiet" }, `partition key ${key.join(", ")}`)),
    h("div", { class: "ask" }, text, h("button", { type: "button", id: "run", title: "Ctrl Enter", onclick: () => run() }, "Run")), result);
  await run();
}

function listed(found, key) {
  const plain = found.some((each) => each === null || typeof each !== "object" || Array.isArray(each));
  if (plain) return json(found);
  const path = (key[0] || "/id").replace(/^\//, "");
  const heads = ["id", ...(path === "id" ? [] : [path]), "item"];
  const rows = found.map((each) => {
    const details = h("tr", { class: "details", hidden: true }, h("td", { colspan: heads.length }));
    const show_ = () => {
      details.hidden = !details.hidden;
      if (!details.hidden) show(details.firstChild, json(each));
    };
    const short = JSON.stringify(Object.fromEntries(Object.entries(each).filter(([name]) => !name.startsWith("_") && name !== "id" && name !== path)));
    return [row([h("span", { class: "mono" }, each.id ?? "–"), ...(path === "id" ? [] : [h("span", { class: "mono" }, String(each[path] ?? "–"))]),
      h("span", { class: "one quiet mono" }, short.slice(0, 300))], heads, { tabindex: 0, "data-row": true, onclick: show_ }), details];
  });
  return table(heads, rows, "Items");
}
