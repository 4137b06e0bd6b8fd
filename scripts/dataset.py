"""The real shopping data, read into products, stock and baskets. `data/README.md` says what each row becomes."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent.parent / "data" / "online-retail-2010-12-01_02.csv"
BOOK_KEEPING = frozenset({"M", "D", "BANK CHARGES"})
CARRIAGE = frozenset({"POST", "DOT", "C2"})
SPARE_PIECES = 100

CATEGORIES = {
    "christmas": ("CHRISTMAS", "ADVENT", "SANTA", "REINDEER", "SNOW"),
    "lighting": ("T-LIGHT", "CANDLE", "CANDLES", "LANTERN", "LIGHT", "LIGHTS", "LAMP", "NIGHT"),
    "kitchen": ("MUG", "CUP", "TEA", "CAKE", "BOWL", "KITCHEN", "JAR", "PLATE", "TEASPOONS", "TIN", "BAKING", "LUNCH"),
    "bags": ("BAG", "BAGS", "PURSE", "SHOPPER", "SUITCASE", "CASE"),
    "stationery": ("CARD", "CARDS", "NOTEBOOK", "PEN", "PENCILS", "WRAP", "PAPER", "STICKERS", "TAPE", "RIBBONS"),
    "toys": ("TOY", "DOLL", "FELTCRAFT", "PLAYHOUSE", "BLOCKS", "GAME", "PUZZLE", "SPACEBOY", "DOLLY", "KIT"),
    "home": ("CUSHION", "DOORMAT", "CLOCK", "FRAME", "DRAWER", "HOOK", "SIGN", "HOLDER", "DECORATION", "HEART"),
    "garden": ("GARDEN", "BIRD", "PLANT", "FLOWER", "WATERING"),
    "jewellery": ("NECKLACE", "BRACELET", "RING", "EARRINGS", "DIAMANTE", "BROOCH"),
}
"""Category → words in a product's name; the data has names, but no categories. The first match counts."""


@dataclass(frozen=True)
class Product:
    """One product: the name and the price (in the data's own decimal text, GBP) it has most often."""

    sku: str
    name: str
    category: str
    price: str
    pieces_sold: int


@dataclass(frozen=True)
class Basket:
    """One real basket: (sku, pieces) line by line."""

    invoice: str
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Dataset:
    """What a file holds. `left_out` counts the rows that are no sale, by reason."""

    products: tuple[Product, ...]
    baskets: tuple[Basket, ...]
    rows: int
    left_out: dict[str, int]

    def basket(self, invoice: str) -> Basket:
        """Raises LookupError for an invoice that the file does not hold."""
        for basket in self.baskets:
            if basket.invoice == invoice:
                return basket
        raise LookupError(f"there is no basket {invoice} in the data")


def read(path: Path = FILE) -> Dataset:
    """Read a file of the data set's format. Raises ValueError with the line number for a row that is not of it."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    sales, left_out = _sort_out(rows)
    return Dataset(_products(sales), _baskets(sales), len(rows), dict(left_out))


@dataclass(frozen=True)
class _Sale:
    invoice: str
    sku: str
    name: str
    pieces: int
    price: str


def _sort_out(rows: Iterable[dict[str, str]]) -> tuple[list[_Sale], Counter[str]]:
    sales: list[_Sale] = []
    left_out: Counter[str] = Counter()
    for number, row in enumerate(rows, start=2):
        try:
            sale = _Sale(
                row["InvoiceNo"], row["StockCode"], row["Description"].strip(), int(row["Quantity"]), row["UnitPrice"]
            )
            price = float(sale.price)
        except (KeyError, ValueError, AttributeError) as exc:
            raise ValueError(f"line {number} is not a row of the data set: {exc}") from exc
        if sale.sku in BOOK_KEEPING:
            left_out["book-keeping"] += 1
        elif sale.invoice.startswith("C"):
            left_out["cancellation"] += 1
        elif sale.pieces <= 0:
            left_out["write-off"] += 1
        elif price <= 0:
            left_out["give-away"] += 1
        else:
            sales.append(sale)
    return sales, left_out


def _products(sales: Iterable[_Sale]) -> tuple[Product, ...]:
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    prices: defaultdict[str, Counter[str]] = defaultdict(Counter)
    pieces: Counter[str] = Counter()
    for sale in sales:
        names[sale.sku][sale.name] += 1 if sale.name else 0
        prices[sale.sku][sale.price] += 1
        pieces[sale.sku] += sale.pieces
    return tuple(
        Product(sku, name, _category(sku, name), prices[sku].most_common(1)[0][0], pieces[sku])
        for sku in sorted(pieces)
        for name in [names[sku].most_common(1)[0][0] or sku]
    )


def _baskets(sales: Iterable[_Sale]) -> tuple[Basket, ...]:
    lines: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for sale in sales:
        lines[sale.invoice].append((sale.sku, sale.pieces))
    return tuple(Basket(invoice, tuple(found)) for invoice, found in lines.items())


def _category(sku: str, name: str) -> str:
    if sku in CARRIAGE:
        return "carriage"
    words = set(name.upper().split())
    return next((category for category, signs in CATEGORIES.items() if words.intersection(signs)), "gifts")
