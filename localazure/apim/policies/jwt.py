"""Whose token is good: validate-jwt, validate-azure-ad-token. Source: their reference pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from localazure.apim.context import Context, Jwt
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError, Unsupported
from localazure.apim.expressions import Expression
from localazure.apim.expressions.members import claim_lists
from localazure.apim.policies.base import Builder, Run, policy
from localazure.verifier import InvalidToken, Secret, rsa_key, shared_secret

AUTHORITY = "https://login.microsoftonline.com"


class _Claim:
    def __init__(self, element: Element, builder: Builder) -> None:
        element.allow("name match separator", children="value")
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


@dataclass(frozen=True)
class _Check:
    """What a token must be. `keys` are those that stand in the policy; `documents` say where others are published."""

    policy: str
    documents: list[str]
    keys: list[Secret]
    audiences: list[Expression]
    issuers: list[Expression]
    claims: list[_Claim]
    applications: list[Expression]
    expires: Expression
    skew: Expression


def _run(element: Element, builder: Builder, check: _Check) -> Run:
    find = _token_source(element, builder, "header-name" if check.policy == "validate-azure-ad-token" else "")
    scheme = builder.optional(element, "require-scheme", "string")
    status = builder.attribute(element, "failed-validation-httpcode", "int", "401")
    message = builder.optional(element, "failed-validation-error-message", "string")
    variable = element.attributes.get("output-token-variable-name")
    verifier = builder.services.tokens

    async def run(context: Context) -> None:
        def refuse(reason: str, text: str) -> Exception:
            return context.fail(status(context), check.policy, reason, message(context) if message else text)

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
                check.documents,
                [audience(context) for audience in check.audiences],
                [issuer(context) for issuer in check.issuers],
                float(check.skew(context)),
                check.expires(context),
                check.keys,
            )
        except InvalidToken as exc:
            raise refuse(exc.reason, f"{exc} Access denied.") from exc
        jwt = Jwt(claim_lists(payload), header)
        applications = [application(context) for application in check.applications]
        if applications and (jwt.first("azp") or jwt.first("appid")) not in applications:
            raise refuse("TokenClaimValueNotAllowed", "The client application is not allowed. Access denied.")
        for claim in check.claims:
            if wrong := claim.check(jwt, context):
                raise refuse(wrong, f"Claim {claim.name} is missing or its value is not allowed. Access denied.")
        if variable:
            context.variables[variable] = jwt

    return run


@policy("validate-jwt", "inbound")
def validate_jwt(element: Element, builder: Builder) -> Run:
    """A token must be there and be valid; its keys come from OpenID Connect discovery or stand in the policy."""
    element.allow(
        "header-name query-parameter-name token-value failed-validation-httpcode failed-validation-error-message "
        "require-expiration-time require-scheme require-signed-tokens clock-skew output-token-variable-name",
        children="openid-config issuer-signing-keys audiences issuers required-claims",
    )
    if not builder.flag(element, "require-signed-tokens", "true"):
        raise ArtifactError("unsigned tokens are not accepted here", element.place)
    documents = [builder.literal(child, "url") for child in element.children if child.name == "openid-config"]
    held = element.child("issuer-signing-keys")
    keys = [_key(child) for child in held.children] if held else []
    if not documents and not keys:
        raise ArtifactError("<openid-config> or <issuer-signing-keys> is needed", element.place)
    check = _Check(
        element.name,
        documents,
        keys,
        _texts(element.child("audiences"), "audience", builder),
        _texts(element.child("issuers"), "issuer", builder),
        _claims(element, builder),
        [],
        builder.attribute(element, "require-expiration-time", "bool", "true"),
        builder.attribute(element, "clock-skew", "double", "0"),
    )
    return _run(element, builder, check)


@policy("validate-azure-ad-token", "inbound")
def validate_azure_ad_token(element: Element, builder: Builder) -> Run:
    """A token of Microsoft Entra for one tenant. This machine's issuer stands in for login.microsoftonline.com."""
    element.allow(
        "tenant-id! header-name query-parameter-name token-value authentication-endpoint failed-validation-httpcode "
        "failed-validation-error-message require-scheme output-token-variable-name",
        children="backend-application-ids client-application-ids audiences required-claims",
    )
    authority = builder.literal(element, "authentication-endpoint", AUTHORITY).rstrip("/")
    if builder.services.authority and authority == AUTHORITY:
        authority = builder.services.authority
    tenant = builder.literal(element, "tenant-id")
    check = _Check(
        element.name,
        [f"{authority}/{tenant}/v2.0/.well-known/openid-configuration"],
        [],
        _texts(element.child("audiences"), "audience", builder)
        + _texts(element.child("backend-application-ids"), "application-id", builder),
        [],
        _claims(element, builder),
        _texts(element.child("client-application-ids"), "application-id", builder),
        builder.compiled("true", "bool", element.place, element.place.line),
        builder.compiled("0", "double", element.place, element.place.line),
    )
    return _run(element, builder, check)


def _claims(element: Element, builder: Builder) -> list[_Claim]:
    required = element.child("required-claims")
    return [_Claim(child, builder) for child in required.children] if required else []


def _key(element: Element) -> Secret:
    """A key that stands in the policy: a shared secret in Base64, or the modulus and exponent of an RSA key."""
    if element.name != "key" or "certificate-id" in element.attributes:
        raise Unsupported("keys of certificates are not supported; use a shared secret, or n and e", element.place)
    kid = element.attributes.get("id", "")
    try:
        if element.text:
            return shared_secret(kid, base64.b64decode(element.text, validate=True))
        return rsa_key(kid, element.attributes["n"], element.attributes["e"])
    except KeyError:
        raise ArtifactError("a key has a text in Base64, or n and e", element.place) from None
    except (binascii.Error, ValueError) as exc:
        raise ArtifactError(f"the key cannot be read: {exc}", element.place) from exc


def _token_source(element: Element, builder: Builder, default: str) -> Callable[[Context], str | None]:
    """Where the token is. `default`: the attribute that is meant where none is there."""
    given = [name for name in ("header-name", "query-parameter-name", "token-value") if name in element.attributes]
    given = given or ([default] if default else [])
    if len(given) != 1:
        raise ArtifactError("one of header-name, query-parameter-name and token-value is needed", element.place)
    source = builder.attribute(element, given[0], "string", "Authorization" if default else None)
    match given[0]:
        case "header-name":
            return lambda context: context.request.headers.get(source(context)) or None
        case "query-parameter-name":
            return lambda context: next(iter(context.request.url.parameter(source(context)) or []), None)
    return source


def _texts(element: Element | None, name: str, builder: Builder) -> list[Expression]:
    if element is None:
        return []
    element.allow(children=name)
    return [builder.text(child, "string") for child in element.children]
