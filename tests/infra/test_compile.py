"""Microsoft's compiler and every rule of its linter have nothing to say of the templates."""

from __future__ import annotations

import json
import re

import pytest

from tests.infra.compiler import ENVIRONMENTS, INFRA, SECRET, copy, run, strings

FILES = sorted(path.relative_to(INFRA).as_posix() for path in INFRA.rglob("*.bicep"))
MODULES = [name for name in FILES if name.startswith("modules/")]
KEYS = re.compile(r"\blist[A-Z]\w*\(|AccountKey=|SharedAccessKey|SharedAccessSignature|\bsk_(test|live)_|\bwhsec_")
"""Functions of ARM that give keys, and what keys look like."""


@pytest.mark.usefixtures("bicep")
@pytest.mark.parametrize("command", ["build", "lint"])
def test_the_templates_pass_without_a_warning(command: str) -> None:
    answer = run(command, str(INFRA / "main.bicep"), *(["--stdout"] if command == "build" else []))
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.usefixtures("bicep")
@pytest.mark.parametrize("environment", [*ENVIRONMENTS, "main"])
def test_the_parameters_pass_without_a_warning(environment: str) -> None:
    answer = run("build-params", str(INFRA / f"{environment}.bicepparam"), "--stdout")
    assert (answer.returncode, answer.stderr) == (0, "")


@pytest.mark.usefixtures("bicep")
def test_the_templates_hold_no_key_and_ask_for_none() -> None:
    template = json.loads(run("build", str(INFRA / "main.bicep"), "--stdout").stdout)
    assert not [text for text in strings(template) if KEYS.search(text)]


@pytest.mark.usefixtures("bicep")
def test_a_secret_is_a_secure_parameter_and_nothing_else() -> None:
    template = json.loads(run("build", str(INFRA / "main.bicep"), "--stdout").stdout)
    assert template["parameters"]["secrets"]["type"] == "secureObject"
    given = json.loads(run("build-params", str(INFRA / "dev.bicepparam"), "--stdout").stdout)
    parameters = json.loads(given["parametersJson"])["parameters"]
    assert [name for name in parameters if SECRET in json.dumps(parameters[name])] == ["secrets"]


@pytest.mark.usefixtures("bicep")
def test_the_apps_are_called_by_the_gateway_alone() -> None:
    template = json.loads(run("build", str(INFRA / "main.bicep"), "--stdout").stdout)
    app = template["resources"]["app"]["properties"]
    callers = app["parameters"]["callers"]["value"]
    assert callers == "[reference('gateway').outputs.addresses.value]"
    config = app["template"]["resources"]["app"]["properties"]["siteConfig"]
    assert config["ipSecurityRestrictionsDefaultAction"] == "Deny"
    (rule,) = (rule for rule in config["copy"] if rule["name"] == "ipSecurityRestrictions")
    assert rule["count"] == "[length(parameters('callers'))]" and rule["input"]["action"] == "Allow"


@pytest.mark.usefixtures("bicep")
def test_e_mail_is_sent_from_the_linked_domain_at_the_resource_that_takes_tokens() -> None:
    template = json.loads(run("build", str(INFRA / "main.bicep"), "--stdout").stdout)
    outputs = template["resources"]["email"]["properties"]["template"]["outputs"]
    assert outputs["endpoint"]["value"] == "[format('https://{0}', reference('sender').hostName)]"
    assert outputs["address"]["value"] == "[format('DoNotReply@{0}', reference('service::domain').fromSenderDomain)]"


@pytest.mark.usefixtures("bicep")
def test_files_are_formatted(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = copy(tmp_path_factory.mktemp("formatted")) / "infra"
    for name in FILES:
        assert run("format", str(folder / name)).returncode == 0
        assert (folder / name).read_text(encoding="utf-8") == (INFRA / name).read_text(encoding="utf-8"), name


def test_every_rule_of_the_linter_is_an_error() -> None:
    rules = json.loads((INFRA / "bicepconfig.json").read_text(encoding="utf-8"))["analyzers"]["core"]["rules"]
    assert len(rules) >= 41 and {rule["level"] for rule in rules.values()} == {"error"}


def test_every_file_that_a_template_names_is_there() -> None:
    named = re.compile(r"(?:module \w+ |from |using |load\w+Content\()'([^']+)'")
    for path in [*INFRA.rglob("*.bicep"), *INFRA.glob("*.bicepparam")]:
        for name in named.findall(path.read_text(encoding="utf-8")):
            assert (path.parent / name).is_file(), f"{path.relative_to(INFRA)} names {name}"


def test_every_module_is_used() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in INFRA.rglob("*.bicep"))
    assert [name for name in MODULES if f"'{name}'" not in text] == []


def test_no_template_names_a_service() -> None:
    names = {service["name"] for service in json.loads((INFRA / "services.json").read_text("utf-8"))["services"]}
    services = names - {"notifications", "operations"}  # Azure has some of its own, too
    word = re.compile(rf"\b({'|'.join(services)})\b")
    for name in FILES:
        if name != "gateway/artifacts.bicep":  # written from the folders below apim/
            code = re.sub(r"//.*|@description\('.*'\)|description: '.*'", "", (INFRA / name).read_text("utf-8"))
            assert not word.search(code), name
