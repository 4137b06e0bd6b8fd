"""What travels sealed: who carries it cannot read it, and who reads it knows that nobody has changed it.

Fernet (AES-128 in CBC mode, HMAC-SHA256), of the `cryptography` package. Several keys, separated by commas, are one
that is being replaced: the first seals, each opens. Source: https://github.com/fernet/spec/blob/master/Spec.md

Who has no key to share with the reader seals for the reader's public one: X25519 between it and a key that is made for
the purpose and thrown away, HKDF-SHA256 over both public keys, Fernet under the result. Sources: RFC 7748, RFC 5869.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from shared.settings import SettingError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

_PURPOSE = b"durable-commerce sealed for a public key"


class Broken(ValueError):
    """What is to be opened was not sealed with any of the keys, or was changed since."""


def private_key() -> str:
    """A new private key, in URL-safe Base64."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return _text(X25519PrivateKey.generate().private_bytes_raw())


def public_key(private: str) -> str:
    """The public key that belongs to `private`, in URL-safe Base64: 44 characters."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return _text(X25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(private)).public_key().public_bytes_raw())


def seal_for(data: bytes, public: str) -> str:
    """`data`, sealed for who has the private key of `public`; each time another text of URL-safe Base64 and one dot.

    Raises Broken where `public` is no public key.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    once = X25519PrivateKey.generate()
    own = once.public_key().public_bytes_raw()
    try:
        theirs = base64.urlsafe_b64decode(public)
        secret = once.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:
        raise Broken("what is to be sealed for is no public key") from None
    return f"{_text(own)}.{_agreed(secret, own, theirs).encrypt(data).decode()}"


def open_with(sealed: str, private: str) -> bytes:
    """What was sealed for the public key of `private`. Raises Broken."""
    from cryptography.fernet import InvalidToken
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    own = X25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(private))
    given, _, token = sealed.partition(".")
    try:
        theirs = base64.urlsafe_b64decode(given)
        secret = own.exchange(X25519PublicKey.from_public_bytes(theirs))
        return _agreed(secret, theirs, own.public_key().public_bytes_raw()).decrypt(token)
    except (ValueError, InvalidToken):
        raise Broken("it was not sealed for this key, or was changed since") from None


def _agreed(secret: bytes, once: bytes, reader: bytes) -> Fernet:
    """The key that both sides come to. Both public keys are in it, so neither can be exchanged for another."""
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE + once + reader).derive(secret)
    return Fernet(base64.urlsafe_b64encode(key))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def seal(text: str, keys: str) -> str:
    """`text`, sealed with the first of `keys`; each time another. Raises SettingError for keys that are none."""
    return _ring(keys).encrypt(text.encode()).decode()


def unseal(sealed: str, keys: str) -> str:
    """The text that was sealed with one of `keys`. Raises Broken, and SettingError for keys that are none."""
    from cryptography.fernet import InvalidToken

    try:
        return _ring(keys).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Broken("the text was not sealed with any of the keys") from None


def _ring(keys: str) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    try:
        return MultiFernet([Fernet(key.strip()) for key in keys.split(",")])
    except ValueError:
        raise SettingError(
            "a key for sealing is 32 bytes in URL-safe Base64; several are separated by commas"
        ) from None
