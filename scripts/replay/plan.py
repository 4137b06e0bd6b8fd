"""What each row becomes. Pure: nothing is asked of the shop here.

| row | becomes |
|---|---|
| positive quantity and price | a line of an order; an invoice is one order, or more if it has over a thousand lines |
| invoice `C…`, negative quantity | a return: the pieces go back on the shelf, and a refund is due |
| negative quantity otherwise | a write-off: the pieces leave the shelf |
| price zero, with a customer | a gift: the pieces leave the shelf |
| price zero, without one | a find: the pieces come onto the shelf |
| anything else | rejected, with the reason |

One product is sold at several prices in the data. The shop has one price for a product, so each price of a stock code
is a product of its own here: `85123A.255.1f9c07` is 85123A at 255 pence in the file with the tag 1f9c07.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from scripts.dataset import BOOK_KEEPING
from scripts.replay.rows import Malformed, Row
from shared.money import MAX_AMOUNT

MAX_LINES = 1_000
MAX_PIECES = 100_000
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,21}")


@dataclass(frozen=True)
class Line:
    """So many pieces of a product, from one row."""

    row: int
    sku: str
    pieces: int
    pence: int


@dataclass(frozen=True)
class Order:
    """One order to be placed. `key` is its Idempotency-Key: the same file gives the same orders."""

    key: str
    customer: str
    lines: tuple[Line, ...]

    @property
    def pence(self) -> int:
        return sum(line.pence * line.pieces for line in self.lines)


@dataclass
class Plan:
    """Everything a file asks for. Each row is in exactly one place."""

    rows: int = 0
    names: dict[str, str] = field(default_factory=dict)
    prices: dict[str, int] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    returns: list[Line] = field(default_factory=list)
    write_offs: list[Line] = field(default_factory=list)
    gifts: list[Line] = field(default_factory=list)
    finds: list[Line] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)

    @property
    def start(self) -> Counter[str]:
        """Pieces that must lie on the shelf at first: what is sold, written off and given away."""
        needed: Counter[str] = Counter()
        for line in (*(line for order in self.orders for line in order.lines), *self.write_offs, *self.gifts):
            needed[line.sku] += line.pieces
        for line in (*self.returns, *self.finds):
            needed[line.sku] += 0
        return needed

    @property
    def change(self) -> Counter[str]:
        """By how many pieces the stock changes beside the sales."""
        found: Counter[str] = Counter()
        for lines, sign in ((self.returns, 1), (self.finds, 1), (self.write_offs, -1), (self.gifts, -1)):
            for line in lines:
                found[line.sku] += sign * line.pieces
        return found


def make_plan(rows: Iterable[Row | Malformed], tag: str) -> Plan:
    """Sort every row."""
    plan, sales = Plan(), defaultdict[tuple[str, str], list[Line]](list)
    for row in rows:
        plan.rows += 1
        if isinstance(row, Malformed):
            plan.rejected[row.number] = f"malformed: {row.why}"
        elif reason := _reason(row):
            plan.rejected[row.number] = reason
        else:
            _sort(row, tag, plan, sales)
    for (invoice, customer), lines in sales.items():
        plan.orders += _orders(invoice, customer, lines, tag)
    return plan


def _reason(row: Row) -> str | None:
    """Why a row cannot become anything, if it cannot."""
    if row.code.upper() in BOOK_KEEPING:
        return "book-keeping: nothing is sold"
    if not _CODE.fullmatch(row.code):
        return "stock code that the shop cannot take"
    if row.quantity == 0:
        return "no pieces"
    if row.price < 0:
        return "negative price"
    if abs(row.quantity) > MAX_PIECES:
        return f"more than {MAX_PIECES} pieces"
    if row.price * 100 != int(row.price * 100):
        return "a price finer than a penny"
    if abs(row.quantity) * int(row.price * 100) > MAX_AMOUNT:
        return "more than one payment can carry"
    return None


def _sort(row: Row, tag: str, plan: Plan, sales: dict[tuple[str, str], list[Line]]) -> None:
    pence = int(row.price * 100)
    sku = f"{row.code}.{pence}.{tag}"
    line = Line(row.number, sku, abs(row.quantity), pence)
    plan.names.setdefault(sku, (row.name or row.code)[:200])
    plan.prices[sku] = pence
    if row.quantity < 0:
        (plan.returns if row.invoice.upper().startswith("C") else plan.write_offs).append(line)
    elif pence == 0:
        (plan.gifts if row.customer else plan.finds).append(line)
    elif row.invoice.upper().startswith("C"):
        plan.rejected[row.number] = "a cancellation of nothing: its quantity is positive"
    else:
        sales[row.invoice, row.customer].append(line)


def _orders(invoice: str, customer: str, lines: list[Line], tag: str) -> list[Order]:
    """An invoice as orders that the API takes: so many lines, so much money, and no more."""
    parts: list[list[Line]] = [[]]
    pence = 0
    for line in lines:
        cost = line.pence * line.pieces
        if len(parts[-1]) == MAX_LINES or (parts[-1] and pence + cost > MAX_AMOUNT):
            parts.append([])
            pence = 0
        parts[-1].append(line)
        pence += cost
    name = hashlib.sha256(f"{invoice}\0{customer}".encode()).hexdigest()[:24]
    return [Order(f"replay:{tag}:{name}:{number}", customer, tuple(part)) for number, part in enumerate(parts)]
