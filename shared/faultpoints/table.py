"""The table of crash points, as `python -m scripts.infrastructure` writes it from the services' declarations."""

from __future__ import annotations

import json
from pathlib import Path

from shared.declaration import CrashPoint

POINTS = tuple(CrashPoint(**point) for point in json.loads(Path(__file__).with_name("points.json").read_bytes()))

NAMES = frozenset(point.name for point in POINTS)
