"""Ids of ours: a prefix that says of what, and bits in base 32 (RFC 4648, section 6, in lower case)."""

from __future__ import annotations

import base64
import hashlib
import secrets

LENGTH = 26
"""Characters behind the prefix: 130 bits, which nobody guesses and no two things share."""


def derived(prefix: str, *parts: str) -> str:
    """The id that follows from the parts, by a SHA-256: the same for the same ones."""
    return _id(prefix, hashlib.sha256("\0".join(parts).encode()).digest(), LENGTH)


def drawn(prefix: str, length: int = LENGTH) -> str:
    """An id that is nobody's yet, of so many random characters."""
    return _id(prefix, secrets.token_bytes(length), length)


def _id(prefix: str, bits: bytes, length: int) -> str:
    return f"{prefix}_{base64.b32encode(bits).decode().lower()[:length]}"
