"""The capacity model: its arithmetic, its queueing against a simulation, and the page that is written from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from scripts import declared
from scripts.capacity import cost, queueing
from scripts.capacity.data import INFRA, figures, limits, prices, sources
from scripts.capacity.gates import Gate, gates
from scripts.capacity.model import CHECKPOINT_UNITS, HEADROOM, Model
from scripts.capacity.page import RATES, current, page

MODEL = Model(figures(), limits())


def test_the_page_is_up_to_date() -> None:
    assert current() == page(current(), MODEL, prices()), "run make schemas"


def test_a_table_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="has no place for needs"):
        page("", MODEL, prices())


def test_the_figures_name_containers_and_topics_that_are_declared() -> None:
    known = {f"{service.name}/{container.name}" for service in declared.services() for container in service.containers}
    assert MODEL.figures.per_order["request_units"].keys() <= known
    assert MODEL.figures.per_order["events"].keys() <= MODEL.figures.filters.keys()


def test_every_limit_and_price_says_where_or_when_it_is_from() -> None:
    assert all(limit["source"] and isinstance(limit["read"], bool) for _, limit in sources())
    assert all(price["as_of"] for price in prices().values())
    assert json.loads((INFRA / "figures.json").read_text())["measured"]


def test_every_limit_is_asked_for() -> None:
    class Asked(dict[str, float]):
        """Remembers what was looked up."""

        names: ClassVar[set[str]] = set()

        def __getitem__(self, name: str) -> float:
            self.names.add(name)
            return super().__getitem__(name)

    asked = Asked(limits())
    for gate in gates(Model(figures(), asked)):
        gate.met_at()
    assert asked.names == limits().keys()


@pytest.mark.parametrize("gate", gates(MODEL), ids=lambda gate: gate.name)
def test_a_limit_holds_just_below_the_rate_at_which_it_is_met(gate: Gate) -> None:
    met = gate.met_at()
    assert gate.needs(met * 0.99) <= gate.has
    assert gate.needs(met * 1.01) > gate.has


def test_the_first_limit_is_that_of_service_bus_standard() -> None:
    first = gates(MODEL)[0]
    assert first.name.startswith("Service Bus Standard")
    # five sent, seven delivered; six subscriptions hear each of two order events, two one of inventory, three two
    assert MODEL.credits(1) == 5 + 7 + 2 * 6 + 1 * 2 + 2 * 3
    assert first.met_at() == pytest.approx(1000 / 32, rel=1e-3)


def test_checkpoints_grow_with_changes_until_every_look_has_one() -> None:
    assert MODEL.checkpoints("orders", 0.5) == CHECKPOINT_UNITS * 0.5 * 2
    assert MODEL.checkpoints("orders", 10) == MODEL.checkpoints("orders", 100) == CHECKPOINT_UNITS * 2
    assert MODEL.checkpoints("orders", 10_000) == CHECKPOINT_UNITS * 2 * MODEL.ranges("orders", 10_000)


def test_a_relay_has_one_instance_for_each_physical_partition() -> None:
    name, units = MODEL.hottest()
    assert name == "payments/payments"
    rate = 3 * 10_000 * HEADROOM / units
    assert MODEL.ranges("payments", rate * 0.99) == 3
    assert MODEL.ranges("payments", rate * 1.01) == 4


def test_dearer_orders_meet_limits_sooner() -> None:
    order = dict(MODEL.figures.per_order)
    order["telemetry_items"] *= 2
    other = Model(replace(MODEL.figures, per_order=order), limits())

    def met(model: Model) -> float:
        return next(gate.met_at() for gate in gates(model) if gate.name.startswith("Application Insights"))

    assert met(other) == pytest.approx(met(MODEL) / 2, rel=1e-3)


@pytest.mark.parametrize("rate", RATES)
def test_every_group_has_instances_for_its_load(rate: int) -> None:
    cores = MODEL.cores(rate)
    assert sum(cores.values()) == pytest.approx(rate * MODEL.figures.per_order["processor_seconds"])
    assert all(cores[name] <= count * 0.7 + 1e-9 for name, count in MODEL.instances(rate).items())


@pytest.mark.parametrize(
    ("servers", "load"), [(1, 0.5), (1, 0.7), (2, 1.4), (4, 2.8), (8, 5.6)], ids=lambda value: f"{value}"
)
def test_a_simulation_finds_the_waits_that_erlang_names(servers: int, load: float) -> None:
    service = 0.01
    said = queueing.erlang(load / service, service, servers)
    played = queueing.simulate(load / service, service, servers, 200_000, seed=7)
    assert played.share == pytest.approx(said.share, rel=0.05)
    assert played.mean == pytest.approx(said.mean, rel=0.1)


def test_one_server_waits_as_textbooks_say() -> None:
    """M/M/1: the share that waits is the load, the mean wait is load / (1 - load) of a service time."""
    assert queueing.erlang(50, 0.01, 1) == queueing.Wait(pytest.approx(0.5), pytest.approx(0.01))  # type: ignore[arg-type]


def test_more_than_the_servers_can_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="2 servers cannot carry a load of 2"):
        queueing.erlang(200, 0.01, 2)


def test_a_simulated_order_takes_as_long_as_on_microsofts_host() -> None:
    """Which was seen to confirm orders in 0.5 to 1.3 s, warm: half of the simulated ones are within that."""
    way = queueing.confirmed(queueing.Stages(0.0025), 20_000, seed=1)
    assert queueing.percentile(way, 0.05) > 0.4
    assert 0.5 < queueing.percentile(way, 0.5) < 1.3


def test_a_million_orders_cost_what_their_parts_do() -> None:
    meters = cost.million_orders(MODEL, prices())
    telemetry = next(value for name, value in meters.items() if name.startswith("Application Insights"))
    assert telemetry == pytest.approx(11.4 * 2.30)
    assert sum(cost.million_orders(MODEL, prices(), packed=False).values()) > sum(meters.values())


def test_prices_can_be_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    own = json.loads((INFRA / "prices.json").read_text())
    own["prices"]["service-bus-month"]["value"] = 100
    file.write_text(json.dumps(own))
    assert cost.idle(MODEL, prices(file))["Service Bus Standard"] == 100


def test_what_looks_now_and_then_costs_for_each_that_looks() -> None:
    more = Model(replace(MODEL.figures, hubs=2 * MODEL.figures.hubs, timers=2 * MODEL.figures.timers), MODEL.limits)
    once, twice = list(cost.idle(MODEL, prices()).values()), list(cost.idle(more, prices()).values())
    assert [dear / cheap for cheap, dear in zip(once, twice, strict=True)] == pytest.approx([1, 1, 2, 2])
