"""The capacity model: print its tables, write them into docs/scaling.md, or see what a rate needs.

python -m scripts.capacity                       the tables
python -m scripts.capacity --write               write them into docs/scaling.md
python -m scripts.capacity --prices FILE         with other prices than infra/prices.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.capacity.data import figures, limits, prices
from scripts.capacity.model import Model
from scripts.capacity.page import PAGE, current, page, tables


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.capacity", description="What a rate of orders needs.")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/scaling.md")
    parser.add_argument("--prices", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    model, list_prices = Model(figures(), limits()), prices(chosen.prices)
    if chosen.write:
        PAGE.write_text(page(current(), model, list_prices), encoding="utf-8")
    else:
        print(*tables(model, list_prices).values(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
