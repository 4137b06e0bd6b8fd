"""What is started, where, and with what: the parts' ports, options and environment before any of them runs."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from localazure import launch, parts
from localazure.entra import TENANT
from localazure.identities import load
from localazure.parts import IDENTITIES, PartError
from localazure.scaler import with_counters
from localazure.supervisor import Launch

APP = Path(launch.__file__).parents[1]


def two_in_a_row() -> int:
    """The first of two ports that nobody has, one behind the other."""
    while True:
        (first,) = launch.allocate({"first": 0}).values()
        with suppress(OSError), socket.create_server(("127.0.0.1", first + 1)):
            return first


class TestSettings:
    """How the app learns of parts that are not where its settings file says."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        values = {"AUTH_ISSUER": f"http://localhost:8082/{TENANT}/v2.0", "STRIPE_API_BASE": "http://localhost:12111"}
        file = tmp_path / "local.settings.json"
        file.write_text(json.dumps({"IsEncrypted": False, "Values": values}))
        return file

    def test_on_the_default_ports_nothing_is_overridden(self, file: Path) -> None:
        assert launch.settings({"entra": 8082, "stripe": 12111}, {}, file) == {}

    def test_on_other_ports_the_address_changes_and_nothing_else(self, file: Path) -> None:
        assert launch.settings({"entra": 9001, "stripe": 12111}, {}, file) == {
            "AUTH_ISSUER": f"http://localhost:9001/{TENANT}/v2.0"
        }

    def test_what_the_environment_sets_is_left_alone(self, file: Path) -> None:
        assert launch.settings({"stripe": 9001}, {"STRIPE_API_BASE": "https://api.stripe.com"}, file) == {}

    def test_a_setting_that_points_elsewhere_is_left_alone(self, file: Path) -> None:
        file.write_text('{"Values": {"STRIPE_API_BASE": "https://api.stripe.com"}}')
        assert launch.settings({"stripe": 9001}, {}, file) == {}

    def test_without_a_settings_file_there_is_nothing_to_override(self, file: Path) -> None:
        file.unlink()
        assert launch.settings({"stripe": 9001}, {}, file) == {}

    def test_a_broken_settings_file_is_named(self, file: Path) -> None:
        file.write_text("{")
        with pytest.raises(parts.PartError, match=r"local\.settings\.json is not a settings file"):
            launch.settings({"stripe": 9001}, {}, file)

    def test_this_apps_sample_names_every_parts_address(self) -> None:
        ports = {name: 1 for name, entry in parts.TABLE.items() if entry.setting}
        changed = launch.settings(ports, {}, APP / "local.settings.sample.json")
        assert set(changed) == {entry.setting for entry in parts.TABLE.values() if entry.setting}


class TestPlan:
    """What `up` would start, for this very app."""

    def planned(self, *only: str) -> dict[str, Launch]:
        settings = {"functions": {"settings": str(APP / "local.settings.sample.json")}}
        launches = launch.plan(only, {"all": 0}, settings, {}, APP)
        return {launched.name: launched for launched in launches}

    def test_the_stores_are_given_the_apps_own_files(self) -> None:
        planned = self.planned("cosmos", "servicebus")
        assert planned["cosmos"].options == {
            "containers": str(APP / "infra/cosmos.json"),
            "identities": str(APP / IDENTITIES),
        }
        assert planned["servicebus"].options == {
            "entities": str(APP / "infra/servicebus.json"),
            "identities": str(APP / IDENTITIES),
        }

    def test_the_provider_notifies_the_functions_host(self) -> None:
        planned = self.planned("stripe", "functions")
        base = f"http://localhost:{planned['functions'].port}"
        assert planned["stripe"].options["webhook_url"] == f"{base}/api/v1/payments/webhooks/stripe"

    def test_without_a_functions_host_the_provider_notifies_nobody(self) -> None:
        assert self.planned("stripe")["stripe"].options == {"endpoint": str(APP / "infra/stripe.json")}

    def test_the_tenant_has_the_apps_own_accounts(self) -> None:
        assert self.planned("entra")["entra"].options == {
            "accounts": str(APP / "infra/entra.json"),
            "identities": str(APP / IDENTITIES),
        }

    def test_a_broken_endpoint_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "infra").mkdir()
        (tmp_path / "infra" / "stripe.json").write_text("[]")
        with pytest.raises(parts.PartError, match=r"stripe\.json does not describe a webhook endpoint"):
            launch.plan(["stripe", "functions"], {"all": 0}, {}, {}, tmp_path)

    def test_only_the_functions_host_is_a_host_and_only_it_is_told_addresses(self) -> None:
        planned = self.planned()
        assert [name for name, launched in planned.items() if launched.host] == ["functions"]
        told = planned["functions"].environment
        assert set(told) == {
            "COSMOS_CONNECTION",
            "SERVICEBUS_CONNECTION",
            "APPLICATIONINSIGHTS_CONNECTION_STRING",
            "AUTH_ISSUER",
            "EASYPOST_API_BASE",
            "EMAIL_CONNECTION",
            "STRIPE_API_BASE",
        }
        assert f"localhost:{planned['cosmos'].port}/" in told["COSMOS_CONNECTION"]
        assert f"localhost:{planned['servicebus'].port};" in told["SERVICEBUS_CONNECTION"]

    def test_the_provider_notifies_the_gateway_where_there_is_one(self) -> None:
        planned = self.planned()
        base = f"http://localhost:{planned['apim'].port}"
        assert planned["stripe"].options["webhook_url"] == f"{base}/v1/payments/webhooks/stripe"

    def test_a_scaler_knows_where_service_bus_tells_its_counters(self) -> None:
        launches, address = with_counters(list(self.planned("servicebus", "entra").values()))
        told = {launched.name: launched.options.get("admin_port") for launched in launches}
        assert told == {"servicebus": address.rpartition(":")[2], "entra": None}
        assert address.startswith("http://localhost:")

    def test_a_service_without_an_identity_is_not_split_off(self) -> None:
        settings = {"functions": {"settings": str(APP / "local.settings.sample.json")}}
        with pytest.raises(PartError, match="letters has no identity"):
            launch.plan([], {"all": 0}, settings, {}, APP, ["orders", "letters"])

    def test_split_gives_each_service_a_host_of_its_own(self) -> None:
        settings = {"functions": {"settings": str(APP / "local.settings.sample.json")}}
        launches = launch.plan([], {"all": 0}, settings, {}, APP, ["orders", "carts"])
        hosts = {launched.name: launched for launched in launches if launched.host}
        assert list(hosts) == ["functions-orders", "functions-carts"]
        assert {name: host.environment["SERVICES"] for name, host in hosts.items()} == {
            "functions-orders": "orders",
            "functions-carts": "carts",
        }
        client_ids = {each.name: each.client_id for each in load(str(APP / IDENTITIES)).identities}
        for name, service in (("functions-orders", "orders"), ("functions-carts", "carts")):
            told = hosts[name].environment
            assert not {"COSMOS_CONNECTION", "SERVICEBUS_CONNECTION"} & told.keys(), "a connection string has a key"
            assert told["COSMOS_CONNECTION__clientId"] == told["SERVICEBUS_CONNECTION__clientId"] == client_ids[service]
            assert told["COSMOS_CONNECTION__credential"] == "managedidentity"
            assert told["STRIPE_API_KEY"] == told["STRIPE_WEBHOOK_SECRET"] == "", "payments alone may read them"
        assert len({host.environment["IDENTITY_HEADER"] for host in hosts.values()}) == 2
        assert len({host.folder for host in hosts.values()} | {""}) == 3, "each has its own files"
        gateway = next(launched for launched in launches if launched.name == "apim")
        addresses = json.loads(gateway.options["addresses"])
        assert addresses["functions-carts"] == f"http://localhost:{hosts['functions-carts'].port}"
        assert gateway.options["configuration"].endswith("configuration.split.json")

    @pytest.mark.parametrize(("environment", "count"), [({}, "1"), ({"FUNCTIONS_WORKER_PROCESS_COUNT": "3"}, "3")])
    def test_one_process_is_enough_for_a_split_host(self, environment: dict[str, str], count: str) -> None:
        hosts = [
            launched for launched in launch.plan([], {"all": 0}, {}, environment, APP, ["orders"]) if launched.host
        ]
        assert [host.environment["FUNCTIONS_WORKER_PROCESS_COUNT"] for host in hosts] == [count]

    def test_the_environment_moves_all_split_hosts_and_what_is_in_use_is_named_with_it(self) -> None:
        first = two_in_a_row()
        split = ["one", "two"]
        environment = {"LOCALAZURE_FUNCTIONS_PORT": str(first)}
        planned = launch.plan(["functions-one", "functions-two"], {}, {}, environment, APP, split)
        assert [each.port for each in planned] == [first, first + 1]
        with socket.create_server(("127.0.0.1", first)), pytest.raises(launch.PortsInUse) as refused:
            launch.plan(["functions-one", "functions-two"], {}, {}, environment, APP, split)
        assert str(refused.value) == (
            f"port {first} (functions-one) is in use; set LOCALAZURE_FUNCTIONS_PORT or --port functions-one=N"
        )

    def test_split_hosts_take_the_ports_from_the_hosts_default_on(self) -> None:
        launches = launch.plan(
            ["functions-a", "functions-b"], {}, {}, {"LOCALAZURE_FUNCTIONS_PORT": ""}, APP, ["a", "b"]
        )
        assert [launched.port for launched in launches] == [7071, 7072]

    def test_every_port_in_use_is_named_at_once(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            taken = {"entra": one.getsockname()[1], "stripe": other.getsockname()[1]}
            with pytest.raises(launch.PortsInUse) as refused:
                launch.plan(["entra", "stripe"], taken, {}, {}, APP)
        assert [line.partition(" is in use")[0] for line in str(refused.value).splitlines()] == [
            f"port {port} ({name})" for name, port in taken.items()
        ]
