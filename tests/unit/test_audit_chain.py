"""The chain of the audit log: every kind of tampering is found where it is, and a whole chain never complained of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.operations.chain import Finding, Head, Link, chained, first, link, place, verify

DAY = "2026-11-27"
COUNT = 1_000
TEXTS = [f'{{"act":"products_put","number":{number}}}' for number in range(COUNT)]
LINKS = chained(DAY, None, TEXTS)
HEAD = Head(DAY, COUNT, LINKS[-1].hash)
NOTED = [Head(DAY, number, LINKS[number - 1].hash) for number in (250, 500, 750)]
SOMEWHERE = st.integers(1, COUNT - 1)
Stored = list[tuple[str, Link]]


def stored() -> Stored:
    return [(place(each.number), each) for each in LINKS]


def found(tampered: Stored, head: Head | None = HEAD) -> set[tuple[int, str]]:
    return {(finding.number, finding.what) for finding in verify(DAY, tampered, head, NOTED)}


def test_a_whole_chain_has_nothing_wrong() -> None:
    assert verify(DAY, stored(), HEAD, NOTED) == []
    assert verify(DAY, [], None) == []


@given(st.lists(st.lists(st.text(max_size=20), max_size=5), max_size=5))
def test_however_it_grows_it_is_one_chain(batches: list[list[str]]) -> None:
    links: list[Link] = []
    for batch in batches:
        head = Head(DAY, links[-1].number, links[-1].hash) if links else None
        links += chained(DAY, head, batch)
    assert [each.text for each in links] == [text for batch in batches for text in batch]
    head = Head(DAY, links[-1].number, links[-1].hash) if links else None
    assert verify(DAY, [(place(each.number), each) for each in links], head) == []


@given(SOMEWHERE)
def test_an_altered_entry_is_named(number: int) -> None:
    tampered = stored()
    tampered[number - 1] = (place(number), replace(LINKS[number - 1], text="{}"))
    assert found(tampered) == {(number, "altered")}


@given(SOMEWHERE)
def test_an_entry_that_is_made_anew_with_its_hash_is_named(number: int) -> None:
    tampered = stored()
    tampered[number - 1] = (place(number), link(DAY, number, LINKS[number - 1].previous, "{}"))
    assert (number, "altered") in found(tampered)
    assert {each for each, _ in found(tampered)} == {number}


@given(SOMEWHERE)
def test_a_removed_entry_is_named(number: int) -> None:
    tampered = stored()
    del tampered[number - 1]
    assert found(tampered) == {(number, "missing")}


@given(st.integers(1, 20))
def test_entries_cut_off_at_the_end_are_named(count: int) -> None:
    missing = {(number, "missing") for number in range(COUNT - count + 1, COUNT + 1)}
    assert found(stored()[:-count]) == missing


@given(SOMEWHERE)
def test_an_entry_inserted_beside_another_is_named(number: int) -> None:
    forged = link(DAY, number, LINKS[number - 1].previous, "{}")
    assert found([*stored(), (place(number) + "x", forged)]) == {(number, "inserted")}


def test_an_entry_inserted_behind_the_head_is_named() -> None:
    forged = link(DAY, COUNT + 1, HEAD.hash, "{}")
    assert found([*stored(), (place(COUNT + 1), forged)]) == {(COUNT + 1, "inserted")}


@given(st.lists(SOMEWHERE, min_size=2, max_size=2, unique=True))
def test_entries_that_changed_places_are_named(numbers: list[int]) -> None:
    one, other = numbers
    tampered = stored()
    tampered[one - 1], tampered[other - 1] = (place(one), LINKS[other - 1]), (place(other), LINKS[one - 1])
    assert {(one, "reordered"), (other, "reordered")} <= found(tampered)
    assert {each for each, _ in found(tampered)} <= {one, other, one + 1, other + 1, one - 1, other - 1}


@given(st.integers(1, 750))
def test_a_chain_that_was_written_anew_is_found_by_what_was_noted_elsewhere(number: int) -> None:
    """The store, its head included, is consistent in itself."""
    head = Head(DAY, number - 1, LINKS[number - 2].hash) if number > 1 else None
    anew = [*LINKS[: number - 1], *chained(DAY, head, ["{}", *TEXTS[number:]])]
    tampered = [(place(each.number), each) for each in anew]
    own = Head(DAY, COUNT, anew[-1].hash)
    assert verify(DAY, tampered, own) == []
    assert found(tampered, own) == {(noted.number, "rewritten") for noted in NOTED if noted.number >= number}


def test_a_chain_that_was_removed_whole_is_found_by_what_was_noted_elsewhere() -> None:
    assert found([], None) == {(number, "missing") for number in range(1, 751)}


@pytest.mark.parametrize("day", ["2026-11-26", "2026-11-28"])
def test_an_entry_of_another_day_does_not_fit(day: str) -> None:
    other = chained(day, None, ["{}"])
    findings = verify(DAY, [(place(1), other[0])], Head(DAY, 1, other[0].hash))
    assert findings == [Finding(DAY, 1, "altered")]
    assert first(day) != first(DAY)


@given(st.text(max_size=3), st.text(max_size=3), st.text(max_size=3), st.text(max_size=3))
def test_nothing_moves_from_one_field_to_the_next(previous: str, text: str, other: str, another: str) -> None:
    same = (previous, text) == (other, another)
    assert (link(DAY, 1, previous, text).hash == link(DAY, 1, other, another).hash) == same
