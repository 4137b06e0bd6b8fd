"""The entities there are: making, changing and deleting them, while messages flow.

What the entities file declares is made as the file says at each start; what the administration client made beside it
is kept in the state, and is there again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from localazure.clock import Clock
from localazure.servicebus.authorization import AuthorizationRule
from localazure.servicebus.descriptions import Description
from localazure.servicebus.durations import FOREVER
from localazure.servicebus.entities import Namespace
from localazure.servicebus.errors import BrokerError, EntityDisabled, EntityExists, EntityNotFound, NotAllowed
from localazure.servicebus.filters import Rule
from localazure.servicebus.mailbox import Alarm
from localazure.servicebus.options import Kind, Options
from localazure.servicebus.queue import Forward, Queue
from localazure.servicebus.store import Store
from localazure.servicebus.target import QueueTarget, Target, TopicTarget

DEAD_LETTERS = "/$DeadLetterQueue"
TRANSFER_DEAD_LETTERS = "/$Transfer/$DeadLetterQueue"


class Topology:
    """`queues` are what can be received from, `targets` where can be sent to; both by path in lower case.

    `transfers` are the queues of messages that could not be sent on to another entity within a transaction. Here a
    transaction sends to each entity itself: they exist and are empty.
    """

    def __init__(self, store: Store, clock: Clock, alarm: Alarm, forward: Forward) -> None:
        self._store, self._clock, self._alarm, self._forward = store, clock, alarm, forward
        self.queues: dict[str, Queue] = {}
        self.targets: dict[str, Target] = {}
        self.transfers: dict[str, Queue] = {}
        self._described: dict[str, Description] = {}

    def load(self, namespace: Namespace) -> None:
        """Make what is declared, and what was made at run time and is not."""
        declared = {described.path.lower(): described for described in _declared(namespace, self._clock.time())}
        known = {described.path.lower(): described for described in self._store.descriptions()}
        for path, described in known.items():
            if described.declared and path not in declared:
                self._store.undescribe(described.path)
        kept = {path: described for path, described in known.items() if not described.declared}
        for path, described in sorted({**kept, **declared}.items(), key=lambda item: len(item[0].split("/"))):
            before = known.get(path)
            if before is not None and before.same(described):
                described = replace(described, created=before.created, updated=before.updated)
            elif before is not None:
                described = replace(described, created=before.created)
            parent = path.rpartition("/subscriptions/")[0]
            if described.kind == "subscription" and not isinstance(self.targets.get(parent), TopicTarget):
                self._store.undescribe(described.path)  # its topic is no longer declared
                continue
            self._make(described)

    def describe(self, path: str) -> Description:
        """Raises EntityNotFound."""
        found = self._described.get(path.lower())
        if found is None:
            raise EntityNotFound(f"The messaging entity '{path}' could not be found.")
        return found

    def descriptions(self, kind: Kind, topic: str = "") -> list[Description]:
        """All of a kind in the order of their names; of one topic, if they are subscriptions."""
        prefix = f"{topic}/subscriptions/".lower() if topic else ""
        found = [d for path, d in self._described.items() if d.kind == kind and path.startswith(prefix)]
        return sorted(found, key=lambda described: described.path.lower())

    def create(self, kind: Kind, path: str, options: Options, rules: tuple[Rule, ...] = ()) -> Description:
        """Raises EntityExists, and NotAllowed for a destination that does not exist."""
        if path.lower() in self._described:
            raise EntityExists(f"The messaging entity '{path}' already exists.")
        if kind == "subscription" and self.describe(path.rpartition("/Subscriptions/")[0]).kind != "topic":
            raise EntityNotFound(f"The messaging entity '{path}' could not be found: its topic is a queue.")
        self._check_destinations(options)
        now = self._clock.time()
        described = Description(kind, path, options, now, now, rules)
        self._make(described)
        return described

    def update(self, path: str, options: Options) -> Description:
        """Change how an entity behaves; what is in it stays. Raises EntityNotFound, NotAllowed."""
        before = self.describe(path)
        self._check_destinations(options)
        described = replace(before, options=options, updated=self._clock.time())
        self._note(described)
        target = self.targets.get(path.lower())
        if target is not None:
            target.options = options
        if described.kind != "topic":
            queue = self.queues[path.lower()]
            queue.change(options)
            self.queues[f"{path}{DEAD_LETTERS}".lower()].change(_for_dead_letters(options))
            if not options.receivable:
                queue.send_away(EntityDisabled(f"Messaging entity '{path}' is currently disabled."))
            queue.dispatch()
        return described

    def set_rules(self, path: str, rules: Iterable[Rule]) -> Description:
        """Replace all the rules of a subscription. Raises EntityNotFound."""
        described = replace(self.describe(path), rules=tuple(rules), updated=self._clock.time())
        self._note(described)
        self._enlist(described, self.queues[path.lower()])
        return described

    def delete(self, path: str) -> None:
        """Remove an entity with its messages, and a topic with its subscriptions. Raises EntityNotFound."""
        described = self.describe(path)
        if described.kind == "topic":
            for subscription in self.descriptions("subscription", described.path):
                self.delete(subscription.path)
        del self._described[path.lower()]
        self._store.undescribe(described.path)
        self._store.forget(described.path)
        self.targets.pop(path.lower(), None)
        gone = EntityNotFound(f"The messaging entity '{described.path}' was deleted.")
        if described.kind == "topic":
            self._store.forget(_scheduled(described.path))
        else:
            self._remove(self.queues.pop(path.lower()), gone)
            self._remove(self.queues.pop(f"{path}{DEAD_LETTERS}".lower()), gone)
            self._remove(self.transfers.pop(f"{path}{TRANSFER_DEAD_LETTERS}".lower()), gone)
        if described.kind == "subscription":
            topic, _, name = path.lower().rpartition("/subscriptions/")
            topic_target = self.targets[topic]
            assert isinstance(topic_target, TopicTarget), "subscriptions are made under topics alone"
            del topic_target.subscriptions[name]

    def authorization(self, name: str) -> list[tuple[str, AuthorizationRule]]:
        """The authorization rules of a name, with the entities that have them."""
        found = self._described.values()
        return [(d.path, rule) for d in found for rule in d.options.authorization if rule.name == name]

    def delete_idle(self) -> list[float]:
        """Delete what has been idle for as long as its AutoDeleteOnIdle says; when to look again."""
        now, moments = self._clock.time(), []
        for described in list(self._described.values()):
            if described.options.idle >= FOREVER or described.path.lower() not in self._described:
                continue
            moment = max(described.updated, self.accessed(described)) + described.options.idle
            queue = self.queues.get(described.path.lower())
            if queue is not None and queue.receivers:
                moment = now + described.options.idle
            if moment <= now:
                self.delete(described.path)
            else:
                moments.append(moment)
        return moments

    def accessed(self, described: Description) -> float:
        """When the entity was last sent to or received from, in seconds since the epoch; the start, if it was not."""
        path = described.path.lower()
        found = [entity.accessed for entity in (self.queues.get(path), self.targets.get(path)) if entity is not None]
        return max(found, default=described.created)

    def _remove(self, queue: Queue, error: BrokerError) -> None:
        queue.send_away(error)
        queue.clear()

    def _check_destinations(self, options: Options) -> None:
        for destination in (options.forward_to, options.forward_dead_letters_to):
            if destination and destination.lower() not in self.targets:
                raise NotAllowed(f"There is no queue and no topic '{destination}' to forward to.")

    def _make(self, described: Description) -> None:
        path, now = described.path, self._clock.time
        if described.kind == "topic":
            waiting = self._queue(_scheduled(path), Options(), None)
            self.targets[path.lower()] = TopicTarget(path, described.options, self._store, waiting, now)
        else:
            dead = self._queue(f"{path}{DEAD_LETTERS}", _for_dead_letters(described.options), None)
            queue = self._queue(path, described.options, dead)
            self.queues[path.lower()] = queue
            self.queues[dead.name.lower()] = dead
            transfer = self._queue(f"{path}{TRANSFER_DEAD_LETTERS}", _for_dead_letters(Options()), None)
            self.transfers[transfer.name.lower()] = transfer
            if described.kind == "queue":
                self.targets[path.lower()] = QueueTarget(path, described.options, self._store, queue, now)
            else:
                self._enlist(described, queue)
        self._note(described)

    def _queue(self, name: str, options: Options, dead: Queue | None) -> Queue:
        return Queue(name, options, self._store, self._clock, self._alarm, dead, self._forward)

    def _enlist(self, described: Description, queue: Queue) -> None:
        topic, _, name = described.path.lower().rpartition("/subscriptions/")
        target = self.targets[topic]
        assert isinstance(target, TopicTarget), "subscriptions are made under topics alone"
        target.subscriptions[name] = queue, described.rules

    def _note(self, described: Description) -> None:
        self._described[described.path.lower()] = described
        self._store.describe(described)
        if described.options.idle < FOREVER:
            self._alarm(self._clock.time() + described.options.idle)


def _scheduled(topic: str) -> str:
    return f"{topic}/$scheduled"


def _for_dead_letters(options: Options) -> Options:
    return Options(lock=options.lock, most_deliveries=10**9, forward_to=options.forward_dead_letters_to)


def _declared(namespace: Namespace, now: float) -> Iterable[Description]:
    for name, queue in namespace.queues.items():
        yield Description("queue", name, queue, now, now, declared=True)
    for name, topic in namespace.topics.items():
        yield Description("topic", name, topic.options, now, now, declared=True)
        for subscription, made in topic.subscriptions.items():
            path = f"{name}/Subscriptions/{subscription}"
            yield Description("subscription", path, made.options, now, now, made.rules, declared=True)
