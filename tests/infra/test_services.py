"""What a deployment makes for the services is what they declare, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts import declared
from scripts.infrastructure import azure
from shared.declaration import Service
from shared.settings import KIT, SERVICES, Setting
from tests.infra import compiler
from tests.infra.compiler import AUDIENCE, Deployment, identity_of

DECLARED = declared.services()
NAMES = [service.name for service in DECLARED]
ORDERS = next(service for service in DECLARED if service.name == "orders")
STORAGE = "AzureWebJobsStorage"
OF_THE_HOST = {
    *(f"{STORAGE}__{part}" for part in ("accountName", "credential", "clientId")),
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}
OF_DURABLE = "AzureFunctionsJobHost__extensions__durableTask__hubName"
OF_THE_ENVIRONMENT = {"AUTH_AUDIENCE", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"}
"""Settings that have a default, and are never left at it."""
REFUSED = ("FUNCTIONS_", "WEBSITE_", "SCM_", "ENABLE_ORYX_BUILD", "linuxFxVersion")
"""Settings that Flex Consumption refuses or ignores."""


def app(made: Deployment, service: str) -> dict[str, Any]:
    (found,) = (site for site in made.of("Microsoft.Web/sites") if site["tags"]["azd-service-name"] == service)
    return found


def settings(made: Deployment, service: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in app(made, service)["properties"]["siteConfig"]["appSettings"]}


def names_of(setting: Setting) -> set[str]:
    """What the setting is called where the app's identity is used."""
    if setting.identity_part:
        return {setting.for_identity, f"{setting.name}__credential", f"{setting.name}__clientId"}
    return {setting.name}


@pytest.mark.parametrize("service", DECLARED, ids=NAMES)
def test_a_function_app_has_exactly_the_settings_of_its_declaration(made: Deployment, service: Service) -> None:
    own = set().union(*(names_of(setting) for setting in (*KIT, *service.settings)))
    found = settings(made, service.name)
    assert found.keys() == own | OF_THE_HOST | ({OF_DURABLE} if service.durable else set())
    assert not [name for name in found if name.startswith(REFUSED)]


@pytest.mark.parametrize("service", DECLARED, ids=NAMES)
def test_a_setting_has_the_value_of_its_declaration_unless_the_environment_says_another(
    deployments: dict[str, Deployment], service: Service
) -> None:
    for setting in (*KIT, *service.settings):
        if setting.default is not None and not setting.resource and setting.name not in OF_THE_ENVIRONMENT:
            expected = service.name if setting is SERVICES else setting.default
            assert settings(deployments["dev"], service.name)[setting.name] == expected
    assert settings(deployments["prod"], service.name)["TELEMETRY_SAMPLING"] == "0.1"
    assert settings(deployments["prod"], service.name)["AUTH_AUDIENCE"] == AUDIENCE


@pytest.mark.parametrize("service", DECLARED, ids=NAMES)
def test_connections_are_the_identity_of_the_app_alone(made: Deployment, service: Service) -> None:
    found = settings(made, service.name)
    for name in ("COSMOS_CONNECTION", "SERVICEBUS_CONNECTION", STORAGE):
        assert found[f"{name}__credential"] == "managedidentity"
        assert identity_of(found[f"{name}__clientId"], NAMES) == service.name
    identity = app(made, service.name)["identity"]
    assert identity["type"] == "UserAssigned"
    (name,) = identity["userAssignedIdentities"]
    assert identity_of(name, NAMES) == service.name
    properties = app(made, service.name)["properties"]
    deployment = properties["functionAppConfig"]["deployment"]["storage"]
    assert deployment["authentication"]["type"] == "UserAssignedIdentity"
    assert identity_of(properties["keyVaultReferenceIdentity"], NAMES) == service.name


@pytest.mark.parametrize("service", DECLARED, ids=NAMES)
def test_a_secret_is_a_reference_to_key_vault(made: Deployment, service: Service) -> None:
    kept = {resource["name"].split("/")[1] for resource in made.of("Microsoft.KeyVault/vaults/secrets")}
    for setting in service.settings:
        if setting.secret:
            value = settings(made, service.name)[setting.name]
            assert value.startswith("[format('@Microsoft.KeyVault(SecretUri={0}secrets/{1})'")
            name = setting.name.lower().replace("_", "-")
            assert f"'{name}'" in value and name in kept


def test_key_vault_keeps_what_is_declared_secret_and_nothing_else(made: Deployment) -> None:
    secrets = {own.name.lower().replace("_", "-") for service in DECLARED for own in service.settings if own.secret}
    assert {secret["name"].split("/")[1] for secret in made.of("Microsoft.KeyVault/vaults/secrets")} == secrets


def test_notifications_alone_are_told_where_e_mail_goes_out(made: Deployment) -> None:
    told = {
        service.name: {name for name in settings(made, service.name) if name.startswith("EMAIL_")}
        for service in DECLARED
    }
    assert {name for name, own in told.items() if own} == {"notifications"}
    own = settings(made, "notifications")
    assert own["EMAIL_CONNECTION__credential"] == "managedidentity"
    assert identity_of(own["EMAIL_CONNECTION__clientId"], NAMES) == "notifications"
    for name, output in (("EMAIL_CONNECTION__endpoint", "endpoint"), ("EMAIL_SENDER", "address")):
        assert "format('email-{0}'" in own[name] and f".outputs.{output}.value" in own[name]


def test_e_mail_goes_out_under_a_linked_domain_and_nobody_is_followed_or_named(made: Deployment) -> None:
    (sender,) = made.of("Microsoft.Communication/communicationServices")
    (domain,) = made.of("Microsoft.Communication/emailServices/domains")
    assert sender["properties"]["linkedDomains"] == [domain["id"]]
    assert domain["properties"] == {"domainManagement": "AzureManaged", "userEngagementTracking": "Disabled"}
    logged = [
        log["category"]
        for each in made.of("Microsoft.Insights/diagnosticSettings")
        if "Microsoft.Communication" in each["id"]
        for log in each["properties"]["logs"]
    ]
    assert logged == ["EmailSendMailOperational"], "the others name whom an e-mail was for"


def rights(made: Deployment) -> set[tuple[str, str, str]]:
    """The table identity × role id × resource, as `Microsoft…/kind/name`."""
    found = set()
    for assignment in made.of("Microsoft.Authorization/roleAssignments"):
        properties = assignment["properties"]
        role = properties["roleDefinitionId"].rsplit("/", 1)[1]
        if "identity-{0}" not in properties["principalId"]:
            continue  # the gateway's own, below
        assert properties["principalType"] == "ServicePrincipal"
        scope = assignment["id"].rpartition("/providers/Microsoft.Authorization/")[0].partition("/providers/")[2]
        found.add((identity_of(properties["principalId"], NAMES), role, scope))
    for assignment in made.of("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments"):
        properties = assignment["properties"]
        role = properties["roleDefinitionId"].rsplit("/", 1)[1]
        scope = properties["scope"].partition("/providers/")[2]
        found.add((identity_of(properties["principalId"], NAMES), role, scope))
    return found


def expected_rights(made: Deployment) -> set[tuple[str, str, str]]:
    """The same table, from the declarations."""
    (bus,), (account,), (component,), (vault,), (sender,) = (
        made.of(kind)
        for kind in (
            "Microsoft.ServiceBus/namespaces",
            "Microsoft.DocumentDB/databaseAccounts",
            "Microsoft.Insights/components",
            "Microsoft.KeyVault/vaults",
            "Microsoft.Communication/communicationServices",
        )
    )
    namespace = f"Microsoft.ServiceBus/namespaces/{bus['name']}"
    roles = azure.RIGHTS
    found = set()
    for service in DECLARED:
        (storage,) = (
            f"Microsoft.Storage/storageAccounts/{each['name']}"
            for each in made.of("Microsoft.Storage/storageAccounts")
            if each["name"].startswith(f"st{service.name[:9]}")
        )
        table = [
            ("Storage Blob Data Owner", storage),
            ("Storage Table Data Contributor", storage),
            ("Monitoring Metrics Publisher", f"Microsoft.Insights/components/{component['name']}"),
            (
                "Cosmos DB Built-in Data Contributor",
                f"Microsoft.DocumentDB/databaseAccounts/{account['name']}/dbs/{service.name}",
            ),
        ]
        if service.durable:
            table.append(("Storage Queue Data Contributor", storage))
        if service.publishes:
            table.append(("Azure Service Bus Data Sender", f"{namespace}/topics/{service.name}"))
        for topic in service.hears:
            scope = f"{namespace}/topics/{topic}/subscriptions/{service.name}"
            table.append(("Azure Service Bus Data Receiver", scope))
        if service.operates:
            for other in DECLARED:
                if other.publishes:
                    table.append(("Azure Service Bus Data Sender", f"{namespace}/topics/{other.name}"))
                for topic in other.hears:
                    scope = f"{namespace}/topics/{topic}/subscriptions/{other.name}"
                    table.append(("Azure Service Bus Data Receiver", scope))
        for setting in service.settings:
            if setting.secret:
                name = setting.name.lower().replace("_", "-")
                table.append(("Key Vault Secrets User", f"Microsoft.KeyVault/vaults/{vault['name']}/secrets/{name}"))
        if service.name == "notifications":
            scope = f"Microsoft.Communication/communicationServices/{sender['name']}"
            table.append(("Communication and Email Service Owner", scope))
        found |= {(service.name, roles[role], scope) for role, scope in table}
    return found


def test_an_identity_may_do_what_its_declaration_says_and_nothing_else(made: Deployment) -> None:
    assert rights(made) == expected_rights(made)


def test_the_gateway_may_publish_metrics_and_nothing_else(made: Deployment) -> None:
    others = [
        assignment
        for assignment in made.of("Microsoft.Authorization/roleAssignments")
        if "identity-{0}" not in assignment["properties"]["principalId"]
    ]
    (own,) = others
    assert "Microsoft.ApiManagement/service" in own["properties"]["principalId"]
    assert own["properties"]["roleDefinitionId"].endswith(azure.RIGHTS["Monitoring Metrics Publisher"])


def test_containers_are_those_that_are_declared(made: Deployment) -> None:
    document = azure.document(DECLARED)
    found = {
        tuple(each["name"].split("/")[1:]): each["properties"]["resource"]
        for each in made.of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers")
    }
    assert found == {
        (service["name"], container["name"]): {
            "id": container["name"],
            "partitionKey": {"paths": [container["partitionKey"]], "kind": "Hash", "version": 2},
            "indexingPolicy": container["indexingPolicy"],
            **({} if container["defaultTtl"] is None else {"defaultTtl": container["defaultTtl"]}),
        }
        for service in document["services"]
        for container in service["containers"]
    }


def test_topics_subscriptions_and_rules_are_those_that_are_declared(made: Deployment) -> None:
    document = azure.document(DECLARED)
    topics = made.of("Microsoft.ServiceBus/namespaces/topics")
    assert {each["name"].split("/")[1] for each in topics} == {each.name for each in DECLARED if each.publishes}
    assert all(each["properties"]["requiresDuplicateDetection"] for each in topics)
    subscriptions = {
        (entry["topic"], entry["name"]): entry["filter"]
        for service in document["services"]
        for entry in service["subscriptions"]
    }
    made_subscriptions = made.of("Microsoft.ServiceBus/namespaces/topics/subscriptions")
    assert {tuple(each["name"].split("/")[1:]) for each in made_subscriptions} == subscriptions.keys()
    for each in made_subscriptions:
        assert each["properties"]["maxDeliveryCount"] == 10 and each["properties"]["deadLetteringOnMessageExpiration"]
    rules = made.of("Microsoft.ServiceBus/namespaces/topics/subscriptions/rules")
    assert {each["name"].split("/")[3] for each in rules} == {"$Default"}, "Azure's own rule takes every message"
    assert len(rules) == len(subscriptions)
    assert subscriptions == {
        tuple(each["name"].split("/")[1:3]): each["properties"]["sqlFilter"]["sqlExpression"] for each in rules
    }


@pytest.mark.parametrize(
    ("kind", "property_"),
    [
        ("Microsoft.DocumentDB/databaseAccounts", "disableLocalAuth"),
        ("Microsoft.ServiceBus/namespaces", "disableLocalAuth"),
        ("Microsoft.Insights/components", "DisableLocalAuth"),
        ("Microsoft.Communication/communicationServices", "disableLocalAuth"),
    ],
)
def test_keys_open_nothing(made: Deployment, kind: str, property_: str) -> None:
    (found,) = made.of(kind)
    assert found["properties"][property_] is True
    assert all(not each["properties"]["allowSharedKeyAccess"] for each in made.of("Microsoft.Storage/storageAccounts"))
    passwords = made.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert len(passwords) == 2 * len(DECLARED) and not any(each["properties"]["allow"] for each in passwords)


def test_stores_of_production_are_reached_over_private_endpoints_alone(deployments: dict[str, Deployment]) -> None:
    for environment, expected in (("dev", "Enabled"), ("prod", "Disabled")):
        made = deployments[environment]
        stores = [
            resource
            for kind in (
                "Microsoft.Storage/storageAccounts",
                "Microsoft.DocumentDB/databaseAccounts",
                "Microsoft.ServiceBus/namespaces",
                "Microsoft.KeyVault/vaults",
            )
            for resource in made.of(kind)
        ]
        assert {store["properties"]["publicNetworkAccess"] for store in stores} == {expected}
    endpoints = deployments["prod"].of("Microsoft.Network/privateEndpoints")
    assert len(endpoints) == 3 * len(DECLARED) + 3
    assert not deployments["dev"].of("Microsoft.Network/privateEndpoints")


TOPICS = "Microsoft.ServiceBus/namespaces/topics"
CHANGES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "subscription": (
        {"hears": {topic: events for topic, events in ORDERS.hears.items() if topic != "carts"}},
        {f"{TOPICS}/subscriptions", f"{TOPICS}/subscriptions/rules", "Microsoft.Authorization/roleAssignments"},
    ),
    "container": (
        {"containers": (replace(ORDERS.containers[0], partition_key="elsewhere"), *ORDERS.containers[1:])},
        {"Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers"},
    ),
    "right": ({"durable": False}, {"Microsoft.Authorization/roleAssignments", "Microsoft.Web/sites"}),
    "setting": ({"settings": (*ORDERS.settings, Setting("NEW_SETTING", "Is new.", "7"))}, {"Microsoft.Web/sites"}),
}
"""What is changed of the declaration of orders → the types of the resources that are then others."""


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_a_declaration_changes_what_follows_from_it_and_nothing_else(
    deployments: dict[str, Deployment], tmp_path: Path, what: str
) -> None:
    change, kinds = CHANGES[what]
    changed = [replace(service, **change) if service is ORDERS else service for service in DECLARED]
    folder = compiler.copy(tmp_path)
    (folder / "infra" / "services.json").write_text(json.dumps(azure.document(changed)), encoding="utf-8")
    before, after = (
        {json.dumps(resource, sort_keys=True): resource["type"] for resource in each.resources}
        for each in (deployments["dev"], compiler.deployment(folder, "dev"))
    )
    assert {(before | after)[resource] for resource in before.keys() ^ after.keys()} == kinds
