"""What shoppers buy while it is measured: baskets of the real data, and the two ends of how much they get in each
other's way."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence

from scripts.dataset import Dataset, Product

Lines = Sequence[tuple[str, int]]

SEED = 20101201
"""The order in which baskets come is shuffled, but the same in every run."""
LEAST_PRICE = 1.0
"""Pounds; a single piece must cost more than the payment provider's minimum, which is £0.30."""


def real(data: Dataset) -> Iterator[Lines]:
    """The baskets of the data set, over and over."""
    baskets = [basket.lines for basket in data.baskets]
    random.Random(SEED).shuffle(baskets)  # noqa: S311 - a repeatable order, no secret
    return itertools.cycle(baskets)


def spread(data: Dataset) -> Iterator[Lines]:
    """One piece of one product, another one every time until all had their turn."""
    return itertools.cycle([[(product.sku, 1)] for product in _singles(data)])


def hot(data: Dataset) -> Iterator[Lines]:
    """One piece of the same product every time."""
    return itertools.repeat([(favourite(data).sku, 1)])


def favourite(data: Dataset) -> Product:
    """The product of which most was sold, among those that can be bought by the piece."""
    return max(_singles(data), key=lambda product: product.pieces_sold)


def _singles(data: Dataset) -> list[Product]:
    return [product for product in data.products if float(product.price) >= LEAST_PRICE]
