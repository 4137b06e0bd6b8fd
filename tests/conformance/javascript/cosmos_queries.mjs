// Queries over all partitions with @azure/cosmos, which asks for a plan and merges: against the server at COSMOS_URL.

import assert from "node:assert/strict";
import { CosmosClient } from "@azure/cosmos";
import { atEnd, fresh, probe, refused, run } from "./probes.mjs";

const { COSMOS_URL, COSMOS_KEY } = process.env;
const client = new CosmosClient({ endpoint: COSMOS_URL, key: COSMOS_KEY });
atEnd(() => client.dispose());

const { database } = await client.databases.createIfNotExists({ id: "queries" });
const partitionKey = { paths: ["/kind"], version: 2 };
const { container: things } = await database.containers.create({ id: fresh("things"), partitionKey });
const items = Array.from({ length: 60 }, (_, n) => ({
  id: `i${String(n).padStart(2, "0")}`,
  kind: `k${n % 5}`,
  n: n % 7,
  price: n * 1.5,
  s: "ab"[n % 2],
  tags: [n, `t${n % 3}`],
}));
for (const item of items) await things.items.create(item);

async function found(query, options = {}) {
  return (await things.items.query(query, { maxItemCount: 7, ...options }).fetchAll()).resources;
}

async function paged(query, maxItemCount) {
  const iterator = things.items.query(query, { maxItemCount });
  const all = [];
  while (iterator.hasMoreResults()) all.push(...((await iterator.fetchNext()).resources ?? []));
  return all;
}

const ids = (rows) => rows.map((row) => row.id ?? row);
const upwards = [...items].sort((a, b) => a.n - b.n || (a.id < b.id ? -1 : 1));

probe("sorted results are merged", async () => {
  assert.deepEqual(ids(await found("SELECT * FROM c ORDER BY c.n, c.id")), ids(upwards));
});

probe("results sorted downwards are merged", async () => {
  assert.deepEqual(ids(await found("SELECT * FROM c ORDER BY c.n DESC, c.id DESC")), ids(upwards).reverse());
});

probe("no row of a sorted query is lost or repeated over pages", async () => {
  for (const direction of ["ASC", "DESC"]) {
    const all = ids(await paged(`SELECT * FROM c ORDER BY c.n ${direction}`, 4));
    assert.equal(all.length, 60);
    assert.equal(new Set(all).size, 60);
  }
});

probe("a sorted query of one partition goes on from a continuation token", async () => {
  const all = [];
  let continuationToken;
  do {
    const options = { partitionKey: "k3", maxItemCount: 5, continuationToken };
    const page = await things.items.query("SELECT * FROM c ORDER BY c.n DESC", options).fetchNext();
    all.push(...page.resources);
    ({ continuationToken } = page);
  } while (continuationToken);
  assert.equal(new Set(ids(all)).size, 12);
  assert.equal(all.length, 12);
});

probe("a sorted query of all partitions goes on from a continuation token", async () => {
  const query = "SELECT * FROM c ORDER BY c.n DESC";
  const all = [];
  let continuationToken;
  do {
    const options = { maxItemCount: 9, continuationToken, enableQueryControl: true };
    const page = await things.items.query(query, options).fetchNext();
    all.push(...(page.resources ?? []));
    ({ continuationToken } = page);
  } while (continuationToken);
  assert.equal(all.length, 60);
  assert.equal(new Set(ids(all)).size, 60);
});

probe("aggregates are merged", async () => {
  assert.deepEqual(await found("SELECT VALUE COUNT(1) FROM c"), [60]);
  assert.deepEqual(await found("SELECT VALUE SUM(c.price) FROM c"), [2655]);
  assert.deepEqual(await found("SELECT VALUE AVG(c.price) FROM c"), [44.25]);
  assert.deepEqual(await found("SELECT VALUE MIN(c.price) FROM c"), [0]);
  assert.deepEqual(await found("SELECT VALUE MAX(c.id) FROM c"), ["i59"]);
});

probe("aggregates in an object are merged", async () => {
  const query = "SELECT COUNT(1) AS k, MAX(c.n) AS m FROM c";
  assert.deepEqual(await found(query), [{ k: 60, m: 6 }]);
});

probe("groups are merged", async () => {
  const query = "SELECT c.s, COUNT(1) AS k, AVG(c.n) AS mean, MIN(c.price) AS least FROM c GROUP BY c.s";
  const rows = (await found(query)).sort((one, other) => (one.s < other.s ? -1 : 1));
  assert.deepEqual(rows.map(({ s, k, least }) => ({ s, k, least })), [
    { s: "a", k: 30, least: 0 },
    { s: "b", k: 30, least: 1.5 },
  ]);
  const even = items.filter((item) => item.s === "a");
  assert.ok(Math.abs(rows[0].mean - even.reduce((sum, item) => sum + item.n, 0) / 30) < 1e-9);
});

probe("values of groups are merged", async () => {
  assert.deepEqual((await found("SELECT VALUE c.s FROM c GROUP BY c.s")).sort(), ["a", "b"]);
});

probe("distinct results are of the whole", async () => {
  assert.deepEqual((await found("SELECT DISTINCT VALUE c.kind FROM c")).sort(), ["k0", "k1", "k2", "k3", "k4"]);
  assert.deepEqual(await found("SELECT DISTINCT VALUE c.s FROM c ORDER BY c.s"), ["a", "b"]);
});

probe("TOP, OFFSET and LIMIT are of the whole", async () => {
  assert.deepEqual(await found("SELECT TOP 3 VALUE c.price FROM c ORDER BY c.price DESC"), [88.5, 87, 85.5]);
  assert.deepEqual(await found("SELECT VALUE c.price FROM c ORDER BY c.price OFFSET 2 LIMIT 3"), [3, 4.5, 6]);
  assert.equal((await found("SELECT TOP 11 * FROM c")).length, 11);
  assert.equal((await found("SELECT * FROM c OFFSET 50 LIMIT 20")).length, 10);
});

probe("parameters reach the plan", async () => {
  const parameters = [
    { name: "@least", value: 3 },
    { name: "@many", value: 4 },
  ];
  const query = "SELECT TOP @many VALUE c.id FROM c WHERE c.n >= @least ORDER BY c.price";
  assert.deepEqual(await found({ query, parameters }), ["i03", "i04", "i05", "i06"]);
});

probe("a filter on the partition key spares the others", async () => {
  const query = "SELECT VALUE c.id FROM c WHERE c.kind IN ('k1', 'k2') ORDER BY c.price OFFSET 1 LIMIT 3";
  assert.deepEqual(await found(query), ["i02", "i06", "i07"]);
});

probe("rows of a JOIN are sorted and merged", async () => {
  const query = "SELECT VALUE c.price FROM c JOIN t IN c.tags WHERE IS_NUMBER(t) ORDER BY c.price DESC";
  assert.deepEqual((await found(query)).slice(0, 3), [88.5, 87, 85.5]);
});

probe("a query that is wrong is refused with its place", async () => {
  const error = await refused(found("SELECT c.order FROM c"));
  assert.equal(error.code, 400);
  assert.match(error.message, /SC1001/);
});

await run();
