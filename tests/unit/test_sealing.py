"""What is sealed is opened by whoever has the key, and by nobody else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sealing import Broken, seal, unseal
from shared.settings import CONTACT_KEY, SettingError

KEY = CONTACT_KEY.local or ""
OTHER = base64.urlsafe_b64encode(bytes(range(32))).decode()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_is_opened(text: str) -> None:
    assert unseal(seal(text, KEY), KEY) == text


def test_a_key_that_is_replaced_opens_what_it_sealed() -> None:
    sealed = seal("ada@example.com", KEY)
    assert unseal(sealed, f"{OTHER}, {KEY}") == "ada@example.com"
    with pytest.raises(Broken):
        unseal(seal("ada@example.com", f"{OTHER},{KEY}"), KEY)


@pytest.mark.parametrize("sealed", ["", "ada@example.com", "gAAAAA==", "ä"])
def test_what_was_not_sealed_is_not_opened(sealed: str) -> None:
    with pytest.raises(Broken):
        unseal(sealed, KEY)


def test_what_was_changed_is_not_opened() -> None:
    sealed = seal("ada@example.com", KEY)
    place = len(sealed) // 2
    with pytest.raises(Broken):
        unseal(sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :], KEY)


@pytest.mark.parametrize("keys", ["", "short", f"{KEY},", "ä"])
def test_a_key_that_is_none_is_said_to_be_none(keys: str) -> None:
    with pytest.raises(SettingError, match="32 bytes"):
        seal("x", keys)
