"""Who the gateway is: authentication-managed-identity, authentication-basic. Source: their reference pages."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable

from localazure.apim.context import Context
from localazure.apim.document import Element
from localazure.apim.policies.base import Builder, Run, policy
from localazure.verifier import InvalidToken


@policy("authentication-managed-identity")
def managed_identity(element: Element, builder: Builder) -> Run:
    """A token for `resource` as the gateway itself; in the Authorization header unless a variable is named."""
    token, variable = identity_token(element, builder), element.attributes.get("output-token-variable-name")

    async def run(context: Context) -> None:
        found = await token(context)
        if found is not None and not variable:
            context.request.headers.set("Authorization", [f"Bearer {found}"])

    return run


def identity_token(element: Element, builder: Builder) -> Callable[[Context], Awaitable[str | None]]:
    """The token, also put into the variable that is named; `None` where there is none and errors are ignored."""
    element.allow("resource! client-id output-token-variable-name ignore-error")
    resource = builder.attribute(element, "resource", "string")
    client = builder.optional(element, "client-id", "string")
    variable = element.attributes.get("output-token-variable-name")
    lenient = builder.flag(element, "ignore-error", "false")
    identity = builder.services.identity

    async def token(context: Context) -> str | None:
        try:
            found = await identity.token(str(resource(context)), str(client(context)) if client else "")
        except InvalidToken as exc:
            if lenient:
                return None
            raise context.fail(500, "authentication-managed-identity", exc.reason, str(exc)) from exc
        if variable:
            context.variables[variable] = found
        return found

    return token


@policy("authentication-basic", "inbound")
def basic(element: Element, builder: Builder) -> Run:
    """Name and password in the Authorization header."""
    element.allow("username! password!")
    name, word = builder.attribute(element, "username", "string"), builder.attribute(element, "password", "string")

    def run(context: Context) -> None:
        pair = base64.b64encode(f"{name(context)}:{word(context)}".encode()).decode()
        context.request.headers.set("Authorization", [f"Basic {pair}"])

    return run
