"""Requests and responses against the API's definition: validate-content, validate-parameters, validate-status-code.

Source: "Validation policies" and their table of errors. Only the action `prevent` stops; `detect` records.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from localazure.apim.context import Context
from localazure.apim.document import Element
from localazure.apim.errors import ArtifactError
from localazure.apim.model import Operation
from localazure.apim.policies.base import Builder, Run, policy
from localazure.apim.schemas import Schemas, problem
from localazure.json_text import DEEPEST, is_deeper

ACTIONS = "ignore prevent detect"
MAX_SIZE = 102_400
"""Bytes: the largest max-size that API Management takes without its support raising it."""
CONCEALED = "The request could not be processed due to an internal error. Contact the API owner."


class _Errors:
    def __init__(self, element: Element, builder: Builder) -> None:
        self._policy, self._variable = element.name, element.attributes.get("errors-variable-name")
        self._status = 400 if builder.section == "inbound" else 502

    def found(self, context: Context, action: str, message: str) -> None:
        """Stop the request, or note what is wrong, or neither."""
        if action == "ignore":
            return
        if self._variable:
            held = context.variables.get(self._variable)
            context.variables[self._variable] = f"{held}\n{message}" if held else message
        if action == "prevent":
            shown = message if self._status == 400 else CONCEALED
            reason = "Bad request" if self._status == 400 else "Response not allowed"
            raise context.fail(self._status, self._policy, reason, shown)


@policy("validate-content", "inbound outbound on-error")
def validate_content(element: Element, builder: Builder) -> Run:
    """Size first, then content type, then the JSON against its schema."""
    element.allow(
        "unspecified-content-type-action! max-size! size-exceeded-action! errors-variable-name",
        children="content-type-map content",
    )
    unspecified = builder.choice(element, "unspecified-content-type-action", ACTIONS)
    too_large = builder.choice(element, "size-exceeded-action", ACTIONS)
    limit = builder.number(element, "max-size")
    if limit > MAX_SIZE:
        raise ArtifactError(f"'max-size' is at most {MAX_SIZE}", element.place)
    mapping = element.child("content-type-map")
    missing = any_type = None
    if mapping is not None:
        mapping.allow("missing-content-type-value any-content-type-value")
        missing = mapping.attributes.get("missing-content-type-value")
        any_type = mapping.attributes.get("any-content-type-value")
    contents = {}
    for child in element.children:
        if child.name == "content":
            child.allow("type validate-as! action! schema-id")
            builder.choice(child, "validate-as", "json")
            kind = child.attributes.get("type", "application/json").lower()
            contents[kind] = (builder.choice(child, "action", ACTIONS), _schema_for(child, builder))
    errors, inbound = _Errors(element, builder), builder.section == "inbound"
    side = "Request" if inbound else "Response"

    def check(context: Context, content: bytes, content_type: str) -> None:
        if len(content) > limit:
            message = f"{side}'s body is {len(content)} bytes long and it exceeds the limit of {limit} bytes."
            errors.found(context, too_large, message)
        media = any_type or content_type.partition(";")[0].strip().lower() or missing or ""
        if media not in contents:
            errors.found(context, unspecified, f"Unspecified content type {media} is not allowed.")
            return
        action, schema = contents[media]
        name, validator = schema(context, media)
        if validator is None:
            return
        start = (
            f"Body of the {side.lower()} does not conform to the definition {name}, which is associated with the "
            f"content type {media}."
        )
        try:
            value = _json(content)
        except (ValueError, RecursionError) as exc:
            errors.found(context, action, f"{start} It is not valid JSON ({type(exc).__name__}).")
            return
        if wrong := problem(validator, value):
            errors.found(context, action, f"{start} {wrong}")

    async def request(context: Context) -> None:
        body, headers = context.request.body, context.request.headers
        declared = headers.get("Content-Length")
        if body is not None and body.pending and declared.isdecimal() and int(declared) > limit:
            message = f"Request's body is {declared} bytes long and it exceeds the limit of {limit} bytes."
            errors.found(context, too_large, message)
        content = b"" if body is None else await body.load()
        check(context, content, headers.get("Content-Type"))

    def response(context: Context) -> None:
        if context.response is not None and context.response.body:
            check(context, context.response.body, context.response.headers.get("Content-Type"))

    return request if inbound else response


def _json(content: bytes) -> Any:
    """The value. Raises ValueError for what .NET's readers refuse, too: more than 64 levels, half a surrogate pair."""
    value = json.loads(content.decode("utf-8-sig"))  # of bytes, Python reads half a surrogate pair as well
    if content.count(b"[") + content.count(b"{") > DEEPEST and is_deeper(value, DEEPEST):
        raise ValueError("too deep")
    if b"\\u" in content:
        json.dumps(value, ensure_ascii=False).encode()
    return value


_Definition = Callable[[Context, str], tuple[str, Any]]
"""Context and content type → the schema's name and its validator, `None` where there is none."""


def _schema_for(element: Element, builder: Builder) -> _Definition:
    name = element.attributes.get("schema-id")
    inbound = builder.section == "inbound"
    if name is not None:
        known = builder.services.artifacts.schemas
        if name not in known:
            raise ArtifactError(f"there is no schema {name!r}; there are {', '.join(known) or 'none'}", element.place)
        fixed = Schemas({}).validator(name, known[name])
        return lambda context, media: (name, fixed)

    def defined(context: Context, media: str) -> tuple[str, Any]:
        operation, api = context.operation, context.api
        assert operation is not None and api is not None
        if inbound:
            described: Mapping[str, Any] = operation.schema.get("requestBody", {})
            key = f"{operation.id} request"
        else:
            status = str(context.response.status if context.response else 0)
            described = operation.schema.get("responses", {}).get(status, {})
            key = f"{operation.id} {status}"
        schema = described.get("content", {}).get(media, {}).get("schema")
        if schema is None:
            return key, None
        label = str(schema.get("$ref", key)).rpartition("/")[2]
        return label, builder.services.schemas(api).validator(f"{key} {media}", schema)

    return defined


@policy("validate-parameters", "inbound", once=True)
def validate_parameters(element: Element, builder: Builder) -> Run:
    """Headers, query and path against the operation's parameters."""
    element.allow(
        "specified-parameter-action! unspecified-parameter-action! errors-variable-name", children="headers query path"
    )
    actions: dict[str, tuple[str, str, dict[str, str]]] = {}
    for place, name in (("header", "headers"), ("query", "query"), ("path", "path")):
        child = element.child(name)
        chosen = {key: builder.choice(element, key, ACTIONS) for key in _PARAMETER_ACTIONS}
        single = {}
        if child is not None:
            child.allow("specified-parameter-action unspecified-parameter-action", children="parameter")
            chosen |= {
                key: builder.choice(child, key, ACTIONS) for key in _PARAMETER_ACTIONS if key in child.attributes
            }
            for parameter in child.children:
                parameter.allow("name! action!")
                single[parameter.attributes["name"].lower()] = builder.choice(parameter, "action", ACTIONS)
        actions[place] = chosen[_PARAMETER_ACTIONS[0]], chosen[_PARAMETER_ACTIONS[1]], single
    errors, services = _Errors(element, builder), builder.services
    defined: dict[tuple[str, str], dict[str, dict[str, Mapping[str, Any]]]] = {}

    def run(context: Context) -> None:
        operation, api = context.operation, context.api
        assert operation is not None and api is not None
        places = defined.get((api.id, operation.id))
        if places is None:
            places = defined[api.id, operation.id] = {place: _defined(operation, place) for place in actions}
        for place, (specified, unspecified, single) in actions.items():
            known = places[place]
            # A path's parameters come from the operation's template: there are no others.
            others = place != "path" and (unspecified != "ignore" or bool(single))
            if not known and not others:
                continue
            given = _given(context, place)
            for name, parameter in known.items():
                action = single.get(name, specified)
                if action != "ignore":
                    wrong = _wrong(parameter, given.get(name), services.schemas(api), f"{operation.id} {place} {name}")
                    if wrong:
                        errors.found(context, action, wrong)
            for name in sorted(given.keys() - known.keys()) if others else ():
                label = "header" if place == "header" else "query parameter"
                errors.found(context, single.get(name, unspecified), f"Unspecified {label} {name} is not allowed.")

    return run


def _defined(operation: Operation, place: str) -> dict[str, Mapping[str, Any]]:
    """The operation's parameters in one place, by their names in small letters."""
    return {
        str(parameter["name"]).lower(): parameter
        for parameter in operation.schema.get("parameters", ())
        if parameter.get("in") == place
    }


_PARAMETER_ACTIONS = ("specified-parameter-action", "unspecified-parameter-action")


def _given(context: Context, place: str) -> dict[str, list[str]]:
    request = context.request
    if place == "path":
        return {name.lower(): [value] for name, value in request.matched.items()}
    found: dict[str, list[str]] = {}
    for name, value in request.headers if place == "header" else request.url.query:
        found.setdefault(name.lower(), []).append(value)
    return found


def _wrong(parameter: Mapping[str, Any], values: list[str] | None, schemas: Schemas, key: str) -> str | None:
    label = {"header": "header", "query": "query parameter", "path": "path parameter"}[parameter["in"]]
    name, schema = parameter["name"], parameter.get("schema", {})
    if values is None:
        return f"The {label} {name} is required." if parameter.get("required") else None
    if len(values) > 1 and schema.get("type") != "array":
        return f"Request cannot contain multiple values for the {label} {name}."
    validator = schemas.validator(key, schema)
    for value in values:
        try:
            typed = _typed(value, schema.get("type", "string"))
        except ValueError:
            return f"The value of the {label} {name} couldn't be parsed according to the definition."
        if wrong := problem(validator, typed):
            return f"The value of the {label} {name} does not conform to the definition. {wrong}"
    return None


def _typed(value: str, type_: str) -> Any:
    match type_:
        case "integer":
            return int(value) if value.isascii() and not value.startswith("+") and "_" not in value else _no(value)
        case "number":
            return float(value)
        case "boolean":
            return {"true": True, "false": False}[value] if value in {"true", "false"} else _no(value)
    return value


def _no(value: str) -> Any:
    raise ValueError(value)


@policy("validate-headers", "outbound on-error", once=True)
def validate_headers(element: Element, builder: Builder) -> Run:
    """The answer's headers against those that the operation's definition names for its status."""
    element.allow("specified-header-action! unspecified-header-action! errors-variable-name", children="header")
    specified = builder.choice(element, "specified-header-action", ACTIONS)
    unspecified = builder.choice(element, "unspecified-header-action", ACTIONS)
    single = {
        builder.literal(child, "name").lower(): builder.choice(child, "action", ACTIONS) for child in element.children
    }
    errors, services = _Errors(element, builder), builder.services

    def run(context: Context) -> None:
        operation, api, response = context.operation, context.api, context.response
        if operation is None or api is None or response is None:
            return
        described = operation.schema.get("responses", {}).get(str(response.status), {}).get("headers", {})
        known = {str(name).lower(): header for name, header in described.items()}
        given = {name.lower() for name, _ in response.headers}
        for name, header in known.items():
            parameter = {**header, "in": "header", "name": name}
            key = f"{operation.id} {response.status} header {name}"
            wrong = _wrong(parameter, response.headers.values(name), services.schemas(api), key)
            if wrong:
                errors.found(context, single.get(name, specified), wrong)
        for name in sorted(given - known.keys()):
            errors.found(context, single.get(name, unspecified), f"Unspecified header {name} is not allowed.")

    return run


@policy("validate-status-code", "outbound on-error", once=True)
def validate_status_code(element: Element, builder: Builder) -> Run:
    """The answer's status must be one that the operation's definition names."""
    element.allow("unspecified-status-code-action! errors-variable-name", children="status-code")
    action = builder.choice(element, "unspecified-status-code-action", ACTIONS)
    errors, single = _Errors(element, builder), {}
    for child in element.children:
        child.allow("code! action!")
        single[builder.literal(child, "code")] = builder.choice(child, "action", ACTIONS)

    def run(context: Context) -> None:
        if context.operation is None or context.response is None:
            return
        status = str(context.response.status)
        if status not in context.operation.schema.get("responses", {}) or status in single:
            errors.found(context, single.get(status, action), f"Response status code {status} is not allowed.")

    return run
