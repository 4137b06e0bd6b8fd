"""The logs of all parts read as one: in the order of time, whatever is in them, while they grow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localazure import logs
from localazure.logs import Entry


def line(second: int, text: str, level: str = "INFO") -> str:
    return f"2026-03-01 12:00:{second:02},000 {level} app: {text}\n"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


def write(state: Path, part: str, text: str, mode: str = "a") -> None:
    with (state / "logs" / f"{part}.log").open(mode) as file:
        file.write(text)


def texts(found: Iterator[Entry]) -> list[str]:
    return [entry.text for entry in found]


def test_entries_of_all_parts_come_in_the_order_of_time(state: Path) -> None:
    write(state, "one", line(1, "a") + line(3, "c"))
    write(state, "other", line(2, "b") + line(4, "d"))
    assert texts(logs.entries(state, [], {})) == ["a", "b", "c", "d"]
    assert texts(logs.entries(state, ["other"], {})) == ["b", "d"]


def test_a_traceback_belongs_to_the_line_before_it(state: Path) -> None:
    write(state, "one", line(1, "it broke", "ERROR") + "Traceback:\n  here\n" + line(2, "on"))
    assert texts(logs.entries(state, [], {})) == ["it broke\nTraceback:\n  here", "on"]


def test_fields_of_json_lines_are_asked_for(state: Path) -> None:
    write(state, "one", line(1, json.dumps({"event": "order.placed", "order_id": "ord_a", "service": "orders"})))
    write(state, "one", line(2, json.dumps({"event": "order.placed", "order_id": "ord_b", "service": "orders"})))
    write(state, "one", line(3, "{broken") + line(4, "[1]") + line(5, "order_id"))
    (found,) = logs.entries(state, [], {"order_id": "ord_a", "service": "orders"})
    assert found.plain(colour=False) == "12:00:01,000 one        INFO    order.placed order_id=ord_a service=orders"
    assert json.loads(found.as_json())["event"] == "order.placed"


def test_a_terminal_is_told_nothing_by_a_caller(state: Path) -> None:
    write(state, "one", line(1, "\x1b[2J") + line(2, json.dumps({"event": "x", "named": "\x1b]0;mine\x07"})))
    shown = "".join(entry.plain(colour=False) for entry in logs.entries(state, [], {}))
    assert "\\x1b[2J" in shown and not any(ord(character) < 32 for character in shown)


def test_what_is_wrong_stands_out_in_colour(state: Path) -> None:
    write(state, "one", line(1, "a") + line(2, "b", "WARNING") + line(3, "c", "ERROR"))
    shown = [entry.plain(colour=True) for entry in logs.entries(state, [], {})]
    assert [re.findall(r"\x1b\[(\d+)m", each) for each in shown] == [[], ["33", "0"], ["31", "0"]]
    assert [entry.plain(colour=False).count("\x1b") for entry in logs.entries(state, [], {})] == [0, 0, 0]


def test_a_part_without_a_log_is_refused_by_name(state: Path) -> None:
    write(state, "one", "")
    with pytest.raises(LookupError, match="no log of two; there are one"):
        list(logs.entries(state, ["two"], {}))


def test_what_is_written_later_is_followed_also_into_a_log_that_begins_anew(state: Path) -> None:
    rounds = iter([line(2, "b"), "", "anew"])

    def pause(_: float) -> None:
        more = next(rounds)
        if more == "anew":
            (state / "logs" / "one.log").rename(state / "logs" / "one.log.1")
            write(state, "one", line(3, "c"))
        else:
            write(state, "one", more)

    write(state, "one", line(1, "a"))
    following = logs.follow(state, [], {}, pause)
    assert [next(following).text for _ in range(3)] == ["a", "b", "c"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_whatever_stands_in_a_log_can_be_read(state: Path, content: bytes) -> None:
    (state / "logs" / "odd.log").write_bytes(content)
    for entry in logs.entries(state, [], {}):
        assert entry.plain(colour=True) and json.loads(entry.as_json())
