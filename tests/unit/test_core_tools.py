"""What Core Tools needs to run the app: its host finds each setting in the file, or `make backing` names it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.backing import PARTS, SAMPLE, command, needed, said
from scripts.infrastructure import ROOT
from scripts.infrastructure.emulators import MAX_DURATIONS

VALUES: dict[str, str] = json.loads(SAMPLE.read_text())["Values"]
INDEX = """
import function_app, json
print(json.dumps([function.get_dict_repr() for function in function_app.app.get_functions()], default=str))
"""
DEFAULT_PORTS = {"cosmos": 8081, "servicebus": 5672, "entra": 8082, "stripe": 12111, "easypost": 12112, "email": 8084}
STORAGE_PORTS = (10000, 10001, 10002)
"""Of blobs, queues and tables, which `UseDevelopmentStorage=true` stands for."""
EXPRESSION = re.compile(r"%([^%]+)%")


@pytest.fixture(scope="module")
def bindings() -> list[dict[str, Any]]:
    """Every binding of every function, as the host is told of them."""
    told = subprocess.run(
        [sys.executable, "-c", INDEX],
        cwd=ROOT,
        env={**os.environ, "SERVICES": "*"},
        check=True,
        capture_output=True,
        text=True,
    )
    return [binding for function in json.loads(told.stdout) for binding in function["bindings"]]


def test_every_connection_of_a_binding_is_a_setting(bindings: list[dict[str, Any]]) -> None:
    named = {str(binding[key]) for binding in bindings for key in binding if key.lower().endswith("connection")}
    assert named == {"COSMOS_CONNECTION", "SERVICEBUS_CONNECTION"}
    assert named <= VALUES.keys()


def test_every_setting_within_a_binding_is_there(bindings: list[dict[str, Any]]) -> None:
    named = set(EXPRESSION.findall(json.dumps(bindings)))
    assert "RECONCILE_SCHEDULE" in named
    assert named <= VALUES.keys()


def test_the_host_itself_finds_its_settings() -> None:
    assert VALUES["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert VALUES["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    durable = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]
    assert not durable["storageProvider"].keys() & {"connectionName", "connectionStringName", "type"}, (
        "Durable keeps its state in AzureWebJobsStorage, unless another connection is named, which has to be a setting"
    )


def test_the_clients_of_the_host_speak_what_emulators_do() -> None:
    """.NET's Service Bus client leaves TLS out and keeps the port for the emulator alone."""
    assert "UseDevelopmentEmulator=true" in VALUES["SERVICEBUS_CONNECTION"].split(";")
    assert VALUES["AzureFunctionsJobHost__extensions__cosmosDB__connectionMode"] == "Gateway"
    assert VALUES["COSMOS_CONNECTION"].startswith("AccountEndpoint=http://localhost:8081/;AccountKey=")


def settings_file(folder: Path, **values: str) -> Path:
    file = folder / "local.settings.json"
    file.write_text(json.dumps({"Values": values}))
    return file


def test_a_copy_of_the_sample_needs_nothing_more(tmp_path: Path) -> None:
    file = settings_file(tmp_path, **VALUES)
    assert needed(DEFAULT_PORTS, file) == {}
    assert "local.settings.json has all that Core Tools needs" in said(DEFAULT_PORTS, 7071, file)


def test_whatever_is_missing_is_named(tmp_path: Path) -> None:
    assert needed(DEFAULT_PORTS, tmp_path / "none.json") == VALUES
    some = {name: value for name, value in VALUES.items() if name != "STRIPE_API_KEY"}
    assert needed(DEFAULT_PORTS, settings_file(tmp_path, **some)) == {"STRIPE_API_KEY": VALUES["STRIPE_API_KEY"]}


def test_what_is_at_another_port_is_named(tmp_path: Path) -> None:
    file = settings_file(tmp_path, **VALUES)
    lacking = needed({**DEFAULT_PORTS, "cosmos": 9081, "stripe": 9111}, file)
    assert lacking == {
        "COSMOS_CONNECTION": VALUES["COSMOS_CONNECTION"].replace(":8081", ":9081"),
        "STRIPE_API_BASE": "http://localhost:9111",
    }
    assert all(
        f'"{name}": {json.dumps(value)}' in said({**DEFAULT_PORTS, "cosmos": 9081, "stripe": 9111}, 7071, file)
        for name, value in lacking.items()
    )


def test_what_a_person_chose_stays(tmp_path: Path) -> None:
    file = settings_file(tmp_path, **{**VALUES, "ORDER_DEADLINE_SECONDS": "30"})
    assert needed(DEFAULT_PORTS, file) == {}


def test_an_address_of_what_is_not_started_here_stays(tmp_path: Path) -> None:
    file = settings_file(
        tmp_path, **{**VALUES, "COSMOS_CONNECTION": "AccountEndpoint=https://elsewhere;AccountKey=a2V5;"}
    )
    assert needed({"entra": 8082, "stripe": 12111}, file) == {}


def test_the_provider_tells_the_host_of_core_tools_or_the_gateway_before_it() -> None:
    told = command(PARTS, False, [], 7072)
    assert "stripe.webhook_url=http://localhost:7072/api/v1/payments/webhooks/stripe" in told
    assert "easypost.webhook_url=http://localhost:7072/api/v1/shipments/webhooks/easypost" in told
    assert command(PARTS, True, ["cosmos=9081"], 7072) == [
        "--only", "cosmos,servicebus,entra,stripe,easypost,email,apim", "--port", "cosmos=9081",
    ]  # fmt: skip


COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def test_microsofts_emulators_are_where_the_settings_look_for_them_and_on_this_machine_alone() -> None:
    published = {name: [tuple(port.split(":")) for port in each.get("ports", ())] for name, each in COMPOSE.items()}
    assert {address for ports in published.values() for address, _, _ in ports} == {"127.0.0.1"}
    at = {name: {int(port) for _, port, _ in ports} for name, ports in published.items()}
    assert DEFAULT_PORTS["cosmos"] in at["cosmos"]
    assert DEFAULT_PORTS["servicebus"] in at["servicebus"]
    assert at["azurite"] == set(STORAGE_PORTS)
    assert at["sql"] == set()


def test_the_passwords_and_the_licences_are_a_persons_own() -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert not re.search(r"(?:PASSWORD|EULA): (?!\$\{\w+:\?)", text)


def test_the_emulator_reads_the_entities_within_its_limits() -> None:
    (volume,) = COMPOSE["servicebus"]["volumes"]
    source, target, mode = volume.split(":")
    assert (target, mode) == ("/ServiceBus_Emulator/ConfigFiles/Config.json", "ro")
    limited, ours = (json.loads((ROOT / name).read_text()) for name in (source, "infra/servicebus.json"))
    text = json.dumps(limited)
    for name, most in MAX_DURATIONS.items():
        assert set(re.findall(rf'"{name}": "([^"]+)"', text)) == {most}
        ours = json.loads(re.sub(rf'("{name}": )"[^"]+"', rf'\1"{most}"', json.dumps(ours)))
    assert limited == ours
