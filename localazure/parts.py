"""The table of parts: what there is, where it is imported from, and what connects the app to it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from localazure.part import Part

FUNCTIONS = "functions"

DURABLE = (
    "durable has no process of its own: it runs inside the functions host, as the Durable extension does on Azure. "
    "Start `python -m localazure functions` (or `up`); its HTTP API is at /runtime/webhooks/durabletask."
)


class PartError(ValueError):
    """A part or one of its options does not exist; the message names it and says what does."""


@dataclass(frozen=True)
class Entry:
    """One line of the table."""

    module: str
    setting: str = ""
    """The app setting that holds this part's address."""
    identity_part: str = ""
    """What it is called there where the app's identity is used: `SETTING__PART`."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Option → the file or directory that `up` gives it, if it exists."""


IDENTITIES = "infra/identities.json"
"""Identities of the app's services, and their role assignments."""

TABLE: Mapping[str, Entry] = {
    "cosmos": Entry(
        "localazure.cosmos",
        "COSMOS_CONNECTION",
        "accountEndpoint",
        {"containers": "infra/cosmos.json", "identities": IDENTITIES},
    ),
    "servicebus": Entry(
        "localazure.servicebus",
        "SERVICEBUS_CONNECTION",
        "fullyQualifiedNamespace",
        {"entities": "infra/servicebus.json", "identities": IDENTITIES},
    ),
    "entra": Entry("localazure.entra", "AUTH_ISSUER", files={"accounts": "infra/entra.json", "identities": IDENTITIES}),
    "stripe": Entry("localazure.stripe", "STRIPE_API_BASE", files={"endpoint": "infra/stripe.json"}),
    "easypost": Entry("localazure.easypost", "EASYPOST_API_BASE", files={"endpoint": "infra/easypost.json"}),
    "email": Entry("localazure.email", "EMAIL_CONNECTION", "endpoint", {"identities": IDENTITIES}),
    "insights": Entry(
        "localazure.insights",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        files={"console": "infra/console.json", "queries": "infra"},
    ),
    "apim": Entry(
        "localazure.apim",
        files={"artifacts": "apim", "configuration": "apim/configuration.local.json", "guides": "docs"},
    ),
    FUNCTIONS: Entry("localazure.functions"),
}
"""In the order they are shown. The functions host comes last: it is started when the others accept connections."""


def load(name: str) -> Part:
    """Import one part, and only that one. Raises PartError for a name that is not in the table."""
    if name not in TABLE:
        raise PartError(f"there is no part {name!r}; the parts are {', '.join(TABLE)}")
    part: Part = importlib.import_module(TABLE[name].module).PART
    return part


def check_options(part: Part, options: Mapping[str, str]) -> None:
    """Raises PartError for an option the part does not have, naming those it has."""
    for name in options:
        if name not in part.options:
            known = ", ".join(part.options) or "none"
            raise PartError(f"{part.name} has no option {name!r}; its options are: {known}")


def port_variable(name: str) -> str:
    """The environment variable that moves a part to another port."""
    return f"LOCALAZURE_{name.upper()}_PORT"
