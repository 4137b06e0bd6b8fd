"""A good body and a good answer of each operation."""

from __future__ import annotations

from typing import Any

BODIES: dict[str, Any] = {}
ANSWERS: dict[str, Any] = {"letters_get": {"text": "Welcome"}}
