"""Carries one call out: its idempotency key, the fault that may strike it, and its transaction."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from localazure.clock import Clock
from localazure.stripe import representation
from localazure.stripe.engine import Origin
from localazure.stripe.errors import Executed, Injected, KeyInUse, KeyMismatch
from localazure.stripe.faults import Fault, Faults, Operation
from localazure.stripe.model import new_id
from localazure.stripe.store import Answer, Store

KEY_LIFETIME = 24 * 3600.0
encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Call:
    """One request to the API. `effect` runs inside the transaction and returns the answer's object."""

    operations: tuple[Operation, ...]
    path: str
    effect: Callable[[Origin], Mapping[str, Any]]
    writes: bool = True
    parameters: str = ""
    key: str | None = None
    metadata: Callable[[], Mapping[str, str]] = field(default=dict)
    """Of the PaymentIntent it is about; read only where a fault asks."""


@dataclass(frozen=True)
class Outcome:
    """An answer and whether the caller gets it: a struck call is left waiting, or its connection is dropped."""

    answer: Answer
    request: str
    replayed: bool = False
    fate: Literal["answer", "hang", "drop"] = "answer"


class Execution:
    """`committed` is called after each transaction that wrote something."""

    def __init__(self, store: Store, faults: Faults, clock: Clock, committed: Callable[[], None]) -> None:
        self._store = store
        self._faults = faults
        self._clock = clock
        self._committed = committed
        self._keys_in_use: set[str] = set()
        self._delayed: set[asyncio.Task[Outcome]] = set()
        self.calls: Counter[str] = Counter()

    def stop(self) -> None:
        """Give up the calls a fault still holds back: they have had no effect yet."""
        for task in self._delayed:
            task.cancel()

    async def run(self, call: Call) -> Outcome:
        """Raises ApiError for what was not executed; an executed failure is an Outcome."""
        self.calls[call.operations[0]] += 1
        request = new_id("req")
        if call.key is not None and (replay := self._replay(call, request)):
            return replay
        fault = self._faults.take(call.operations, call.metadata)
        if fault is None:
            return Outcome(self._execute(call, request), request)
        if fault.kind == "status":
            raise Injected(fault.status)
        if fault.kind in ("latency", "hang_before_effect"):
            # A task of its own: the effect happens even if the caller has gone by then.
            if call.key is not None:
                self._keys_in_use.add(call.key)
            task = asyncio.create_task(self._later(call, request, fault))
            self._delayed.add(task)
            task.add_done_callback(self._delayed.discard)
            return await asyncio.shield(task)
        return Outcome(
            self._execute(call, request), request, fate="drop" if fault.kind == "drop_after_effect" else "hang"
        )

    async def _later(self, call: Call, request: str, fault: Fault) -> Outcome:
        try:
            await self._clock.sleep(fault.seconds)
            answer = self._execute(call, request)
        finally:
            self._keys_in_use.discard(call.key or "")
        return Outcome(answer, request, fate="answer" if fault.kind == "latency" else "hang")

    def _replay(self, call: Call, request: str) -> Outcome | None:
        key = str(call.key)
        if key in self._keys_in_use:
            raise KeyInUse(key)
        known = self._store.recall(key, self._clock.time() - KEY_LIFETIME)
        if known is None:
            return None
        advice = f"Try using a key other than '{key}' if you meant to execute a different request."
        if known.path != call.path:
            raise KeyMismatch(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{known.path}'). {advice}"
            )
        if known.parameters != call.parameters:
            raise KeyMismatch(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"{advice}"
            )
        return Outcome(known.answer, request, replayed=True)

    def _execute(self, call: Call, request: str) -> Answer:
        origin = Origin(request, call.key)
        if not call.writes:
            return Answer(200, encode(call.effect(origin)), request)
        with self._store.transaction():
            try:
                answer = Answer(200, encode(call.effect(origin)), request)
            except Executed as exc:
                answer = Answer(exc.http_status, encode(representation.error(exc)), request)
            if call.key is not None:
                now = self._clock.time()
                self._store.forget(now - KEY_LIFETIME)
                self._store.remember(call.key, call.path, call.parameters, answer, now)
        self._committed()
        return answer
