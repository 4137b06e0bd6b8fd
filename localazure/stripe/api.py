"""The table of addresses: which parameters each takes, what it does, and what it shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from localazure.stripe import commands, representation, search
from localazure.stripe.commands import Page
from localazure.stripe.engine import Engine, Origin
from localazure.stripe.errors import InvalidRequest, UnsupportedFeature
from localazure.stripe.execution import Call
from localazure.stripe.faults import Operation
from localazure.stripe.fields import Fields
from localazure.stripe.form import Parameters
from localazure.stripe.model import Charge, Event, Intent, Refund
from localazure.stripe.store import Store

Json = dict[str, Any]
Effect = Callable[[Origin], Mapping[str, Any]]
Listed = TypeVar("Listed", Intent, Charge, Refund, Event)


@dataclass(frozen=True)
class Prepared:
    """A request whose parameters have been read and found good."""

    effect: Effect
    operations: tuple[Operation, ...]
    intent: Callable[[], Mapping[str, str]] = dict


@dataclass(frozen=True)
class Route:
    """One address. `read` takes its path's id ("" without one) and its parameters."""

    method: str
    path: str
    read: Callable[[str, Parameters, Sequence[str]], Prepared]

    def prepare(self, path: str, match: Mapping[str, str], parameters: Parameters, key: str | None) -> Call:
        """Raises InvalidRequest for parameters this address does not take."""
        canonical = json.dumps(parameters, sort_keys=True)
        expand = Fields({"expand": parameters.pop("expand")}).texts("expand") if "expand" in parameters else ()
        prepared = self.read(match.get("id", ""), parameters, expand or ())
        return Call(
            operations=prepared.operations,
            path=path,
            effect=prepared.effect,
            writes=self.method == "POST",
            parameters=canonical,
            key=key,
            metadata=prepared.intent,
        )


class Api:
    """One method for each address."""

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine

    def routes(self) -> list[Route]:
        intents, refunds = "/v1/payment_intents", "/v1/refunds"
        return [
            Route("POST", intents, self._create),
            Route("GET", intents, self._list_intents),
            Route("GET", f"{intents}/search", self._search),
            Route("GET", f"{intents}/{{id}}", self._intent),
            Route("POST", f"{intents}/{{id}}/confirm", self._confirm),
            Route("POST", f"{intents}/{{id}}/capture", self._capture),
            Route("POST", f"{intents}/{{id}}/cancel", self._cancel),
            Route("POST", refunds, self._create_refund),
            Route("GET", refunds, self._list_refunds),
            Route("GET", f"{refunds}/{{id}}", self._refund),
            Route("GET", "/v1/charges/{id}", self._charge),
            Route("GET", "/v1/events", self._list_events),
            Route("GET", "/v1/events/{id}", self._event),
        ]

    # PaymentIntents

    def _create(self, _identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        command = commands.create(parameters)
        operations: tuple[Operation, ...] = ("create", "confirm") if command.confirm else ("create",)
        return Prepared(
            lambda origin: self._shown(self._engine.create(command, origin), expand),
            operations,
            lambda: command.metadata,
        )

    def _confirm(self, identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        command = commands.confirm(parameters)
        return self._on_intent(
            "confirm", identity, lambda origin: self._shown(self._engine.confirm(identity, command, origin), expand)
        )

    def _capture(self, identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        command = commands.capture(parameters)
        return self._on_intent(
            "capture", identity, lambda origin: self._shown(self._engine.capture(identity, command, origin), expand)
        )

    def _cancel(self, identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        command = commands.cancel(parameters)
        return self._on_intent(
            "cancel", identity, lambda origin: self._shown(self._engine.cancel(identity, command, origin), expand)
        )

    def _intent(self, identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        Fields(parameters, known=["client_secret"]).end()
        return self._on_intent("retrieve", identity, lambda _origin: self._shown(self._engine.intent(identity), expand))

    def _list_intents(self, _identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        command, inner = commands.list_intents(parameters), _inside_lists(expand)
        return Prepared(
            lambda _origin: _listing(
                "/v1/payment_intents",
                command.page,
                self._store.page(Intent, command.page),
                lambda intent: self._shown(intent, inner),
            ),
            ("list",),
        )

    def _search(self, _identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        command, inner = commands.search(parameters), _inside_lists(expand)
        condition, before = search.parse(command.query), _cursor(command.page)

        def effect(_origin: Origin) -> Mapping[str, Any]:
            found = self._store.search(condition.sql, condition.values, before, command.limit + 1)
            shown = found[: command.limit]
            following = str(shown[-1][0]) if len(found) > command.limit else None
            data = [self._shown(intent, inner) for _, intent in shown]
            return representation.search_result("/v1/payment_intents/search", data, following)

        return Prepared(effect, ("search",))

    def _on_intent(self, operation: Operation, identity: str, effect: Effect) -> Prepared:
        def metadata() -> Mapping[str, str]:
            intent = self._store.find(Intent, identity)
            return {} if intent is None else intent.metadata

        return Prepared(effect, (operation,), metadata)

    def _shown(self, intent: Intent, expand: Sequence[str]) -> Json:
        shown = representation.payment_intent(intent)
        for name in expand:
            if name != "latest_charge":
                raise UnsupportedFeature(f"expanding {name}", param="expand")
            if intent.latest_charge is not None:
                shown[name] = representation.charge(self._store.get(Charge, intent.latest_charge))
        return shown

    # Refunds and charges

    def _create_refund(self, _identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        command = commands.create_refund(parameters)
        identity = command.payment_intent
        if identity is None:
            charge = self._store.get(Charge, str(command.charge), param="charge")
            identity = charge.payment_intent
        return self._on_intent(
            "refund", identity, lambda origin: self._shown_refund(self._engine.refund(command, origin), expand)
        )

    def _list_refunds(self, _identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        command, inner = commands.list_refunds(parameters), _inside_lists(expand)
        identity = command.payment_intent
        if command.charge is not None:
            identity = self._store.get(Charge, command.charge, param="charge").payment_intent
        condition, values = ("1", ()) if identity is None else ("parent = ?", (identity,))
        return Prepared(
            lambda _origin: _listing(
                "/v1/refunds",
                command.page,
                self._store.page(Refund, command.page, condition, values),
                lambda refund: self._shown_refund(refund, inner),
            ),
            ("list",),
        )

    def _refund(self, identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        Fields(parameters).end()
        return Prepared(lambda _origin: self._shown_refund(self._store.get(Refund, identity), expand), ("retrieve",))

    def _shown_refund(self, refund: Refund, expand: Sequence[str]) -> Json:
        shown = representation.refund(refund)
        for name in expand:
            if name == "charge":
                shown[name] = representation.charge(self._store.get(Charge, refund.charge))
            elif name == "payment_intent":
                shown[name] = representation.payment_intent(self._store.get(Intent, refund.payment_intent))
            else:
                raise UnsupportedFeature(f"expanding {name}", param="expand")
        return shown

    def _charge(self, identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        Fields(parameters).end()
        _nothing_to_expand(expand)
        return Prepared(lambda _origin: representation.charge(self._store.get(Charge, identity)), ("retrieve",))

    # Events

    def _list_events(self, _identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        command = commands.list_events(parameters)
        _nothing_to_expand(expand)
        condition = " OR ".join("parent GLOB ?" for _ in command.types) or "1"
        return Prepared(
            lambda _origin: _listing(
                "/v1/events",
                command.page,
                self._store.page(Event, command.page, condition, command.types),
                self._shown_event,
            ),
            ("list",),
        )

    def _event(self, identity: str, parameters: Parameters, expand: Sequence[str]) -> Prepared:
        Fields(parameters).end()
        _nothing_to_expand(expand)
        return Prepared(lambda _origin: self._shown_event(self._store.get(Event, identity)), ("retrieve",))

    def _shown_event(self, event: Event) -> Json:
        return representation.event(event, self._store.pending(event.id))


def _listing(url: str, page: Page, found: list[Listed], show: Callable[[Listed], Json]) -> Mapping[str, Any]:
    shown = found[: page.limit]
    if page.ending_before:
        shown.reverse()
    return representation.listing(url, [show(thing) for thing in shown], has_more=len(found) > page.limit)


def _inside_lists(expand: Sequence[str]) -> list[str]:
    for name in expand:
        if not name.startswith("data."):
            raise UnsupportedFeature(f"expanding {name}", param="expand")
    return [name.removeprefix("data.") for name in expand]


def _nothing_to_expand(expand: Sequence[str]) -> None:
    if expand:
        raise UnsupportedFeature(f"expanding {expand[0]}", param="expand")


def _cursor(page: str | None) -> int | None:
    if page is not None and not page.isdecimal():
        raise InvalidRequest(f"Invalid page: {page}", param="page")
    return None if page is None else int(page)
