// What a user of @azure/service-bus does, against the server of SERVICEBUS (a connection string for an emulator).
// Node trusts the server's certificate through NODE_EXTRA_CA_CERTS.

import assert from "node:assert/strict";
import { delay, isServiceBusError, ServiceBusAdministrationClient, ServiceBusClient } from "@azure/service-bus";
import { atEnd, fresh, probe, refused, run } from "./probes.mjs";

const { SERVICEBUS, SERVICEBUS_TLS } = process.env;
const ONCE = { retryOptions: { maxRetries: 0, timeoutInMs: 10_000 } };
const admin = new ServiceBusAdministrationClient(SERVICEBUS_TLS);
const client = new ServiceBusClient(SERVICEBUS, ONCE);
atEnd(() => client.close());

async function queue(options = {}) {
  const name = fresh("queue");
  await admin.createQueue(name, { maxDeliveryCount: 3, ...options });
  return { name, sender: client.createSender(name), receiver: client.createReceiver(name) };
}

async function topic(...subscriptions) {
  const name = fresh("topic");
  await admin.createTopic(name);
  for (const each of subscriptions) await admin.createSubscription(name, each);
  return { name, sender: client.createSender(name) };
}

async function take(receiver, count) {
  const found = [];
  while (found.length < count) {
    const more = await receiver.receiveMessages(count - found.length, { maxWaitTimeInMs: 5000 });
    assert.ok(more.length > 0, `${found.length} of ${count} messages came`);
    found.push(...more);
  }
  return found;
}

async function one(receiver) {
  return (await take(receiver, 1))[0];
}

async function nothing(receiver) {
  assert.deepEqual(await receiver.receiveMessages(1, { maxWaitTimeInMs: 300 }), []);
}

async function until(condition) {
  while (!(await condition())) await delay(5);
}

const bodies = (messages) => messages.map((each) => each.body);

probe("a message is sent, received and completed", async () => {
  const { sender, receiver } = await queue();
  await sender.sendMessages({ body: "hello" });
  const message = await one(receiver);
  assert.equal(message.body, "hello");
  await receiver.completeMessage(message);
  assert.deepEqual(await receiver.peekMessages(1), []);
});

probe("a message without an id is given one", async () => {
  const { sender, receiver } = await queue();
  await sender.sendMessages({ body: "x" });
  const message = await one(receiver);
  assert.match(message.messageId, /^[0-9a-f]{32}$/);
  await receiver.completeMessage(message);
});

probe("every property of a message arrives", async () => {
  const { sender, receiver } = await queue();
  const sent = {
    body: { a: [1, { b: null }] }, messageId: "m", contentType: "application/json", correlationId: "c", subject: "s",
    to: "t", replyTo: "r", replyToSessionId: "rs", partitionKey: "p", timeToLive: 60_000,
    applicationProperties: { text: "t", whole: 7, real: 0.5, flag: true, nothing: null },
  };
  await sender.sendMessages(sent);
  const message = await one(receiver);
  for (const name of Object.keys(sent)) assert.deepEqual(message[name], sent[name], name);
  assert.equal(message.deliveryCount, 0);
  assert.equal(message.state, "active");
  assert.equal(message.sequenceNumber.toString(), "1");
  assert.equal(message.expiresAtUtc.getTime() - message.enqueuedTimeUtc.getTime(), 60_000);
  assert.ok(message.lockedUntilUtc > message.enqueuedTimeUtc);
  await receiver.completeMessage(message);
});

probe("a message without a time to live does not expire", async () => {
  const { sender, receiver } = await queue();
  await sender.sendMessages({ body: "x" });
  const message = await one(receiver);
  assert.equal(message.timeToLive, undefined);
  await receiver.completeMessage(message);
});

probe("values, sequences and bytes are bodies too", async () => {
  const { sender, receiver } = await queue();
  await sender.sendMessages([
    { bodyType: "value", body: { a: 1 } },
    { bodyType: "sequence", body: [[1, "two"]] },
    { bodyType: "data", body: Buffer.from("bytes") },
  ]);
  const [value, sequence, data] = await take(receiver, 3);
  assert.deepEqual(value.body, { a: 1 });
  assert.deepEqual(sequence.body, [[1, "two"]]);
  assert.equal(Buffer.from(data.body).toString(), "bytes");
});

probe("header, footer and annotations of the sender's own arrive", async () => {
  const { sender, receiver } = await queue();
  await sender.sendMessages({
    bodyType: "data", body: "x", header: { priority: 7, durable: true }, footer: { sum: "f" },
    messageAnnotations: { own: "a" }, properties: { messageId: "m" },
  });
  const { _rawAmqpMessage: raw } = await one(receiver);
  assert.equal(raw.header.priority, 7);
  assert.equal(raw.header.durable, true);
  assert.equal(raw.footer.sum, "f");
  assert.equal(raw.messageAnnotations.own, "a");
});

probe("a list and a batch arrive in their order", async () => {
  const { sender, receiver } = await queue();
  await sender.sendMessages([{ body: "0" }, { body: "1" }]);
  const batch = await sender.createMessageBatch();
  for (const body of ["2", "3", "4"]) assert.ok(batch.tryAddMessage({ body }));
  await sender.sendMessages(batch);
  assert.deepEqual(bodies(await take(receiver, 5)), ["0", "1", "2", "3", "4"]);
});

probe("a batch has the size of the largest message", async () => {
  const { sender } = await queue();
  const batch = await sender.createMessageBatch();
  assert.equal(batch.maxSizeInBytes, 262_144);
  const error = await refused(sender.sendMessages({ body: Buffer.alloc(300_000) }));
  assert.equal(error.code, "MessageSizeExceeded");
});

probe("an abandoned message comes again, with changed properties, until it is dead", async () => {
  const { name, sender, receiver } = await queue();
  await sender.sendMessages({ body: "x", applicationProperties: { kept: "k", changed: 0 } });
  for (let count = 0; count < 3; count++) {
    const message = await one(receiver);
    assert.equal(message.deliveryCount, count);
    assert.deepEqual(message.applicationProperties, { kept: "k", changed: count });
    await receiver.abandonMessage(message, { changed: count + 1 });
  }
  await nothing(receiver);
  const dead = await one(client.createReceiver(name, { subQueueType: "deadLetter" }));
  assert.equal(dead.deadLetterReason, "MaxDeliveryCountExceeded");
  assert.equal(dead.deadLetterSource, name);
});

probe("a dead letter has its reason, its description and what was changed", async () => {
  const { name, sender, receiver } = await queue();
  await sender.sendMessages({ body: "x", applicationProperties: { kept: 1 } });
  const told = { deadLetterReason: "poison", deadLetterErrorDescription: "unreadable", added: "a" };
  await receiver.deadLetterMessage(await one(receiver), told);
  const dead = client.createReceiver(name, { subQueueType: "deadLetter" });
  const message = await one(dead);
  assert.equal(message.deadLetterReason, "poison");
  assert.equal(message.deadLetterErrorDescription, "unreadable");
  assert.equal(message.applicationProperties.kept, 1);
  assert.equal(message.applicationProperties.added, "a");
  await dead.completeMessage(message);
});

probe("a deferred message is received by its number, and settled in every way", async () => {
  const { name, sender, receiver } = await queue();
  await sender.sendMessages(["complete", "abandon", "defer", "die"].map((body) => ({ body })));
  const numbers = [];
  for (const message of await take(receiver, 4)) {
    numbers.push(message.sequenceNumber);
    await receiver.deferMessage(message, { noted: "yes" });
  }
  await nothing(receiver);
  const [complete, abandon, defer, die] = await receiver.receiveDeferredMessages(numbers);
  assert.equal(complete.applicationProperties.noted, "yes");
  await receiver.completeMessage(complete);
  await receiver.abandonMessage(abandon, { noted: "again" });
  await receiver.deferMessage(defer);
  await receiver.deadLetterMessage(die, { deadLetterReason: "why" });
  const again = await receiver.receiveDeferredMessages([numbers[1], numbers[2]]);
  assert.deepEqual(again.map((each) => each.applicationProperties.noted), ["again", "yes"]);
  const dead = await one(client.createReceiver(name, { subQueueType: "deadLetter" }));
  assert.equal(dead.deadLetterReason, "why");
});

probe("a lock is renewed", async () => {
  const { sender, receiver } = await queue({ lockDuration: "PT5S" });
  await sender.sendMessages({ body: "x" });
  const message = await one(receiver);
  const before = message.lockedUntilUtc;
  await delay(20);
  assert.ok((await receiver.renewMessageLock(message)) > before);
  await receiver.completeMessage(message);
});

probe("a lock that ran out is lost", async () => {
  const { name, sender } = await queue({ lockDuration: "PT1S" });
  const receiver = client.createReceiver(name, { maxAutoLockRenewalDurationInMs: 0 });
  await sender.sendMessages({ body: "x" });
  const message = await one(receiver);
  const again = await one(receiver);
  assert.equal(again.deliveryCount, 1);
  assert.equal((await refused(receiver.completeMessage(message))).code, "MessageLockLost");
  await receiver.completeMessage(again);
});

probe("receive and delete leaves nothing", async () => {
  const { name, sender, receiver } = await queue();
  await sender.sendMessages({ body: "x" });
  const taker = client.createReceiver(name, { receiveMode: "receiveAndDelete" });
  assert.equal((await one(taker)).body, "x");
  assert.deepEqual(await receiver.peekMessages(1), []);
});

probe("peeking takes nothing and begins where it is told", async () => {
  const { sender, receiver } = await queue();
  await sender.sendMessages([{ body: "a" }, { body: "b" }, { body: "c" }]);
  assert.deepEqual(bodies(await receiver.peekMessages(2)), ["a", "b"]);
  assert.deepEqual(bodies(await receiver.peekMessages(2)), ["c"]);
  const [second] = await receiver.peekMessages(1, { fromSequenceNumber: (await one(receiver)).sequenceNumber.add(1) });
  assert.equal(second.body, "b");
});

probe("a scheduled message comes at its time, unless it is cancelled", async () => {
  const { sender, receiver } = await queue();
  const moment = new Date(Date.now() + 700);
  const numbers = await sender.scheduleMessages([{ body: "kept" }, { body: "no" }], moment);
  await sender.cancelScheduledMessages(numbers[1]);
  const [peeked] = await receiver.peekMessages(1);
  assert.equal(peeked.state, "scheduled");
  assert.equal(peeked.sequenceNumber.toString(), numbers[0].toString());
  const message = await one(receiver);
  assert.equal(message.body, "kept");
  assert.equal(message.scheduledEnqueueTimeUtc.getTime(), moment.getTime());
  assert.ok(message.enqueuedTimeUtc >= moment);
});

probe("a message that is scheduled into the past comes at once, with its number and its time", async () => {
  const { sender, receiver } = await queue();
  const moment = new Date(Date.now() - 60_000);
  const [number] = await sender.scheduleMessages({ body: "late" }, moment);
  const message = await one(receiver);
  assert.equal(message.sequenceNumber.toString(), number.toString());
  assert.equal(message.scheduledEnqueueTimeUtc.getTime(), moment.getTime());
});

probe("what was fetched goes back uncounted when the receiver closes", async () => {
  const { name, sender } = await queue();
  await sender.sendMessages([..."01234"].map((body) => ({ body })));
  const receiver = client.createReceiver(name, { maxAutoLockRenewalDurationInMs: 0 });
  const handled = [];
  receiver.subscribe(
    { processMessage: async (message) => void handled.push(message.body), processError: async () => {} },
    { maxConcurrentCalls: 1, autoCompleteMessages: false },
  );
  await until(() => handled.length > 0);
  const started = Date.now();
  await receiver.close();
  assert.ok(Date.now() - started < 5_000, "closing took long");
  const [first] = await client.createReceiver(name).peekMessages(1);
  assert.ok(first.deliveryCount <= 1);
});

probe("a processor handles every message, many at a time", async () => {
  const { sender, receiver } = await queue();
  const handled = new Set();
  const subscription = receiver.subscribe(
    { processMessage: async (message) => void handled.add(message.body), processError: async ({ error }) => assert.fail(error) },
    { maxConcurrentCalls: 32 },
  );
  await sender.sendMessages(Array.from({ length: 200 }, (_, number) => ({ body: number })));
  await until(() => handled.size === 200);
  await until(async () => (await receiver.peekMessages(1)).length === 0);
  await subscription.close();
});

probe("a processor abandons what its handler fails on", async () => {
  const { name, sender, receiver } = await queue();
  await sender.sendMessages({ body: "x" });
  const errors = [];
  const subscription = receiver.subscribe({
    processMessage: async () => { throw new Error("no"); },
    processError: async ({ errorSource }) => void errors.push(errorSource),
  });
  const dead = await one(client.createReceiver(name, { subQueueType: "deadLetter" }));
  assert.equal(dead.deadLetterReason, "MaxDeliveryCountExceeded");
  assert.deepEqual(new Set(errors), new Set(["processMessageCallback"]));
  await subscription.close();
});

probe("messages can be iterated over", async () => {
  const { sender, receiver } = await queue();
  await sender.sendMessages([{ body: "a" }, { body: "b" }]);
  const found = [];
  for await (const message of receiver.getMessageIterator()) {
    found.push(message.body);
    await receiver.completeMessage(message);
    if (found.length === 2) break;
  }
  assert.deepEqual(found, ["a", "b"]);
});

probe("a repeated id is taken once", async () => {
  const { sender, receiver } = await queue({ requiresDuplicateDetection: true });
  for (let count = 0; count < 3; count++) await sender.sendMessages({ body: "x", messageId: "same" });
  assert.equal((await receiver.peekMessages(10)).length, 1);
});

probe("there is a transfer dead-letter queue, and nothing in it", async () => {
  const { name } = await queue();
  await nothing(client.createReceiver(name, { subQueueType: "transferDeadLetter" }));
});

probe("a session has one receiver, its order and its state", async () => {
  const { name, sender } = await queue({ requiresSession: true });
  await sender.sendMessages(["a1", "b1", "a2"].map((body) => ({ body, sessionId: body[0] })));
  const receiver = await client.acceptSession(name, "a");
  assert.equal((await refused(client.acceptSession(name, "a"))).code, "SessionCannotBeLocked");
  assert.deepEqual(bodies(await take(receiver, 2)), ["a1", "a2"]);
  assert.equal(await receiver.getSessionState(), null);
  await receiver.setSessionState({ step: 2 });
  assert.deepEqual(await receiver.getSessionState(), { step: 2 });
  const before = receiver.sessionLockedUntilUtc;
  await delay(20);
  assert.ok((await receiver.renewSessionLock()) > before);
  await receiver.close();
});

probe("the next session is the one that has waited longest", async () => {
  const { name, sender } = await queue({ requiresSession: true });
  await sender.sendMessages(["c1", "a1"].map((body) => ({ body, sessionId: body[0] })));
  const first = await client.acceptNextSession(name);
  const second = await client.acceptNextSession(name);
  assert.deepEqual([first.sessionId, second.sessionId], ["c", "a"]);
  await first.completeMessage(await one(first));
  await first.close();
  await second.close();
});

probe("there is no next session where there are no messages", async () => {
  const { name } = await queue({ requiresSession: true });
  const impatient = new ServiceBusClient(SERVICEBUS, { retryOptions: { maxRetries: 0, timeoutInMs: 1_000 } });
  assert.equal((await refused(impatient.acceptNextSession(name))).code, "ServiceTimeout");
  await impatient.close();
});

probe("a session's lock that ran out is lost", async () => {
  const { name, sender } = await queue({ requiresSession: true, lockDuration: "PT1S" });
  await sender.sendMessages({ body: "x", sessionId: "a" });
  const receiver = await client.acceptSession(name, "a", { maxAutoLockRenewalDurationInMs: 0 });
  const message = await one(receiver);
  await delay(1_500);
  assert.equal((await refused(receiver.completeMessage(message))).code, "SessionLockLost");
  await receiver.close();
});

probe("deferred messages and peeks stay in their session", async () => {
  const { name, sender } = await queue({ requiresSession: true });
  await sender.sendMessages(["a1", "b1"].map((body) => ({ body, sessionId: body[0] })));
  const receiver = await client.acceptSession(name, "a");
  const message = await one(receiver);
  await receiver.deferMessage(message);
  assert.deepEqual(bodies(await receiver.peekMessages(10)), ["a1"]);
  const [deferred] = await receiver.receiveDeferredMessages(message.sequenceNumber);
  await receiver.completeMessage(deferred);
  await receiver.close();
});

probe("what is closed refuses, and is closed at once", async () => {
  const { sender, receiver } = await queue();
  await sender.sendMessages({ body: "x" });
  await receiver.peekMessages(1);
  const started = Date.now();
  await sender.close();
  await receiver.close();
  assert.ok(Date.now() - started < 2_000, "closing took long");
  assert.ok(await refused(sender.sendMessages({ body: "x" })));
  assert.ok(await refused(receiver.receiveMessages(1)));
});

probe("each subscription has a copy, as its rules say", async () => {
  const { name, sender } = await topic("all", "some");
  await admin.createRule(name, "some", "big", { sqlExpression: "size > 10" }, { sqlExpression: "SET sized = 'big'" });
  await admin.deleteRule(name, "some", "$Default");
  await sender.sendMessages([1, 11].map((size) => ({ body: size, applicationProperties: { size } })));
  assert.deepEqual(bodies(await take(client.createReceiver(name, "all"), 2)), [1, 11]);
  const receiver = client.createReceiver(name, "some");
  const message = await one(receiver);
  assert.deepEqual(message.applicationProperties, { size: 11, sized: "big" });
  await nothing(receiver);
});

probe("rules are managed over the messaging connection", async () => {
  const { name, sender } = await topic("s");
  const rules = client.createRuleManager(name, "s");
  const listed = async () => {
    const found = [];
    for await (const rule of rules.listRules()) found.push(rule);
    return found.filter((rule) => rule !== undefined); // the client's way to say that there are none
  };
  assert.deepEqual((await listed()).map((rule) => rule.name), ["$Default"]);
  await rules.deleteRule("$Default");
  assert.deepEqual(await listed(), []);
  await rules.createRule("sql", { sqlExpression: "sys.Label = 'a'" }, { sqlExpression: "SET seen = 'yes'" });
  await rules.createRule("correlation", { subject: "b", applicationProperties: { n: 5 } });
  const [sql, correlation] = await listed();
  assert.equal(sql.filter.sqlExpression, "sys.Label = 'a'");
  assert.equal(sql.action.sqlExpression, "SET seen = 'yes'");
  assert.equal(correlation.filter.subject, "b");
  assert.deepEqual(correlation.filter.applicationProperties, { n: 5 });
  assert.ok(await refused(rules.createRule("sql", { sqlExpression: "1=1" })));
  assert.ok(await refused(rules.deleteRule("missing")));
  await sender.sendMessages([{ body: "a", subject: "a" }, { body: "c", subject: "c" }]);
  const message = await one(client.createReceiver(name, "s"));
  assert.equal(message.applicationProperties.seen, "yes");
});

probe("a queue is made, changed, listed, counted and deleted", async () => {
  const name = fresh("queue");
  const made = await admin.createQueue(name, { lockDuration: "PT20S", userMetadata: "a & b", enablePartitioning: true });
  assert.equal(made.lockDuration, "PT20S");
  assert.equal(made.userMetadata, "a & b");
  assert.equal(made.enablePartitioning, true);
  await admin.updateQueue({ ...made, maxDeliveryCount: 7 });
  assert.equal((await admin.getQueue(name)).maxDeliveryCount, 7);
  const sender = client.createSender(name);
  await sender.sendMessages([{ body: "x" }, { body: "y" }]);
  const counted = await admin.getQueueRuntimeProperties(name);
  assert.equal(counted.activeMessageCount, 2);
  assert.equal(counted.totalMessageCount, 2);
  const names = [];
  for await (const each of admin.listQueues()) names.push(each.name);
  assert.ok(names.includes(name));
  assert.equal(await admin.queueExists(name), true);
  assert.equal((await refused(admin.createQueue(name))).code, "MessageEntityAlreadyExistsError");
  await admin.deleteQueue(name);
  assert.equal(await admin.queueExists(name), false);
  assert.equal((await refused(admin.getQueue(name))).code, "MessageEntityNotFoundError");
});

probe("a topic and its subscription are made, changed, listed, counted and deleted", async () => {
  const name = fresh("topic");
  const made = await admin.createTopic(name, { defaultMessageTimeToLive: "P1D" });
  assert.equal(made.defaultMessageTimeToLive, "P1D");
  await admin.updateTopic({ ...made, userMetadata: "m" });
  assert.equal((await admin.getTopic(name)).userMetadata, "m");
  const subscription = await admin.createSubscription(name, "s", { lockDuration: "PT20S" });
  await admin.updateSubscription({ ...subscription, maxDeliveryCount: 4 });
  assert.equal((await admin.getSubscription(name, "s")).maxDeliveryCount, 4);
  await client.createSender(name).sendMessages({ body: "x" });
  assert.equal((await admin.getSubscriptionRuntimeProperties(name, "s")).activeMessageCount, 1);
  assert.equal((await admin.getTopicRuntimeProperties(name)).subscriptionCount, 1);
  const names = [];
  for await (const each of admin.listSubscriptions(name)) names.push(each.subscriptionName);
  assert.deepEqual(names, ["s"]);
  await admin.deleteSubscription(name, "s");
  await admin.deleteTopic(name);
  assert.equal(await admin.topicExists(name), false);
});

probe("rules are told by the administration client as they were made", async () => {
  const { name } = await topic("s");
  const parameters = { "@text": "t", "@whole": 7, "@flag": true };
  const filter = { sqlExpression: "a = @text AND b = @whole AND c = @flag", sqlParameters: parameters };
  await admin.createRule(name, "s", "sql", filter, { sqlExpression: "SET x = 1" });
  const correlation = { subject: "l", messageId: "m", applicationProperties: { n: 1, on: false, at: new Date(1000) } };
  await admin.createRule(name, "s", "correlation", correlation);
  const sql = await admin.getRule(name, "s", "sql");
  assert.equal(sql.filter.sqlExpression, filter.sqlExpression);
  assert.deepEqual(sql.filter.sqlParameters, parameters);
  assert.equal(sql.action.sqlExpression, "SET x = 1");
  const told = await admin.getRule(name, "s", "correlation");
  assert.equal(told.filter.subject, "l");
  assert.deepEqual(told.filter.applicationProperties, correlation.applicationProperties);
  const names = [];
  for await (const rule of admin.listRules(name, "s")) names.push(rule.name);
  assert.deepEqual(names, ["$Default", "sql", "correlation"]);
});

probe("the namespace says what it is", async () => {
  const found = await admin.getNamespaceProperties();
  assert.equal(found.messagingSku, "Standard");
  assert.ok(found.name);
});

probe("an entity's own key is good for what it says", async () => {
  const name = fresh("queue");
  const rule = { claimType: "SharedAccessKey", claimValue: "None", accessRights: ["Send"], keyName: "sender" };
  const made = await admin.createQueue(name, {
    authorizationRules: [{ ...rule, primaryKey: "UHJpbWFyeUtleU9mVGhlUXVldWU=", secondaryKey: "U2Vjb25kYXJ5S2V5T2ZJdA==" }],
  });
  assert.equal(made.authorizationRules[0].keyName, "sender");
  assert.deepEqual(made.authorizationRules[0].accessRights, ["Send"]);
  const own = SERVICEBUS.replace(/SharedAccessKeyName=[^;]*;SharedAccessKey=[^;]*/, `SharedAccessKeyName=sender;SharedAccessKey=UHJpbWFyeUtleU9mVGhlUXVldWU=`);
  const limited = new ServiceBusClient(own, ONCE);
  await limited.createSender(name).sendMessages({ body: "x" });
  const error = await refused(limited.createReceiver(name).receiveMessages(1, { maxWaitTimeInMs: 500 }));
  assert.equal(error.code, "UnauthorizedAccess");
  await limited.close();
});

probe("a queue that does not exist is not found", async () => {
  const error = await refused(client.createSender(fresh("missing")).sendMessages({ body: "x" }));
  assert.ok(isServiceBusError(error));
  assert.equal(error.code, "MessagingEntityNotFound");
  const other = await refused(client.createReceiver(fresh("missing")).receiveMessages(1, { maxWaitTimeInMs: 500 }));
  assert.equal(other.code, "MessagingEntityNotFound");
});

probe("the same port speaks AMQP over TLS", async () => {
  const { name, sender } = await queue();
  await sender.sendMessages({ body: "x" });
  const secure = new ServiceBusClient(SERVICEBUS_TLS, ONCE);
  const receiver = secure.createReceiver(name);
  await receiver.completeMessage(await one(receiver));
  await secure.close();
});

probe("another key is turned away", async () => {
  const { name } = await queue();
  const wrong = new ServiceBusClient(SERVICEBUS.replace(/SharedAccessKey=[^;]*/, "SharedAccessKey=WRONG"), ONCE);
  assert.equal((await refused(wrong.createSender(name).sendMessages({ body: "x" }))).code, "UnauthorizedAccess");
  await wrong.close();
});

await run();
