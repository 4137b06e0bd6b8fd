"""Which orders a person looks at before they are confirmed: a table of rules. Pure: no clock, no I/O.

The table is data, the setting `APPROVAL_RULES`: JSON, a list of rules, each with a name and what it looks at. It is
applied once, when an order is let in, and the names of the rules that marked the order are written down with it: so
whatever the table says later, the order's saga decides the same however often it is replayed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated

import msgspec

from blueprints.orders.domain import Order
from shared.clock import parse_timestamp, timestamp
from shared.money import Money, minor_unit_digits
from shared.patterns import Country, whole
from shared.settings import SettingError

HOLD_LIFE = timedelta(days=6)
"""How long after its order a hold of money is counted on. A card's authorisation lasts seven days at most networks.
Source: Stripe, "Place a hold on a payment method", "Authorization validity windows"."""
MAX_RULES = 50
MAX_METHODS = 20
"""Payment methods of one customer that are remembered, those used last: more than a rule may ask for."""

_Name = Annotated[str, msgspec.Meta(pattern=whole("[a-z][a-z0-9_]{0,39}"))]
_Currency = Annotated[str, msgspec.Meta(pattern=whole("[A-Z]{3}"))]


class TotalAbove(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="when", tag="total_above"):
    """The order costs more than `total`, in that currency."""

    name: _Name
    total: Money


class NewPaymentMethods(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="when", tag="new_payment_methods"
):
    """The customer has paid, or tried to, with more than so many methods that were new within the last `hours`."""

    name: _Name
    more_than: Annotated[int, msgspec.Meta(ge=1, lt=MAX_METHODS)]
    hours: Annotated[int, msgspec.Meta(ge=1, le=30 * 24)]


class CountryOutside(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="when", tag="country_outside"):
    """The order is paid in `currency`, and goes to none of these `countries` (ISO 3166-1 alpha-2)."""

    name: _Name
    currency: _Currency
    countries: Annotated[tuple[Country, ...], msgspec.Meta(min_length=1)]


Rule = TotalAbove | NewPaymentMethods | CountryOutside
_Table = Annotated[tuple[Rule, ...], msgspec.Meta(max_length=MAX_RULES)]


@cache
def read_rules(text: str) -> tuple[Rule, ...]:
    """The table that `text` holds. Raises SettingError, which says where it is wrong."""
    try:
        rules = msgspec.json.decode(text, type=_Table)
        for rule in rules:
            if isinstance(rule, TotalAbove | CountryOutside):
                minor_unit_digits(rule.total.currency if isinstance(rule, TotalAbove) else rule.currency)
        names = [rule.name for rule in rules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rules are called {', '.join(twice)}")
    except (ValueError, RecursionError) as exc:
        raise SettingError(
            f"the app setting APPROVAL_RULES is no table of rules: {exc}. See docs/operations.md"
        ) from exc
    return rules


def looks_at_methods(rules: Iterable[Rule]) -> bool:
    """Whether a rule needs to know how a customer has paid."""
    return any(isinstance(rule, NewPaymentMethods) for rule in rules)


def with_method(methods: Mapping[str, float], payment_method: str, now: float) -> dict[str, float]:
    """What is remembered of a customer's payment methods after this one was used: fingerprint → when it was new.

    The latest stand last. Those of a customer who uses more than are kept are all new.
    """
    known = hashlib.sha256(payment_method.encode()).hexdigest()[:16]
    left = {**{name: since for name, since in methods.items() if name != known}, known: methods.get(known, now)}
    return dict(list(left.items())[-MAX_METHODS:])


def marked_by(rules: Sequence[Rule], order: Order, methods: Mapping[str, float], now: float) -> tuple[str, ...]:
    """The names of the rules that mark a new order, in the table's order. `methods`: with that of the order."""
    return tuple(rule.name for rule in rules if _marks(rule, order, methods, now))


def _marks(rule: Rule, order: Order, methods: Mapping[str, float], now: float) -> bool:
    match rule:
        case TotalAbove(total=most):
            return order.total.currency == most.currency and order.total.amount > most.amount
        case NewPaymentMethods(more_than=most_new, hours=hours):
            return sum(since > now - hours * 3600 for since in methods.values()) > most_new
        case CountryOutside(currency=currency, countries=countries):
            return order.total.currency == currency and order.shipping_address.country not in countries


def decided_until(order: Order, now: datetime, seconds: float) -> str:
    """When time decides an order that begins to wait now: after so many seconds, and while its money is surely held."""
    return timestamp(min(now + timedelta(seconds=seconds), parse_timestamp(order.placed_at) + HOLD_LIFE))
