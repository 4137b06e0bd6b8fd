"""A good body and a good answer of each operation."""

from __future__ import annotations

from typing import Any

_MEMBER = {"id": "mem_4q2n5xk7d6h3w2m5r7t2y4u6i3", "welcomed": True}

BODIES: dict[str, Any] = {"members_join": {"greeting": "Hello"}}
ANSWERS: dict[str, Any] = {"members_join": _MEMBER, "members_get": _MEMBER}
