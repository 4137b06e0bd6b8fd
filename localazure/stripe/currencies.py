"""Which currencies are taken, and how small or large an amount may be in each."""

from __future__ import annotations

from localazure.stripe.errors import InvalidRequest

MAX_AMOUNT = 99_999_999  # eight digits of minor units in every currency

MINIMUM = {
    "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30,
    "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200,
    "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
"""Stripe's published minimum charge where it publishes one; elsewhere the least is 1."""

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
WHOLE_UNITS_ONLY = frozenset("isk ugx".split())  # written with two decimals that must be 00
OTHERS = frozenset("all ars bgn cop egp gel ils kes mad pen php qar rsd sar try twd uah uyu zar".split())
SUPPORTED = frozenset(MINIMUM) | ZERO_DECIMAL | THREE_DECIMAL | WHOLE_UNITS_ONLY | OTHERS


def check_currency(text: str) -> str:
    """The currency in lower case. Raises InvalidRequest for one that is not taken, naming it."""
    currency = text.lower()
    if currency not in SUPPORTED:
        raise InvalidRequest(
            f"Invalid currency: {text}. localazure supports: {', '.join(sorted(SUPPORTED))}",
            code="parameter_invalid_string_enum",
            param="currency",
        )
    return currency


def check_amount(amount: int, currency: str) -> int:
    """The amount of a new charge. Raises InvalidRequest outside the currency's limits."""
    least = MINIMUM.get(currency, 1)
    if amount < least:
        raise InvalidRequest(
            f"Amount must be at least {written(least, currency)}", code="amount_too_small", param="amount"
        )
    if amount > MAX_AMOUNT:
        raise InvalidRequest(
            f"Amount must be no more than {written(MAX_AMOUNT, currency)}", code="amount_too_large", param="amount"
        )
    step = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_UNITS_ONLY else 1
    if amount % step:
        raise InvalidRequest(
            f"Invalid amount: in {currency} it must be a multiple of {step}",
            code="parameter_invalid_integer",
            param="amount",
        )
    return amount


def written(amount: int, currency: str) -> str:
    """An amount as a person reads it, such as `0.30 gbp`."""
    decimals = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    return f"{amount / 10**decimals:,.{decimals}f} {currency}"
