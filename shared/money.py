"""Money is a whole number of minor units and an ISO 4217 currency; there is no other representation."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Annotated

import msgspec

from shared.patterns import whole

ZERO_DECIMALS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())
THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
TWO_DECIMALS = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR
    ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
    MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
    SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW""".split()
)


MAX_AMOUNT = 99_999_999
"""Minor units: eight digits are the most that one card payment can carry."""


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were combined."""


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount in minor units (pence, cents, yen) of `currency` (ISO 4217, upper case)."""

    amount: Annotated[int, msgspec.Meta(ge=0, le=MAX_AMOUNT)]
    currency: Annotated[str, msgspec.Meta(pattern=whole("[A-Z]{3}"))]

    def __add__(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def __mul__(self, quantity: int) -> Money:
        return Money(self.amount * quantity, self.currency)

    def __str__(self) -> str:
        digits = minor_unit_digits(self.currency)
        return f"{Decimal(self.amount).scaleb(-digits):.{digits}f} {self.currency}"


def minor_unit_digits(currency: str) -> int:
    """How many decimals the currency has by ISO 4217. Raises ValueError for a code that is not in use."""
    if currency in TWO_DECIMALS:
        return 2
    if currency in ZERO_DECIMALS:
        return 0
    if currency in THREE_DECIMALS:
        return 3
    raise ValueError(f"{currency!r} is not an ISO 4217 currency code in use")


def parse(text: str, currency: str) -> Money:
    """`"2.55", "GBP"` → 255 pence. Raises ValueError for what is no number, negative, or finer than a minor unit."""
    digits = minor_unit_digits(currency)
    try:
        scaled = Decimal(text).scaleb(digits)
    except InvalidOperation as exc:
        raise ValueError(f"{text!r} is not an amount of money") from exc
    if not scaled.is_finite() or not 0 <= scaled <= MAX_AMOUNT or scaled != scaled.to_integral_value():
        raise ValueError(
            f"{text!r} is not a whole, non-negative number of minor units of {currency}, up to {MAX_AMOUNT}"
        )
    return Money(int(scaled), currency)


def total(amounts: Iterable[Money]) -> Money:
    """The sum of one or more amounts of one currency. Raises CurrencyMismatch, or ValueError for none at all."""
    iterator = iter(amounts)
    try:
        first = next(iterator)
    except StopIteration:
        raise ValueError("the total of nothing has no currency") from None
    return sum(iterator, start=first)
