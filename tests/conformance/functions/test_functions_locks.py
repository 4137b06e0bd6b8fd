"""A timer among several instances: one has the lock, and what becomes of it when that one ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localazure.clock import ManualClock
from localazure.functions.locks import PERIOD, Lock
from localazure.presence import Presence, PresenceError


class Instances:
    """Two instances of an app on the same files."""

    def __init__(self, folder: Path, fast: bool) -> None:
        self.clock = ManualClock()
        self.one = Presence(folder / "instances", "one", fast=fast)
        self.two = Presence(folder / "instances", "two", fast=fast)
        self.first = Lock(folder / "timer.lock", self.one, self.clock)
        self.second = Lock(folder / "timer.lock", self.two, self.clock)


@pytest.fixture
def instances(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Instances]:
    made = Instances(tmp_path, fast=request.node.get_closest_marker("usefixtures") is not None)
    yield made
    made.one.close()
    made.two.close()


@pytest.fixture
def fast() -> None:
    """What a dead instance held is free at once."""


async def test_one_instance_has_the_lock_for_as_long_as_it_renews_it(instances: Instances) -> None:
    assert instances.first.acquire()
    for _ in range(5):
        await instances.clock.advance(PERIOD / 2)
        assert not instances.second.acquire()
        assert instances.first.acquire()


async def test_the_lock_of_a_dead_instance_is_free_when_its_period_is_over(instances: Instances) -> None:
    assert instances.first.acquire()
    instances.one.close()
    await instances.clock.advance(PERIOD - 1)
    assert not instances.second.acquire()
    await instances.clock.advance(1)
    assert instances.second.acquire()
    assert not instances.first.acquire()


async def test_a_lock_that_is_given_back_is_free_at_once(instances: Instances) -> None:
    assert instances.first.acquire()
    instances.second.release()
    assert not instances.second.acquire()
    instances.first.release()
    assert instances.second.acquire()


@pytest.mark.usefixtures("fast")
async def test_with_fast_recovery_the_lock_ends_with_its_holder(instances: Instances) -> None:
    assert instances.first.acquire()
    await instances.clock.advance(10 * PERIOD)
    assert not instances.second.acquire()
    instances.one.close()
    assert instances.second.acquire()


def test_two_instances_of_one_name_do_not_run_on_the_same_files(tmp_path: Path) -> None:
    first = Presence(tmp_path, "one")
    with pytest.raises(PresenceError, match="an instance named 'one' is running"):
        Presence(tmp_path, "one")
    first.close()
    Presence(tmp_path, "one").close()


def test_a_lock_file_that_its_writer_left_torn_is_free(tmp_path: Path, instances: Instances) -> None:
    (tmp_path / "timer.lock").write_text('["someone", 9')
    assert instances.first.acquire()
