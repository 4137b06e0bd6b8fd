"""Proof Key for Code Exchange (RFC 7636), method S256: who redeems a code shows the secret its hash was sent for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

METHODS = ("S256",)

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes of SHA-256 in base64url without padding, section 4.2
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # section 4.1


def is_challenge(text: str) -> bool:
    return _CHALLENGE.fullmatch(text) is not None


def proves(verifier: str, challenge: str) -> bool:
    """Whether the verifier is well formed and the one the challenge was made of."""
    if _VERIFIER.fullmatch(verifier) is None:
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return hmac.compare_digest(digest, challenge)
