"""Who may come in: check-header, ip-filter, validate-jwt; and who the gateway is: authentication-managed-identity."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from localazure.apim.context import Context, Jwt
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError
from localazure.apim.expressions import Expression
from localazure.apim.expressions.members import claim_lists
from localazure.apim.policies.base import Builder, Run, policy
from localazure.apim.tokens import InvalidToken


@policy("check-header", "inbound")
def check_header(element: Element, builder: Builder) -> Run:
    """The header must be there, with one of the values if there are any."""
    element.allow("name! failed-check-httpcode! failed-check-error-message! ignore-case!", children="value")
    name = builder.attribute(element, "name", "string")
    status = builder.attribute(element, "failed-check-httpcode", "int")
    message = builder.attribute(element, "failed-check-error-message", "string")
    fold = builder.attribute(element, "ignore-case", "bool")
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
    element.allow("action!", children="address address-range")
    allow = builder.choice(element, "action", "allow forbid") == "allow"
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


class _Claim:
    def __init__(self, element: Element, builder: Builder) -> None:
        element.allow("name! match separator", children="value")
        self.name = builder.literal(element, "name")
        self.any = builder.choice(element, "match", "all any", "all") == "any"
        self.separator = element.attributes.get("separator")
        self.values = [builder.text(child, "string") for child in element.children]

    def check(self, token: Jwt, context: Context) -> str | None:
        """What is wrong: a missing claim or a wrong value."""
        given = token.claims.get(self.name)
        if given is None:
            return "TokenClaimNotFound"
        if self.separator is not None:
            given = [part for text in given for part in text.split(self.separator)]
        held = [value(context) in given for value in self.values]
        if held and not (any(held) if self.any else all(held)):
            return "TokenClaimValueNotAllowed"
        return None


@policy("validate-jwt", "inbound")
def validate_jwt(element: Element, builder: Builder) -> Run:
    """A token must be there and be valid; its keys come from OpenID Connect discovery."""
    element.allow(
        "header-name query-parameter-name token-value failed-validation-httpcode failed-validation-error-message "
        "require-expiration-time require-scheme require-signed-tokens clock-skew output-token-variable-name",
        children="openid-config! audiences issuers required-claims",
    )
    find = _token_source(element, builder)
    scheme = builder.optional(element, "require-scheme", "string")
    status = builder.attribute(element, "failed-validation-httpcode", "int", "401")
    message = builder.optional(element, "failed-validation-error-message", "string")
    expires = builder.attribute(element, "require-expiration-time", "bool", "true")
    skew = builder.attribute(element, "clock-skew", "double", "0")
    if not builder.flag(element, "require-signed-tokens", "true"):
        raise ArtifactError("unsigned tokens are not accepted here", element.place)
    variable = element.attributes.get("output-token-variable-name")
    documents = [builder.literal(child, "url") for child in element.children if child.name == "openid-config"]
    audiences = _texts(element.child("audiences"), "audience", builder)
    issuers = _texts(element.child("issuers"), "issuer", builder)
    required = element.child("required-claims")
    claims = [_Claim(child, builder) for child in required.children] if required else []
    verifier = builder.services.tokens

    async def run(context: Context) -> None:
        def refuse(reason: str, text: str) -> Exception:
            return context.fail(status(context), "validate-jwt", reason, message(context) if message else text)

        token = find(context)
        if token is not None and scheme is not None:
            given, _, rest = token.partition(" ")
            token = rest.strip() if given.lower() == scheme(context).lower() else None
        elif token is not None and token.lower().startswith("bearer "):
            token = token[7:].strip()
        if not token:
            raise refuse("TokenNotPresent", "JWT not present.")
        try:
            payload, header = await verifier.verify(
                token,
                documents,
                [audience(context) for audience in audiences],
                [issuer(context) for issuer in issuers],
                float(skew(context)),
                expires(context),
            )
        except InvalidToken as exc:
            raise refuse(exc.reason, f"{exc} Access denied.") from exc
        jwt = Jwt(claim_lists(payload), header)
        for claim in claims:
            if wrong := claim.check(jwt, context):
                raise refuse(wrong, f"Claim {claim.name} is missing or its value is not allowed. Access denied.")
        if variable:
            context.variables[variable] = jwt

    return run


def _token_source(element: Element, builder: Builder) -> Callable[[Context], str | None]:
    given = [name for name in ("header-name", "query-parameter-name", "token-value") if name in element.attributes]
    if len(given) != 1:
        raise ArtifactError("one of header-name, query-parameter-name and token-value is needed", element.place)
    source = builder.attribute(element, given[0], "string")
    match given[0]:
        case "header-name":
            return lambda context: context.request.headers.get(source(context)) or None
        case "query-parameter-name":
            return lambda context: next(iter(context.request.url.parameter(source(context)) or []), None)
    return source


def _texts(element: Element | None, name: str, builder: Builder) -> list[Expression]:
    if element is None:
        return []
    element.allow(children=f"{name}!")
    return [builder.text(child, "string") for child in element.children]


@policy("authentication-managed-identity", "inbound", "global product api operation")
def managed_identity(element: Element, builder: Builder) -> Run:
    """A token for `resource` as the gateway itself; in the Authorization header unless a variable is named."""
    element.allow("resource! output-token-variable-name ignore-error")
    resource = builder.attribute(element, "resource", "string")
    variable = element.attributes.get("output-token-variable-name")
    lenient = builder.flag(element, "ignore-error", "false")
    identity = builder.services.identity

    async def run(context: Context) -> None:
        try:
            token = await identity.token(resource(context))
        except InvalidToken as exc:
            if lenient:
                return
            raise context.fail(500, "authentication-managed-identity", exc.reason, str(exc)) from exc
        if variable:
            context.variables[variable] = token
        else:
            context.request.headers.set("Authorization", [f"Bearer {token}"])

    return run
