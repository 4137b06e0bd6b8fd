"""Settings: one list, which the sample file follows; errors name the setting and say what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.settings import LISTED, SERVICES, SettingError, Settings

ROOT = Path(__file__).parents[2]
OF_THE_HOST = {
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "AzureWebJobsStorage",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
}


def test_the_sample_file_has_every_listed_setting_and_no_other() -> None:
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    assert sample["Values"].keys() == {setting.name for setting in LISTED} | OF_THE_HOST


def test_a_missing_setting_is_named_with_its_meaning() -> None:
    with pytest.raises(SettingError, match=r"AUTH_ISSUER is missing.*discovery"):
        Settings({}).text("AUTH_ISSUER")


@pytest.mark.parametrize("text", ["", "soon", "0", "-1"])
def test_a_duration_must_be_a_positive_number(text: str) -> None:
    with pytest.raises(SettingError, match="ORDER_DEADLINE_SECONDS"):
        Settings({"ORDER_DEADLINE_SECONDS": text}).seconds("ORDER_DEADLINE_SECONDS")


@pytest.mark.parametrize("text", ["-0.1", "1.1", "all"])
def test_a_share_must_be_from_0_to_1(text: str) -> None:
    with pytest.raises(SettingError, match="TELEMETRY_SAMPLING"):
        Settings({"TELEMETRY_SAMPLING": text}).ratio("TELEMETRY_SAMPLING")


def test_services_are_all_unless_named() -> None:
    assert Settings({}).services == SERVICES
    assert Settings({"SERVICES": " payments, orders "}).services == ("orders", "payments")


@pytest.mark.parametrize(("text", "named"), [("order", "order"), (",", "empty")])
def test_a_service_that_does_not_exist_stops_the_start(text: str, named: str) -> None:
    with pytest.raises(SettingError, match=named):
        _ = Settings({"SERVICES": text}).services
