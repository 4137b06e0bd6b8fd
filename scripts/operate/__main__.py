"""python -m scripts.operate"""

from __future__ import annotations

import sys

from scripts.operate.commands import main
from scripts.shop import ApiError

if __name__ == "__main__":
    try:
        main(prog_name="python -m scripts.operate")
    except ApiError as exc:
        sys.exit(f"Error: {exc}")
