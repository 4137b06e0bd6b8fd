"""Names and numbers of what a deployment makes are within Azure's limits, and the guide says what it asks for.

Sources: "Naming rules and restrictions for Azure resources"; "Azure subscription and service limits"; "Service Bus
quotas"; "Azure Cosmos DB service quotas"; "API Management limits". Where pages differ, the lower number stands here.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from scripts import declared
from tests.infra.compiler import INFRA, ROOT, Deployment, run

GUIDE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
NAMES = {
    "Microsoft.Storage/storageAccounts": r"[a-z0-9]{3,24}",
    "Microsoft.KeyVault/vaults": r"[A-Za-z](?!.*--)[A-Za-z0-9-]{1,22}[A-Za-z0-9]",
    "Microsoft.DocumentDB/databaseAccounts": r"[a-z0-9][a-z0-9-]{1,42}[a-z0-9]",
    "Microsoft.ServiceBus/namespaces": r"[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]",
    "Microsoft.ApiManagement/service": r"[A-Za-z][A-Za-z0-9-]{0,48}[A-Za-z0-9]",
    "Microsoft.Web/sites": r"[A-Za-z0-9][A-Za-z0-9-]{0,41}[A-Za-z0-9]",
    "Microsoft.Communication/communicationServices": r"[A-Za-z0-9-]{1,63}",
    "Microsoft.Communication/emailServices": r"[A-Za-z0-9-]{1,63}",
    "Microsoft.ManagedIdentity/userAssignedIdentities": r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}",
}
"""Of a Function App 43: with more, host and host name are told by the first 43 and a hash."""
MAX_OF = {
    "Microsoft.ServiceBus/namespaces/topics": 1_000,  # Premium's, for each messaging unit
    "Microsoft.ServiceBus/namespaces/topics/subscriptions": 2_000,
    "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules": 2_000,
    "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers": 100,  # of a serverless account
    "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments": 2_000,
    "Microsoft.Authorization/roleAssignments": 4_000,
    "Microsoft.ApiManagement/service/apis/operations/policies": 1_000,
    "Microsoft.Web/serverfarms": 100,
}
MAX_POLICY = 256 * 1024
MAX_TEMPLATE = 4 * 1024 * 1024
MAX_RESOURCES = 800
SHARED_CONTAINERS = 25
"""Containers of a database whose throughput they share."""


def test_names_are_ones_that_azure_takes(made: Deployment) -> None:
    for kind, rule in NAMES.items():
        for resource in made.of(kind):
            assert re.fullmatch(rule, resource["name"]), (kind, resource["name"])


def test_numbers_are_within_the_limits(made: Deployment) -> None:
    assert len(made.resources) < MAX_RESOURCES
    for kind, most in MAX_OF.items():
        assert 0 < len(made.of(kind)) <= most, kind
    for service in declared.services():
        assert len(service.containers) < SHARED_CONTAINERS, service.name
    policies = [resource for resource in made.resources if resource["type"].endswith(("/policies", "/policyFragments"))]
    assert len(policies) > 20
    for policy in policies:
        assert len(policy["properties"]["value"].encode()) <= MAX_POLICY, policy["name"]


@pytest.mark.usefixtures("bicep")
def test_the_template_is_no_larger_than_may_be_sent() -> None:
    assert len(run("build", str(INFRA / "main.bicep"), "--stdout").stdout.encode()) < MAX_TEMPLATE


def test_the_guide_registers_every_provider_that_a_deployment_needs(made: Deployment) -> None:
    (listed,) = re.findall(r"for provider in ([\w ]+);", GUIDE)
    needed = {resource["type"].split("/")[0].removeprefix("Microsoft.") for resource in made.resources}
    assert needed - {"Authorization", "Resources"} <= set(listed.split()), "these two are always there"


def test_the_guide_gives_every_secret_and_no_other() -> None:
    (given,) = re.findall(r"export PROVIDER_SECRETS +# (\{.+\})", GUIDE)
    declared_ = {setting.name for service in declared.services() for setting in service.settings if setting.secret}
    assert json.loads(given).keys() == declared_


def test_the_guide_says_what_prod_has_ready(deployments: dict[str, Deployment]) -> None:
    made = deployments["prod"]

    def only(kind: str) -> dict[str, Any]:
        (found,) = made.of(kind)
        return found

    ready = [
        group["instanceCount"]
        for site in made.of("Microsoft.Web/sites")
        for group in site["properties"]["functionAppConfig"]["scaleAndConcurrency"]["alwaysReady"]
    ]
    databases = made.of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases")
    (least,) = {each["properties"]["options"]["autoscaleSettings"]["maxThroughput"] // 10 for each in databases}
    units = [
        only(kind)["sku"]["capacity"] for kind in ("Microsoft.ServiceBus/namespaces", "Microsoft.ApiManagement/service")
    ]
    endpoints = len(made.of("Microsoft.Network/privateEndpoints"))
    assert (
        f"{sum(ready)} always-ready instances, {len(databases)} databases of {least} request units a second, "
        f"{units[0]} messaging unit, {units[1]} gateway unit and {endpoints} private endpoints"
    ) in GUIDE
