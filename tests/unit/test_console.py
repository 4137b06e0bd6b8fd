"""What the console is told of the app is what the app declares."""

from __future__ import annotations

import re
from typing import get_args

from localazure.insights.console.configuration import read
from scripts import declared
from shared.telemetry.record import Property

SHOWN = read("infra/console.json")


def test_items_are_found_and_measured_by_what_spans_say() -> None:
    known = set(get_args(Property))
    assert SHOWN.dimension in known
    assert {measure.dimension for measure in SHOWN.measures} <= known


def test_lookups_read_containers_that_are_declared_with_paths_that_are_indexed() -> None:
    containers = {
        (service.name, container.name): container for service in declared.services() for container in service.containers
    }
    for lookup in SHOWN.lookups:
        container = containers[lookup.database, lookup.container]
        ordered = re.findall(r"ORDER BY c\.(\w+)", lookup.query)
        assert set(ordered) <= set(container.indexed), "Cosmos DB orders by an indexed path alone"
