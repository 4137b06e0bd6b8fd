"""Where senders send: a queue, or a topic that hands copies to its subscriptions by their rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from localazure.servicebus import content
from localazure.servicebus.amqp.message import Parsed
from localazure.servicebus.durations import FOREVER
from localazure.servicebus.errors import EntityDisabled, NotAllowed
from localazure.servicebus.filters import Rule
from localazure.servicebus.mailbox import NEVER
from localazure.servicebus.operators import EvaluationError
from localazure.servicebus.options import Options
from localazure.servicebus.queue import Queue
from localazure.servicebus.sql import Properties
from localazure.servicebus.store import Message, Store

_SETTABLE = {"sys.messageid": "message_id", "sys.sessionid": "session_id"}
"""The system properties that the broker itself goes by."""


@dataclass(frozen=True)
class Incoming:
    """A message as a sender gives it. `parsed` is its content taken apart, for rules, if it is known."""

    content: bytes
    message_id: str | None = None
    session_id: str | None = None
    ttl: float | None = None
    due: float | None = None
    annotations: Mapping[str, Any] = field(default_factory=dict)
    own: tuple[bytes, ...] = ()
    delivery: tuple[bytes, ...] = ()
    durable: bool | None = None
    priority: int | None = None
    parsed: Parsed | None = None


class Target:
    """`waiting` holds scheduled messages: the queue itself, or for a topic one that nobody receives from."""

    def __init__(self, name: str, options: Options, store: Store, waiting: Queue, now: Callable[[], float]) -> None:
        self.name, self.options, self.waiting = name, options, waiting
        self.counts: Counter[str] = Counter()
        self.accessed = now()
        self._store, self._now = store, now
        self._seen = store.seen(name) if options.duplicates else {}

    def check(self, messages: Sequence[Incoming] = ()) -> None:
        """Raises EntityDisabled where nothing can be sent, NotAllowed where a message lacks its session id."""
        if not self.options.sendable:
            raise EntityDisabled(f"Messaging entity '{self.name}' is currently disabled.")
        if any(self.needs_session(message.session_id) for message in messages):
            raise NotAllowed(f"{self.name} has sessions; a message needs a session id")

    def accept(self, message: Incoming, now: float, number: int | None = None) -> None:
        """Take a message in, under a number if one was reserved for it; a known one is passed over."""
        self.accessed = now
        if self.repeated(message.message_id, now):
            return
        self.counts["sent"] += 1
        ttl = min(FOREVER if message.ttl is None else message.ttl, self.options.ttl)
        made = Message(
            seq=0,
            content=message.content,
            message_id=message.message_id,
            session_id=message.session_id,
            enqueued=now,
            expires=NEVER if ttl >= FOREVER else max(now, message.due or now) + ttl,
            due=message.due,
            annotations=dict(message.annotations),
            own=message.own,
            delivery=message.delivery,
            durable=message.durable,
            priority=message.priority,
        )
        if message.due is not None and message.due > now:
            made.state = "scheduled"
            self.waiting.add(made, number)
        else:
            self.distribute(made, message.parsed, number)

    def forwarded(self, message: Message) -> tuple[str, str] | None:
        """Take in what another entity forwards; reason and description if it cannot be taken."""
        if not self.options.sendable:
            return "EntityDisabled", f"The entity {self.name}, where messages are forwarded to, is disabled."
        if self.needs_session(message.session_id):
            return "SessionIdIsMissing", f"The entity {self.name}, where messages are forwarded to, requires sessions."
        now = self._now()
        self.accessed = now
        if not self.repeated(message.message_id, now):
            self.counts["sent"] += 1
            expires = message.expires if self.options.ttl >= FOREVER else min(message.expires, now + self.options.ttl)
            self.distribute(replace(message, expires=expires, enqueued=now))
        return None

    def needs_session(self, session_id: str | None) -> bool:
        """Whether a message with this session id has to be refused."""
        return False

    def distribute(self, message: Message, parsed: Parsed | None = None, number: int | None = None) -> None:
        """Put the message where it is received from; the content is read for rules if it is not given parsed."""
        raise NotImplementedError

    def dispatch(self) -> None:
        raise NotImplementedError

    def check_scheduled(self, numbers: Sequence[int]) -> None:
        """Raises MessageNotFound unless each is a scheduled message's."""
        for number in numbers:
            self.waiting.scheduled(number)

    def cancel_scheduled(self, numbers: Sequence[int]) -> None:
        """All of them, or none. Raises MessageNotFound."""
        self.check_scheduled(numbers)
        for number in set(numbers):
            self.waiting.remove(self.waiting.scheduled(number))

    def repeated(self, message_id: str | None, now: float) -> bool:
        """Whether duplicates are looked for and this is one; if not, it is remembered."""
        if not self.options.duplicates or message_id is None:
            return False
        oldest = now - self.options.duplicate_window
        stale = []
        for known, at in self._seen.items():
            if at >= oldest:
                break
            stale.append(known)
        for known in stale:
            del self._seen[known]
        if stale:
            self._store.forget_seen(self.name, oldest)
        if message_id in self._seen:
            self.counts["duplicates"] += 1
            return True
        self._seen[message_id] = now
        self._store.saw(self.name, message_id, now)
        return False


class QueueTarget(Target):
    """A queue, as senders see it."""

    def needs_session(self, session_id: str | None) -> bool:
        return self.options.sessions and session_id is None

    def distribute(self, message: Message, parsed: Parsed | None = None, number: int | None = None) -> None:
        self.waiting.add(message, number)

    def dispatch(self) -> None:
        self.waiting.dispatch()


class TopicTarget(Target):
    """A topic. `subscriptions` is filled by what makes them: name in lower case → queue and rules."""

    def __init__(self, name: str, options: Options, store: Store, waiting: Queue, now: Callable[[], float]) -> None:
        super().__init__(name, options, store, waiting, now)
        self.subscriptions: dict[str, tuple[Queue, tuple[Rule, ...]]] = {}

    def distribute(self, message: Message, parsed: Parsed | None = None, number: int | None = None) -> None:
        if not self.subscriptions:
            return
        known = content.properties(message.content) if parsed is None else content.properties_of(parsed)
        for queue, rules in self.subscriptions.values():
            ttl = queue.options.ttl
            own = message if ttl >= FOREVER else replace(message, expires=min(message.expires, message.enqueued + ttl))
            for copy in _copies(own, rules, known, queue):
                if queue.options.sessions and copy.session_id is None:
                    queue.add_dead_letter(copy, "Session ID is null.", "Session enabled entity doesn't allow a message "
                               "whose session identifier is null.")  # fmt: skip
                else:
                    queue.add(copy)

    def publish_due(self) -> None:
        """What was scheduled and is due goes to the subscriptions as if it were sent now."""
        now = self._now()
        due = [m for m in self.waiting.messages.values() if m.due is not None and m.due <= now]
        for message in due:
            self.waiting.remove(message)
            self.distribute(replace(message, state="active", enqueued=now))

    def dispatch(self) -> None:
        for queue, _ in list(self.subscriptions.values()):
            queue.dispatch()


def _copies(message: Message, rules: tuple[Rule, ...], properties: Properties, queue: Queue) -> list[Message]:
    """One copy for all the rules without an action that fit, and one for each that fits and has one."""
    plain, changed = False, []
    for rule in rules:
        try:
            if not rule.filter.fits(properties):
                continue
            if rule.action is None:
                plain = True
            else:
                changed.append(_acted(message, rule.action.changes(properties)))
        except EvaluationError as exc:
            if queue.options.dead_letter_filter_errors:
                queue.add_dead_letter(_copy(message), "FilterEvaluationException", f"The rule {rule.name}: {exc}")
    return [*([_copy(message)] if plain else []), *changed]


def _copy(message: Message) -> Message:
    return replace(message, annotations=dict(message.annotations))


def _acted(message: Message, changes: Mapping[str, Any]) -> Message:
    copy = _copy(message)
    copy.content = content.changed(message.content, changes)
    for name, value in changes.items():
        if name.lower() in _SETTABLE:
            setattr(copy, _SETTABLE[name.lower()], value if isinstance(value, str) else None)
    return copy
