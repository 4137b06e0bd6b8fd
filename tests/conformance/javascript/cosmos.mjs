// What a user of @azure/cosmos does, against the server at COSMOS_URL.

import assert from "node:assert/strict";
import {
  BulkOperationType,
  ChangeFeedStartFrom,
  CosmosClient,
  PartitionKeyBuilder,
  PartitionKeyDefinitionVersion,
  PartitionKeyKind,
} from "@azure/cosmos";
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


async function filled(count, definition = {}) {
  const things = await container(definition);
  for (let n = 0; n < count; n += 1) {
    await things.items.create({ id: `${n}`, kind: `k${n % 7}`, n, s: `s${n % 3}` });
  }
  return things;
}

async function fetched(things, query, options = {}) {
  return (await things.items.query(query, options).fetchAll()).resources;
}

async function paged(iterator) {
  const pages = [];
  while (iterator.hasMoreResults()) {
    const { resources } = await iterator.fetchNext();
    if (resources === undefined) break;
    pages.push(resources);
  }
  return pages;
}

const sorted = (values) => [...values].sort((a, b) => a - b);

probe("a database and a container are made if they are not there", async () => {
  const id = fresh("again");
  for (const status of [201, 200]) {
    const { database: made, statusCode } = await client.databases.createIfNotExists({ id });
    assert.equal(statusCode, status);
    const { container: things } = await made.containers.createIfNotExists({ id: "c", partitionKey: "/kind" });
    assert.equal(things.id, "c");
  }
});

probe("databases and containers are queried", async () => {
  const things = await container();
  const query = { query: "SELECT * FROM root r WHERE r.id = @id", parameters: [{ name: "@id", value: things.id }] };
  assert.equal((await database.containers.query(query).fetchAll()).resources.length, 1);
  const named = { query: "SELECT * FROM root r WHERE r.id = @id", parameters: [{ name: "@id", value: "probes" }] };
  assert.equal((await client.databases.query(named).fetchAll()).resources[0].id, "probes");
});

probe("a resource has its resource id, its time and its ETag", async () => {
  const things = await container();
  const { resource: base } = await database.read();
  const { resource: made } = await things.read();
  const { resource: item } = await things.items.create({ id: "1", kind: "a" });
  for (const each of [base, made, item]) assert.ok(each._ts > 0 && each._etag && each._rid);
  assert.equal(made._self, `dbs/${base._rid}/colls/${made._rid}/`);
  assert.equal(item._self, `dbs/${base._rid}/colls/${made._rid}/docs/${item._rid}/`);
});

probe("the account is described", async () => {
  const { resource } = await client.getDatabaseAccount();
  assert.equal(resource.consistencyPolicy, "Session");
  assert.equal((await client.getReadEndpoint()).replace("127.0.0.1", "localhost").startsWith("http"), true);
});

probe("a container's definition is read and replaced", async () => {
  const things = await container({ defaultTtl: 100 });
  const { resource } = await things.read();
  assert.equal(resource.defaultTtl, 100);
  resource.defaultTtl = 200;
  resource.indexingPolicy = { indexingMode: "consistent", includedPaths: [{ path: "/*" }], excludedPaths: [{ path: "/x/?" }] };
  const { resource: replaced } = await things.replace(resource);
  assert.equal(replaced.defaultTtl, 200);
  assert.deepEqual(replaced.indexingPolicy.excludedPaths.map((each) => each.path), ["/x/?", '/"_etag"/?']);
  assert.notEqual(replaced._etag, resource._etag);
});

probe("an item that is there already is refused", async () => {
  const things = await filled(1);
  assert.equal((await refused(things.items.create({ id: "0", kind: "k0" }))).code, 409);
});

probe("an item is upserted", async () => {
  const things = await container();
  assert.equal((await things.items.upsert({ id: "1", kind: "a", n: 1 })).statusCode, 201);
  const { statusCode, resource } = await things.items.upsert({ id: "1", kind: "a", n: 2 });
  assert.deepEqual([statusCode, resource.n], [200, 2]);
});

probe("an item has partition keys of every type", async () => {
  const things = await container();
  for (const [place, key] of ["text", "", "ü", 1, 0.5, -2, true, false, null].entries()) {
    await things.items.create({ id: `${place}`, kind: key });
    assert.equal((await things.item(`${place}`, key).read()).resource?.kind, key);
  }
  await things.items.create({ id: "none" });
  assert.equal((await things.item("none", undefined).read()).resource?.id, "none");
});

probe("ids hold braces, blanks and letters of other scripts", async () => {
  const things = await container();
  for (const id of ["{a}", " leading", "a b", "é✓", "a'b\"c", "%41", "a+b", "a=b&c"]) {
    await things.items.create({ id, kind: "a" });
    assert.equal((await things.item(id, "a").read()).resource?.id, id);
    assert.equal((await things.item(id, "a").delete()).statusCode, 204);
  }
});

probe("a change goes by the ETag", async () => {
  const things = await filled(1);
  const item = things.item("0", "k0");
  const { resource } = await item.read();
  const condition = { accessCondition: { type: "IfMatch", condition: resource._etag } };
  await item.replace({ ...resource, n: 5 }, condition);
  assert.equal((await refused(item.replace({ ...resource, n: 6 }, condition))).code, 412);
  assert.equal((await refused(item.delete(condition))).code, 412);
});

probe("a read of what has not changed brings nothing", async () => {
  const things = await filled(1);
  const { resource } = await things.item("0", "k0").read();
  const condition = { accessCondition: { type: "IfNoneMatch", condition: resource._etag } };
  const answer = await things.item("0", "k0").read(condition);
  assert.equal(answer.statusCode, 304);
});

probe("an item is patched by an array of operations", async () => {
  const things = await filled(1);
  const { resource } = await things.item("0", "k0").patch([
    { op: "add", path: "/tags", value: ["a"] },
    { op: "add", path: "/tags/-", value: "b" },
    { op: "incr", path: "/n", value: 5 },
    { op: "set", path: "/s", value: "t" },
  ]);
  assert.deepEqual([resource.tags, resource.n, resource.s], [["a", "b"], 5, "t"]);
});

probe("an item is patched on a condition", async () => {
  const things = await filled(1);
  const operations = [{ op: "incr", path: "/n", value: 1 }];
  const { resource } = await things.item("0", "k0").patch({ operations, condition: "from c where c.n < 1" });
  assert.equal(resource.n, 1);
  const error = await refused(things.item("0", "k0").patch({ operations, condition: "from c where c.n < 1" }));
  assert.equal(error.code, 412);
});

probe("an item's time to live is kept, and null is refused", async () => {
  const things = await container({ defaultTtl: -1 });
  assert.equal((await things.items.create({ id: "1", kind: "a", ttl: 60 })).resource.ttl, 60);
  assert.equal((await refused(things.items.create({ id: "2", kind: "a", ttl: null }))).code, 400);
});

probe("unique keys are unique within a partition", async () => {
  const things = await container({ uniqueKeyPolicy: { uniqueKeys: [{ paths: ["/code"] }] } });
  await things.items.create({ id: "1", kind: "a", code: "x" });
  assert.equal((await refused(things.items.create({ id: "2", kind: "a", code: "x" }))).code, 409);
  await things.items.create({ id: "2", kind: "b", code: "x" });
});

probe("a batch is done whole", async () => {
  const things = await container();
  const { result, code } = await things.items.batch(
    [
      { operationType: BulkOperationType.Create, resourceBody: { id: "1", kind: "a", n: 1 } },
      { operationType: BulkOperationType.Upsert, resourceBody: { id: "2", kind: "a" } },
      { operationType: BulkOperationType.Replace, id: "2", resourceBody: { id: "2", kind: "a", n: 2 } },
      { operationType: BulkOperationType.Patch, id: "1", resourceBody: { operations: [{ op: "incr", path: "/n", value: 1 }] } },
      { operationType: BulkOperationType.Read, id: "1" },
      { operationType: BulkOperationType.Delete, id: "2" },
    ],
    "a",
  );
  assert.equal(code, 200);
  assert.deepEqual(result.map((each) => each.statusCode), [201, 201, 200, 200, 200, 204]);
  assert.equal(result[4].resourceBody.n, 2);
});

probe("a batch that fails changes nothing", async () => {
  const things = await filled(1);
  const { result, code } = await things.items.batch(
    [
      { operationType: BulkOperationType.Create, resourceBody: { id: "new", kind: "k0" } },
      { operationType: BulkOperationType.Create, resourceBody: { id: "0", kind: "k0" } },
    ],
    "k0",
  );
  assert.equal(code, 207);
  assert.deepEqual(result.map((each) => each.statusCode), [424, 409]);
  assert.equal((await things.item("new", "k0").read()).statusCode, 404);
});

probe("bulk operations of many partitions are done each by itself", async () => {
  const things = await filled(7);
  const operations = [];
  for (let n = 0; n < 60; n += 1) {
    operations.push({ operationType: BulkOperationType.Create, partitionKey: `b${n}`, resourceBody: { id: `${n}`, kind: `b${n}` } });
  }
  operations.push({ operationType: BulkOperationType.Create, partitionKey: "k0", resourceBody: { id: "0", kind: "k0" } });
  operations.push({ operationType: BulkOperationType.Read, partitionKey: "k1", id: "1" });
  const results = await things.items.executeBulkOperations(operations);
  const codes = results.map((each) => each.response?.statusCode ?? each.error?.code);
  assert.deepEqual(codes, [...Array(60).fill(201), 409, 200]);
});

probe("the older bulk gives results in the order of the operations", async () => {
  const things = await filled(2);
  const results = await things.items.bulk(
    [
      { operationType: BulkOperationType.Create, partitionKey: "x", resourceBody: { id: "1", kind: "x" } },
      { operationType: BulkOperationType.Read, partitionKey: "k1", id: "1" },
      { operationType: BulkOperationType.Patch, partitionKey: "k0", id: "0", resourceBody: { operations: [{ op: "incr", path: "/n", value: 4 }] } },
      { operationType: BulkOperationType.Delete, partitionKey: "k9", id: "9" },
    ],
    { continueOnError: true },
  );
  assert.deepEqual(results.map((each) => each.statusCode), [201, 200, 200, 404]);
  assert.equal(results[2].resourceBody.n, 4);
});

probe("a query finds what the language says, of one partition and of all", async () => {
  const things = await filled(20);
  const found = await fetched(things, "SELECT VALUE c.n FROM c WHERE c.n < 10");
  assert.deepEqual(sorted(found), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const query = { query: "SELECT * FROM c WHERE c.kind = @kind", parameters: [{ name: "@kind", value: "k3" }] };
  assert.deepEqual(sorted((await fetched(things, query)).map((each) => each.n)), [3, 10, 17]);
  assert.equal((await fetched(things, "SELECT * FROM c", { partitionKey: "k3" })).length, 3);
});

probe("a query sorts across partitions", async () => {
  const things = await filled(20);
  const found = await fetched(things, "SELECT VALUE c.n FROM c ORDER BY c.n DESC");
  assert.deepEqual(found, Array.from({ length: 20 }, (_, n) => 19 - n));
});

probe("a query sorts page by page", async () => {
  const things = await filled(20);
  const pages = await paged(things.items.query("SELECT VALUE c.n FROM c ORDER BY c.n", { maxItemCount: 6 }));
  assert.deepEqual(pages.flat(), Array.from({ length: 20 }, (_, n) => n));
  assert.ok(pages.every((page) => page.length <= 6));
});

probe("aggregates count over all partitions", async () => {
  const things = await filled(20);
  assert.deepEqual(await fetched(things, "SELECT VALUE COUNT(1) FROM c"), [20]);
  assert.deepEqual(await fetched(things, "SELECT VALUE SUM(c.n) FROM c"), [190]);
  assert.deepEqual(await fetched(things, "SELECT VALUE AVG(c.n) FROM c"), [9.5]);
  assert.deepEqual(await fetched(things, "SELECT VALUE MAX(c.n) FROM c"), [19]);
  assert.deepEqual(await fetched(things, "SELECT VALUE MIN(c.n) FROM c"), [0]);
});

probe("a query groups across partitions", async () => {
  const things = await filled(20);
  const found = await fetched(things, "SELECT c.s, COUNT(1) AS k FROM c GROUP BY c.s");
  const groups = Object.fromEntries(found.map((each) => [each.s, each.k]));
  assert.deepEqual(groups, { s0: 7, s1: 7, s2: 6 });
});

probe("DISTINCT, TOP, OFFSET and LIMIT hold across partitions", async () => {
  const things = await filled(20);
  assert.deepEqual((await fetched(things, "SELECT DISTINCT VALUE c.s FROM c")).sort(), ["s0", "s1", "s2"]);
  assert.equal((await fetched(things, "SELECT TOP 4 * FROM c")).length, 4);
  const found = await fetched(things, "SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 3 LIMIT 4");
  assert.deepEqual(found, [3, 4, 5, 6]);
});

probe("a join makes a row of each element", async () => {
  const things = await container();
  await things.items.create({ id: "1", kind: "a", tags: ["x", "y"] });
  await things.items.create({ id: "2", kind: "b", tags: ["z"] });
  assert.deepEqual((await fetched(things, "SELECT VALUE t FROM c JOIN t IN c.tags")).sort(), ["x", "y", "z"]);
});

probe("a query goes on where its continuation says", async () => {
  const things = await filled(7);
  const options = { maxItemCount: 2, partitionKey: "k0" };
  for (let n = 7; n < 12; n += 1) await things.items.create({ id: `${n}`, kind: "k0", n });
  const first = await things.items.query("SELECT VALUE c.n FROM c", options).fetchNext();
  const rest = things.items.query("SELECT VALUE c.n FROM c", { ...options, continuationToken: first.continuationToken });
  assert.deepEqual([...first.resources, ...(await rest.fetchAll()).resources], [0, 7, 8, 9, 10, 11]);
});

probe("query metrics and index metrics are told", async () => {
  const things = await filled(4);
  const iterator = things.items.query("SELECT * FROM c WHERE c.n > 1", { partitionKey: "k2", populateQueryMetrics: true, populateIndexMetrics: true });
  const answer = await iterator.fetchNext();
  assert.equal(Object.values(answer.headers["x-ms-documentdb-query-metrics"])[0].outputDocumentCount, 1);
  assert.match(answer.indexMetrics, /\/n\/\?/);
});

probe("a query that is wrong is refused with its place", async () => {
  const things = await container();
  const error = await refused(fetched(things, "SELECT * FROM c WHERE", { partitionKey: "a" }));
  assert.equal(error.code, 400);
});

probe("all items are read, page by page", async () => {
  const things = await filled(20);
  const pages = await paged(things.items.readAll({ maxItemCount: 6 }));
  assert.deepEqual(sorted(pages.flat().map((each) => each.n)), Array.from({ length: 20 }, (_, n) => n));
});

probe("the change feed tells all changes and goes on", async () => {
  const things = await filled(20);
  const options = { changeFeedStartFrom: ChangeFeedStartFrom.Beginning(), maxItemCount: 5 };
  const { found, token } = await changes(things, options);
  assert.deepEqual(sorted(found.map((each) => each.n)), Array.from({ length: 20 }, (_, n) => n));
  await things.items.upsert({ id: "3", kind: "k3", n: 100 });
  const after = await changes(things, { changeFeedStartFrom: ChangeFeedStartFrom.Continuation(token) });
  assert.deepEqual(after.found.map((each) => each.n), [100]);
});

probe("the change feed of one partition key", async () => {
  const things = await filled(20);
  const { found } = await changes(things, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning("k3") });
  assert.deepEqual(found.map((each) => each.n), [3, 10, 17]);
});

probe("the change feed from now, and from a moment", async () => {
  const things = await filled(3);
  const { found, token } = await changes(things, { changeFeedStartFrom: ChangeFeedStartFrom.Now() });
  assert.deepEqual(found, []);
  await things.items.create({ id: "new", kind: "k0" });
  const after = await changes(things, { changeFeedStartFrom: ChangeFeedStartFrom.Continuation(token) });
  assert.deepEqual(after.found.map((each) => each.id), ["new"]);
  const hour = new Date(Date.now() - 3_600_000);
  assert.equal((await changes(things, { changeFeedStartFrom: ChangeFeedStartFrom.Time(hour) })).found.length, 4);
});

probe("the change feed by feed ranges shares the items among them", async () => {
  const things = await filled(40);
  const ranges = await things.getFeedRanges();
  const found = [];
  for (const range of ranges) {
    found.push(...(await changes(things, { changeFeedStartFrom: ChangeFeedStartFrom.Beginning(range) })).found);
  }
  assert.deepEqual(sorted(found.map((each) => each.n)), Array.from({ length: 40 }, (_, n) => n));
});

probe("all versions and deletes are told", async () => {
  const things = await container({ changeFeedPolicy: { retentionDuration: 10 } });
  const options = { changeFeedStartFrom: ChangeFeedStartFrom.Now(), changeFeedMode: "Full-Fidelity Feed" };
  const { token } = await changes(things, options);
  await things.items.create({ id: "1", kind: "a", n: 1 });
  await things.items.upsert({ id: "1", kind: "a", n: 2 });
  await things.item("1", "a").delete();
  const { found } = await changes(things, { ...options, changeFeedStartFrom: ChangeFeedStartFrom.Continuation(token) });
  assert.deepEqual(found.map((each) => each.metadata.operationType), ["create", "replace", "delete"]);
  assert.deepEqual(found.map((each) => each.current?.n), [1, 2, undefined]);
  assert.equal(found[2].previous.n, 2);
});

async function changes(things, options) {
  const iterator = things.items.getChangeFeedIterator(options);
  const found = [];
  let quiet = 0;
  let token;
  while (quiet < 6) {
    const answer = await iterator.readNext();
    token = answer.continuationToken;
    if (answer.statusCode === 304 || answer.result.length === 0) quiet += 1;
    else found.push(...answer.result);
  }
  return { found, token };
}

probe("a container's throughput is read and replaced", async () => {
  const { container: things } = await database.containers.create({ id: fresh("offer"), partitionKey: "/kind", throughput: 700 });
  const { offer, resource } = await things.readOffer();
  assert.equal(resource.content.offerThroughput, 700);
  const replaced = await offer.replace({ ...resource, content: { ...resource.content, offerThroughput: 800 } });
  assert.equal(replaced.resource.content.offerThroughput, 800);
  assert.equal((await client.offer(resource.id).read()).resource.content.offerThroughput, 800);
  assert.equal((await (await container()).readOffer()).resource, undefined);
});

probe("a container scales by itself up to a maximum", async () => {
  const { container: things } = await database.containers.create({ id: fresh("auto"), partitionKey: "/kind", maxThroughput: 4000 });
  const { resource } = await things.readOffer();
  assert.equal(resource.content.offerAutopilotSettings.maxThroughput, 4000);
});

probe("a database has a throughput of its own", async () => {
  const { database: made } = await client.databases.create({ id: fresh("shared"), throughput: 1000 });
  assert.equal((await made.readOffer()).resource.content.offerThroughput, 1000);
  await made.delete();
  const { resources } = await client.offers.readAll().fetchAll();
  assert.ok(!resources.some((each) => each.content.offerThroughput === 1000));
});

const hierarchical = {
  partitionKey: { paths: ["/tenant", "/user"], kind: PartitionKeyKind.MultiHash, version: PartitionKeyDefinitionVersion.V2 },
};

probe("a hierarchical partition key addresses items", async () => {
  const things = await container(hierarchical);
  await things.items.create({ id: "1", tenant: "t1", user: "u1" });
  assert.equal((await things.item("1", ["t1", "u1"]).read()).resource.user, "u1");
  assert.equal((await things.item("1", ["t1", "u2"]).read()).statusCode, 404);
  assert.equal((await things.item("1", ["t1", "u1"]).delete()).statusCode, 204);
});

probe("a prefix of a hierarchical partition key is queried", async () => {
  const things = await container(hierarchical);
  for (const tenant of ["t1", "t2"]) {
    for (let n = 0; n < 5; n += 1) await things.items.create({ id: `${n}`, tenant, user: `u${n}` });
  }
  const key = new PartitionKeyBuilder().addValue("t1").build();
  const found = await fetched(things, "SELECT * FROM c", { partitionKey: key });
  assert.deepEqual(found.map((each) => each.tenant), Array(5).fill("t1"));
});

probe("the conflict feed is empty", async () => {
  const things = await container();
  assert.deepEqual((await things.conflicts.readAll().fetchAll()).resources, []);
});

probe("all items of a partition key are deleted", async () => {
  const things = await filled(14);
  await things.deleteAllItemsForPartitionKey("k3");
  assert.equal((await fetched(things, "SELECT * FROM c")).length, 12);
});

probe("a read sees the session's own write", async () => {
  const things = await container();
  const { headers } = await things.items.create({ id: "1", kind: "a" });
  assert.match(headers["x-ms-session-token"], /^\d+:-1#\d+$/);
  const answer = await things.item("1", "a").read({ sessionToken: headers["x-ms-session-token"] });
  assert.equal(answer.resource.id, "1");
});

probe("a container made anew under another key is used as it is", async () => {
  const things = await filled(1);
  const id = things.id;
  await things.delete();
  const { container: anew } = await database.containers.create({ id, partitionKey: "/s" });
  await anew.items.create({ id: "1", s: "x" });
  assert.equal((await anew.item("1", "x").read()).resource.s, "x");
});

probe("a request charge is told", async () => {
  const things = await filled(1);
  assert.ok((await things.item("0", "k0").read()).requestCharge >= 1);
  assert.ok((await things.items.query("SELECT * FROM c").fetchAll()).requestCharge > 2);
});

await run();
