// What a user of @azure/cosmos does, against the server at COSMOS_URL.

import assert from "node:assert/strict";
import { CosmosClient } from "@azure/cosmos";
import { atEnd, fresh, probe, refused, run } from "./probes.mjs";

const { COSMOS_URL, COSMOS_KEY } = process.env;
const client = new CosmosClient({ endpoint: COSMOS_URL, key: COSMOS_KEY });
atEnd(() => client.dispose());

const { database } = await client.databases.createIfNotExists({ id: "probes" });

async function container(definition = {}) {
  const made = await database.containers.create({ id: fresh("things"), partitionKey: "/kind", ...definition });
  return made.container;
}

probe("a database is made, read, listed and deleted", async () => {
  const id = fresh("base");
  const made = await client.databases.create({ id });
  assert.equal(made.statusCode, 201);
  assert.equal((await made.database.read()).resource.id, id);
  const { resources } = await client.databases.readAll().fetchAll();
  assert.ok(resources.some((each) => each.id === id));
  assert.equal((await made.database.delete()).statusCode, 204);
  assert.equal((await refused(made.database.read())).code, 404);
});

probe("a container is made, read, listed and deleted", async () => {
  const things = await container();
  const { resource } = await things.read();
  assert.deepEqual(resource.partitionKey.paths, ["/kind"]);
  const { resources } = await database.containers.readAll().fetchAll();
  assert.ok(resources.some((each) => each.id === things.id));
  assert.equal((await things.delete()).statusCode, 204);
  assert.equal((await refused(things.read())).code, 404);
});

probe("an item is made, read, replaced and deleted", async () => {
  const things = await container();
  const made = await things.items.create({ id: "1", kind: "a", n: 1 });
  assert.equal(made.statusCode, 201);
  assert.equal((await things.item("1", "a").read()).resource.n, 1);
  await made.item.replace({ id: "1", kind: "a", n: 2 });
  assert.equal((await things.item("1", "a").read()).resource.n, 2);
  assert.equal((await made.item.delete()).statusCode, 204);
  assert.equal((await things.item("1", "a").read()).statusCode, 404);
});

await run();
