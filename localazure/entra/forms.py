"""Parameters as clients send them: in the query, in a form, in the header of Basic authentication."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_plus

from aiohttp import web

from localazure.entra.errors import InvalidClient, InvalidRequest


def query(request: web.Request) -> tuple[dict[str, str], tuple[str, ...]]:
    """The parameters of the address, each as first given, and the names of those given more than once."""
    parameters: dict[str, str] = {}
    repeated: dict[str, None] = {}
    for name, value in request.query.items():
        if name in parameters:
            repeated[name] = None
        else:
            parameters[name] = value
    return parameters, tuple(repeated)


async def form(request: web.Request) -> dict[str, str]:
    """The parameters of the body. Raises InvalidRequest for a body that is no form, or has one twice."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise InvalidRequest(
            900561, f"The endpoint takes application/x-www-form-urlencoded, not {request.content_type}."
        )
    try:
        given = await request.post()
    except (ValueError, LookupError):  # bytes that are not in the charset, or a charset that there is not
        raise InvalidRequest(900144, "The request body is not a form in UTF-8.") from None
    parameters: dict[str, str] = {}
    for name, value in given.items():
        if name in parameters:
            raise InvalidRequest(90015, f"The parameter '{name}' is given more than once.")
        parameters[name] = str(value)
    return parameters


async def client_form(request: web.Request) -> dict[str, str]:
    """The same, with the client's credentials, wherever they are."""
    parameters = await form(request)
    return parameters | _basic(request.headers.get("Authorization", ""), parameters)


def _basic(header: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Client credentials sent the other way RFC 6749 allows (section 2.3.1), form-encoded inside the header."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return {}
    if "client_secret" in parameters:
        raise InvalidRequest(90023, "The client proves itself in the header and in the body; one of them must go.")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidClient(7000215, "The Authorization header is not valid Basic authentication.") from None
    return {"client_id": unquote_plus(client_id), "client_secret": unquote_plus(secret)}
