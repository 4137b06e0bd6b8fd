"""Text that travels sealed: who carries it cannot read it, and who reads it knows that nobody has changed it.

Fernet (AES-128 in CBC mode, HMAC-SHA256), of the `cryptography` package. Several keys, separated by commas, are one
that is being replaced: the first seals, each opens. Source: https://github.com/fernet/spec/blob/master/Spec.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.settings import SettingError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Broken(ValueError):
    """What is to be opened was not sealed with any of the keys, or was changed since."""


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
