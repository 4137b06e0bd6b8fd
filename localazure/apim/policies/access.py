"""Who may come in: check-header, ip-filter."""

from __future__ import annotations

import ipaddress
from typing import Any

from localazure.apim.context import Context
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError
from localazure.apim.policies.base import Builder, Run, policy


@policy("check-header", "inbound")
def check_header(element: Element, builder: Builder) -> Run:
    """The header must be there, with one of the values if there are any."""
    element.allow("name! failed-check-httpcode! failed-check-error-message ignore-case", children="value")
    name = builder.attribute(element, "name", "string")
    status = builder.attribute(element, "failed-check-httpcode", "int")
    message = builder.attribute(element, "failed-check-error-message", "string", "")
    fold = builder.attribute(element, "ignore-case", "bool", "false")
    allowed = [builder.text(child, "string") for child in element.children]

    def run(context: Context) -> None:
        values = context.request.headers.values(name(context))
        if not values:
            raise context.fail(status(context), "check-header", "HeaderNotFound", message(context))
        wanted = [value(context) for value in allowed]
        given = values[0]
        if fold(context):
            wanted, given = [value.lower() for value in wanted], given.lower()
        if wanted and given not in wanted:
            raise context.fail(status(context), "check-header", "HeaderValueNotAllowed", message(context))

    return run


@policy("ip-filter", "inbound")
def ip_filter(element: Element, builder: Builder) -> Run:
    """Allow or forbid addresses and ranges of addresses."""
    element.allow("action", children="address address-range")
    allow = builder.choice(element, "action", "allow forbid", "allow") == "allow"
    networks: list[tuple[Any, Any]] = []
    for child in element.children:
        try:
            if child.name == "address":
                child.allow(text=True)
                network = ipaddress.ip_network(child.text)
                networks.append((network[0], network[-1]))
            else:
                child.allow("from! to!")
                low, high = (ipaddress.ip_address(child.attributes[name]) for name in ("from", "to"))
                networks.append((low, high))
        except ValueError as exc:
            raise ArtifactError(f"not an IP address: {exc}", child.place) from exc

    def run(context: Context) -> None:
        address = ipaddress.ip_address(context.request.ip)
        listed = any(low.version == address.version and low <= address <= high for low, high in networks)
        if listed and not allow:
            raise context.fail(403, "ip-filter", "CallerIpBlocked", "Caller IP address is blocked. Access denied.")
        if allow and not listed:
            message = f"Caller IP address {address} is not allowed. Access denied."
            raise context.fail(403, "ip-filter", "CallerIpNotAllowed", message)

    return run
