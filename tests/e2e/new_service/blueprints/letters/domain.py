"""What a letter is. Pure: no clock, no I/O."""

from __future__ import annotations


def text(member_id: str) -> str:
    return f"Welcome, {member_id}"
