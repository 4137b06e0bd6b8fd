"""Reading the artifacts: one directory per resource, in the layout of Azure's APIOps extractor and publisher.

policy.xml                                    policies for everything
named values/NAME/namedValueInformation.json
policy fragments/NAME/policy.xml
backends/NAME/backendInformation.json
schemas/NAME.json                             JSON Schemas that validate-content may name
products/NAME/productInformation.json, policy.xml, apis/API/productApiInformation.json
apis/NAME/apiInformation.json, specification.json, policy.xml, operations/ID/policy.xml
configuration.ENVIRONMENT.json                what differs there: values of named values
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from localazure.apim.document import Element, read
from localazure.apim.errors import ArtifactError, Unsupported
from localazure.apim.model import Api, Artifacts, Backend, BreakerRule, Operation, Product

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_PARAMETER = re.compile(r"\{(\*?\w+)\}")
_ADDRESS = re.compile(r"\{([\w-]+)\}")
_NOT_IN_IDS = re.compile("[^a-z0-9]+")
MAX_OPERATION_ID = 76
"""A resource's name has 80 characters; Azure keeps four for a suffix that tells equal ones apart."""


def load(directory: Path, overrides: Mapping[str, str]) -> Artifacts:
    """Everything below `directory`; `overrides` replaces values of named values. Raises ArtifactError."""
    if not directory.is_dir():
        raise ArtifactError(f"there are no artifacts: {directory} is not a directory")
    values = _named_values(directory, overrides)
    return Artifacts(
        policy=_policy(directory, values),
        apis=tuple(_api(folder, values) for folder in _folders(directory / "apis")),
        products=tuple(_product(folder, values) for folder in _folders(directory / "products")),
        backends={folder.name: _backend(folder, values) for folder in _folders(directory / "backends")},
        fragments={
            folder.name: _root(folder / "policy.xml", values, "fragment")
            for folder in _folders(directory / "policy fragments")
        },
        schemas={file.stem: _json(file) for file in sorted((directory / "schemas").glob("*.json"))},
        secrets=frozenset(values[name] for name in _secret_names(directory)),
    )


def configuration(file: Path, known: Mapping[str, str]) -> dict[str, str]:
    """The values of named values that a configuration file sets; `{name}` stands for a value in `known`.

    Raises ArtifactError for a malformed file, and for a `{name}` that is not known.
    """
    values = {}
    for entry in _json(file).get("namedValues", []):
        try:
            name, value = str(entry["name"]), str(entry["properties"]["value"])
        except (LookupError, TypeError) as exc:
            raise ArtifactError(f"{file}: an entry of namedValues has name and properties.value, not {entry}") from exc
        values[name] = _ADDRESS.sub(lambda match: _known(match[1], known, file), value)
    return values


def _known(name: str, known: Mapping[str, str], file: Path) -> str:
    if name not in known:
        raise ArtifactError(f"{file}: {{{name}}} is not known here; known: {', '.join(sorted(known)) or 'nothing'}")
    return known[name]


def _folders(directory: Path) -> Iterator[Path]:
    return iter(sorted(path for path in directory.glob("*") if path.is_dir()))


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except OSError as exc:
        raise ArtifactError(f"{file} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise ArtifactError(f"{file} is not JSON: {exc}") from exc
    if not isinstance(content, dict):
        raise ArtifactError(f"{file} must hold a JSON object")
    return content


def _properties(file: Path, known: str) -> dict[str, Any]:
    """`properties` of a resource, unknown ones refused. Names ending in `!` are required."""
    found = _json(file).get("properties")
    if not isinstance(found, dict):
        raise ArtifactError(f"{file} must hold an object with properties")
    names = known.split()
    if unknown := sorted(found.keys() - {name.rstrip("!") for name in names}):
        raise Unsupported(f"{file}: the property {', '.join(unknown)} is not supported")
    if missing := [name[:-1] for name in names if name.endswith("!") and name[:-1] not in found]:
        raise ArtifactError(f"{file}: the property {', '.join(missing)} is required")
    return found


def _named_values(directory: Path, overrides: Mapping[str, str]) -> dict[str, str]:
    values = {}
    for folder in _folders(directory / "named values"):
        file = folder / "namedValueInformation.json"
        properties = _properties(file, "displayName value secret tags keyVault")
        if "value" not in properties and folder.name not in overrides:
            raise ArtifactError(f"{file}: a value from Key Vault must be set by the configuration of this environment")
        values[folder.name] = str(properties.get("value", ""))
    if unknown := sorted(overrides.keys() - values.keys()):
        raise ArtifactError(f"the configuration sets the named value {', '.join(unknown)}, which does not exist")
    return {**values, **overrides}


def _secret_names(directory: Path) -> Iterator[str]:
    for folder in _folders(directory / "named values"):
        properties = _json(folder / "namedValueInformation.json").get("properties", {})
        if properties.get("secret") or "keyVault" in properties:
            yield folder.name


def _policy(folder: Path, values: Mapping[str, str]) -> Element | None:
    file = folder / "policy.xml"
    return _root(file, values, "policies") if file.exists() else None


def _root(file: Path, values: Mapping[str, str], name: str) -> Element:
    try:
        root = read(file, values)
    except OSError as exc:
        raise ArtifactError(f"{file} cannot be read: {exc.strerror}") from exc
    if root.name != name:
        raise ArtifactError(f"the root element must be <{name}>", root.place)
    return root


def _api(folder: Path, values: Mapping[str, str]) -> Api:
    properties = _properties(
        folder / "apiInformation.json",
        "displayName! path! serviceUrl subscriptionRequired subscriptionKeyParameterNames protocols description "
        "apiRevision isCurrent type authenticationSettings",
    )
    definition = _json(folder / "specification.json")
    keys = properties.get("subscriptionKeyParameterNames", {})
    operations = tuple(_operations(folder, definition, values))
    names = {operation.id for operation in operations}
    if len(names) < len(operations):
        repeated = ", ".join(_repeated(operations))
        raise Unsupported(f"{folder}/specification.json: two operations have one id: {repeated}")
    for policy in _folders(folder / "operations"):
        if policy.name not in names:
            raise ArtifactError(f"{policy}: the specification has no operation of that id")
    return Api(
        id=folder.name,
        name=str(properties["displayName"]),
        path=str(properties["path"]).strip("/"),
        url=str(properties.get("serviceUrl") or ""),
        subscription_required=bool(properties.get("subscriptionRequired", True)),
        key_header=str(keys.get("header", "Ocp-Apim-Subscription-Key")),
        key_query=str(keys.get("query", "subscription-key")),
        operations=operations,
        definition=definition,
        policy=_policy(folder, values),
    )


def _component(part: Any, definition: Mapping[str, Any], folder: Path) -> Any:
    """The part of the document, or the component that it refers to. Raises ArtifactError where there is none."""
    while isinstance(part, dict) and "$ref" in part:
        found: Any = definition
        for name in str(part["$ref"]).removeprefix("#/").split("/"):
            found = found.get(name) if isinstance(found, dict) else None
        if found is None:
            raise ArtifactError(f"{folder}/specification.json: there is no {part['$ref']}")
        part = found
    return part


def _operations(folder: Path, definition: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[Operation]:
    for template, item in definition.get("paths", {}).items():
        for method in METHODS:
            if method not in item:
                continue
            operation = dict(item[method])
            parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
            operation["parameters"] = [_component(parameter, definition, folder) for parameter in parameters]
            name = operation.get("operationId")
            if not name:
                raise ArtifactError(f"{folder}/specification.json: {method} {template} has no operationId")
            identifier = operation_id(name)
            yield Operation(
                id=identifier,
                method=method.upper(),
                template=template,
                name=str(operation.get("summary", name)),
                pattern=_pattern(template),
                schema=operation,
                policy=_policy(folder / "operations" / identifier, values),
            )


def operation_id(written: str) -> str:
    """The id that an operation has once its specification is imported: `things_get` becomes `things-get`.

    Source: "API import restrictions and known issues", normalization rules for operationId.
    """
    return _NOT_IN_IDS.sub("-", written.lower()).strip("-")[:MAX_OPERATION_ID]


def _repeated(operations: tuple[Operation, ...]) -> list[str]:
    found = [operation.id for operation in operations]
    return sorted({name for name in found if found.count(name) > 1})


def _pattern(template: str) -> re.Pattern[str]:
    parts, at = [], 0
    anything = template.endswith("/*")  # Azure's wildcard: everything below, and nothing
    template = template[:-2] if anything else template
    for match in _PARAMETER.finditer(template):
        parts.append(re.escape(template[at : match.start()]))
        parts.append(f"(?P<{match[1].lstrip('*')}>{'.*' if match[1].startswith('*') else '[^/]+'})")
        at = match.end()
    return re.compile("".join(parts) + re.escape(template[at:]) + (r"(?:/.*)?" if anything else "/?"))


def _product(folder: Path, values: Mapping[str, str]) -> Product:
    properties = _properties(
        folder / "productInformation.json",
        "displayName! description terms subscriptionRequired approvalRequired subscriptionsLimit state",
    )
    return Product(
        id=folder.name,
        name=str(properties["displayName"]),
        subscription_required=bool(properties.get("subscriptionRequired", True)),
        published=properties.get("state", "notPublished") == "published",
        apis=frozenset(api.name for api in _folders(folder / "apis")),
        policy=_policy(folder, values),
    )


def _backend(folder: Path, values: Mapping[str, str]) -> Backend:
    file = folder / "backendInformation.json"
    properties = _properties(file, "url! protocol! title description circuitBreaker")
    rules = properties.get("circuitBreaker", {}).get("rules", [])
    if len(rules) > 1:
        raise Unsupported(f"{file}: API Management takes one circuit breaker rule for a backend")
    url = str(properties["url"])
    for name, value in values.items():
        url = url.replace("{{" + name + "}}", value)
    return Backend(folder.name, url.rstrip("/"), tuple(_rule(rule, file) for rule in rules))


def _rule(rule: Mapping[str, Any], file: Path) -> BreakerRule:
    try:
        condition = rule["failureCondition"]
        if "percentage" in condition:
            raise Unsupported(f"{file}: circuitBreaker: percentage is not supported; use count")
        return BreakerRule(
            name=str(rule["name"]),
            count=int(condition["count"]),
            interval=seconds(str(condition["interval"])),
            statuses=tuple((int(span["min"]), int(span["max"])) for span in condition.get("statusCodeRanges", ())),
            reasons=frozenset(condition.get("errorReasons", ())),
            trip=seconds(str(rule["tripDuration"])),
            accept_retry_after=bool(rule.get("acceptRetryAfter", False)),
        )
    except (LookupError, TypeError, ValueError) as exc:
        if isinstance(exc, ArtifactError):
            raise
        raise ArtifactError(f"{file}: the circuit breaker rule is malformed: {exc!r}") from exc


def seconds(duration: str) -> float:
    """An ISO 8601 duration of days, hours, minutes and seconds. Raises ValueError."""
    match = _DURATION.fullmatch(duration)
    if match is None or duration in {"P", "PT"}:
        raise ValueError(f"{duration!r} is not a duration such as PT10S")
    days, hours, minutes, rest = (int(group or 0) for group in match.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)
