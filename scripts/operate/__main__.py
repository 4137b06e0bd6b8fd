"""python -m scripts.operate"""

from __future__ import annotations

import sys

from scripts.operate.commands import main
from scripts.operate.stuck import parked, sagas
from scripts.shop import ApiError

for group in (sagas, parked):
    main.add_command(group)

if __name__ == "__main__":
    try:
        main(prog_name="python -m scripts.operate")
    except ApiError as exc:
        sys.exit(f"Error: {exc}")
