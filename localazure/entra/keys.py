"""The tenant's signing keys, on disk, so that a token outlives a restart of its issuer.

After a rotation the former keys stay published: what they signed is good until it expires.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

SCHEMA = """
CREATE TABLE IF NOT EXISTS signing_keys (
    number INTEGER PRIMARY KEY,
    private_pem BLOB NOT NULL,
    created REAL NOT NULL
);
"""


@dataclass(frozen=True)
class SigningKey:
    """An RSA key pair; `kid` is derived from the public half, so the same key always has the same id."""

    private: rsa.RSAPrivateKey

    @classmethod
    def generate(cls) -> SigningKey:
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @classmethod
    def from_pem(cls, pem: bytes) -> SigningKey:
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"the stored signing key is {type(key).__name__}, not RSA")
        return cls(key)

    @cached_property
    def private_pem(self) -> bytes:
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @cached_property
    def public_pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @cached_property
    def kid(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.public_pem).digest()[:20]).decode().rstrip("=")

    def jwk(self) -> dict[str, Any]:
        """The public half as RFC 7517 writes it."""
        numbers = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": numbers["n"],
            "e": numbers["e"],
        }


class KeyRing:
    """The keys in the order they were made: the last one signs, all of them verify."""

    def __init__(self, database: sqlite3.Connection, now: float) -> None:
        self._database = database
        rows = database.execute("SELECT private_pem FROM signing_keys ORDER BY number").fetchall()
        self._keys = [SigningKey.from_pem(pem) for (pem,) in rows]
        if not self._keys:
            self.rotate(now)

    @property
    def active(self) -> SigningKey:
        return self._keys[-1]

    @property
    def published(self) -> tuple[SigningKey, ...]:
        return tuple(reversed(self._keys))

    def rotate(self, now: float) -> SigningKey:
        """Sign with a new key from here on."""
        key = SigningKey.generate()
        self._database.execute("INSERT INTO signing_keys (private_pem, created) VALUES (?, ?)", (key.private_pem, now))
        self._keys.append(key)
        return key
