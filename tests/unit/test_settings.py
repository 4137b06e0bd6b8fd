"""Settings: what is declared is what the sample file holds; errors name the setting and say what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts import declared
from scripts.infrastructure import app_settings
from shared.declaration import Service
from shared.settings import (
    AUTH_ISSUER,
    COSMOS_CONNECTION,
    TELEMETRY_SAMPLING,
    Connection,
    Setting,
    SettingError,
    Settings,
)

PATIENCE = Setting("PATIENCE_SECONDS", "How long to wait.")
KNOWN = ("orders", "payments")


def test_the_sample_file_has_every_declared_setting_and_those_of_the_host() -> None:
    services = declared.services()
    names = {setting.name for setting in app_settings.declared(services)}
    assert {setting.name for service in services for setting in service.settings} < names
    assert app_settings.sample(services)["Values"].keys() == names | app_settings.OF_THE_HOST.keys()


def test_one_name_cannot_mean_two_things() -> None:
    services = [Service(name, "", (), settings=(replace(PATIENCE, default=name),)) for name in KNOWN]
    with pytest.raises(ValueError, match="PATIENCE_SECONDS is declared twice"):
        app_settings.declared(services)


def test_a_setting_has_a_value_on_one_machine() -> None:
    with pytest.raises(ValueError, match="PATIENCE_SECONDS has neither"):
        app_settings.sample([Service("orders", "", (), settings=(PATIENCE,))])


def test_a_missing_setting_is_named_with_its_meaning() -> None:
    with pytest.raises(SettingError, match=r"AUTH_ISSUER is missing.*discovery"):
        Settings({}).text(AUTH_ISSUER)


@pytest.mark.parametrize("text", ["", "soon", "0", "-1"])
def test_a_duration_must_be_a_positive_number(text: str) -> None:
    with pytest.raises(SettingError, match="PATIENCE_SECONDS"):
        Settings({"PATIENCE_SECONDS": text}).seconds(PATIENCE)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "nan", "inf", "many"])
def test_a_count_must_be_a_whole_number_from_one_on_or_from_where_it_says(text: str) -> None:
    assert Settings({"PATIENCE_SECONDS": "600"}).count(PATIENCE) == 600
    assert Settings({"PATIENCE_SECONDS": "0"}).count(PATIENCE, least=0) == 0
    with pytest.raises(SettingError, match="PATIENCE_SECONDS"):
        Settings({"PATIENCE_SECONDS": text}).count(PATIENCE)


@pytest.mark.parametrize("text", ["-0.1", "1.1", "all"])
def test_a_share_must_be_from_0_to_1(text: str) -> None:
    with pytest.raises(SettingError, match="TELEMETRY_SAMPLING"):
        Settings({"TELEMETRY_SAMPLING": text}).ratio(TELEMETRY_SAMPLING)


@pytest.mark.parametrize(
    ("environment", "connection"),
    [
        ({"COSMOS_CONNECTION": "AccountEndpoint=a"}, Connection(string="AccountEndpoint=a")),
        ({"COSMOS_CONNECTION__accountEndpoint": "https://a"}, Connection(address="https://a")),
        ({"COSMOS_CONNECTION": "", "COSMOS_CONNECTION__accountEndpoint": "https://a"}, Connection(address="https://a")),
        (
            {"COSMOS_CONNECTION__accountEndpoint": "https://a", "COSMOS_CONNECTION__clientId": "c"},
            Connection(address="https://a", client_id="c"),
        ),
    ],
    ids=["string", "identity", "identity beside an empty string", "identity by its client id"],
)
def test_a_resource_is_reached_by_a_string_or_by_the_apps_identity(
    environment: dict[str, str], connection: Connection
) -> None:
    assert Settings(environment).connection(COSMOS_CONNECTION) == connection


def test_a_resource_that_is_named_nowhere_is_an_error_that_says_both_ways() -> None:
    with pytest.raises(SettingError, match="set COSMOS_CONNECTION, or COSMOS_CONNECTION__accountEndpoint"):
        Settings({}).connection(COSMOS_CONNECTION)


def test_services_are_all_unless_named() -> None:
    assert Settings({}).services(KNOWN) == KNOWN
    assert Settings({"SERVICES": " payments, orders "}).services((*KNOWN, "other")) == KNOWN


@pytest.mark.parametrize(("text", "named"), [("order", "order"), (",", "empty")])
def test_a_service_that_does_not_exist_stops_the_start(text: str, named: str) -> None:
    with pytest.raises(SettingError, match=named):
        Settings({"SERVICES": text}).services(KNOWN)
