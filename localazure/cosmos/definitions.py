"""What a container may be told: checked when it is made and when it is replaced."""

from __future__ import annotations

import dataclasses
from typing import Any

from localazure.cosmos import paths
from localazure.cosmos.changes import check_id, check_ttl
from localazure.cosmos.errors import BadRequest, Forbidden
from localazure.cosmos.model import Container

_NOT_HERE = (
    "computedProperties", "vectorEmbeddingPolicy", "fullTextPolicy", "clientEncryptionPolicy", "analyticalStorageTtl",
    "materializedViewDefinition",
)  # fmt: skip
_MAX_PATHS = 3
_ETAG = {"path": '/"_etag"/?'}
_SYSTEM = frozenset({"_rid", "_self", "_etag", "_ts", "_docs", "_sprocs", "_triggers", "_udfs", "_conflicts"})


def checked(spec: Any) -> dict[str, Any]:
    """The definition of a new container, with what it leaves out. Raises BadRequest."""
    if not isinstance(spec, dict):
        raise BadRequest("a container is a JSON object")
    check_id(spec.get("id"))
    key = {"kind": "Hash", **_object(spec, "partitionKey")}
    _check_key(key)
    _check_policies(spec)
    own = {name: value for name, value in spec.items() if name not in _SYSTEM}
    return {**own, "partitionKey": key, "indexingPolicy": _indexing(spec)}


def replaced(old: Container, spec: Any, now: int) -> Container:
    """The container with another definition. Raises BadRequest, Forbidden."""
    if not isinstance(spec, dict) or spec.get("id") != old.id:
        raise BadRequest("the id in the body is not the one in the address")
    if _object(spec, "partitionKey").get("paths") != list(old.paths):
        raise BadRequest("a container's partition key cannot be changed")
    if _unique_keys(spec) != _unique_keys(old.spec):
        raise Forbidden(
            "The unique index cannot be modified. To change the unique index, remove the collection and re-create a "
            "new one."
        )
    _check_policies(spec)
    own = {name: value for name, value in spec.items() if name not in _SYSTEM}
    kept = {"partitionKey": old.spec["partitionKey"], "indexingPolicy": _indexing(spec)}
    return dataclasses.replace(old, spec={**own, **kept}, ts=now, revision=old.revision + 1)


def _check_key(key: dict[str, Any]) -> None:
    found, kind = key.get("paths"), key["kind"]
    if not isinstance(found, list) or not found or not all(isinstance(path, str) for path in found):
        raise BadRequest("a container needs a partition key: its paths are an array of texts")
    for path in found:
        paths.steps(path)
    if kind not in ("Hash", "MultiHash"):
        raise BadRequest(f"a partition key of the kind {kind!r} is not supported: it is Hash or MultiHash")
    if len(found) > (_MAX_PATHS if kind == "MultiHash" else 1):
        raise BadRequest(f"a partition key has one path, and up to {_MAX_PATHS} if its kind is MultiHash")
    if key.get("version", 1) not in ((2,) if kind == "MultiHash" else (1, 2)):
        raise BadRequest("the version of a partition key is 1 or 2, and 2 if its kind is MultiHash")


def _check_policies(spec: dict[str, Any]) -> None:
    for feature in _NOT_HERE:
        if spec.get(feature):
            raise BadRequest(f"{feature} is not supported by the local server")
    check_ttl(spec.get("defaultTtl"), "defaultTtl")
    retention = _object(spec, "changeFeedPolicy").get("retentionDuration") or 0
    if type(retention) is not int or retention < 0:
        raise BadRequest("retentionDuration of a change feed policy is a whole number of minutes")
    for entry in _object(spec, "uniqueKeyPolicy").get("uniqueKeys") or []:
        if not isinstance(entry, dict) or not isinstance(entry.get("paths"), list) or not entry["paths"]:
            raise BadRequest("a unique key is an object with an array of paths")
        for path in entry["paths"]:
            paths.steps(_text(path))


def _indexing(spec: dict[str, Any]) -> dict[str, Any]:
    """The indexing policy as it is kept: whole, and with the service's own excluded path. Raises BadRequest."""
    policy = _object(spec, "indexingPolicy")
    mode = policy.get("indexingMode") or "consistent"
    if not isinstance(mode, str) or mode.lower() not in ("consistent", "lazy", "none"):
        raise BadRequest(f"indexingMode is consistent or none, not {mode!r}")
    found: dict[str, Any] = {"indexingMode": mode.lower(), "automatic": policy.get("automatic", True)}
    if mode.lower() == "none":
        return {**policy, **found}
    included = _entries(policy, "includedPaths")
    excluded = _entries(policy, "excludedPaths")
    whole = any(entry["path"] == "/*" for entry in (*included, *excluded))
    if not whole:
        included = [*included, {"path": "/*"}]
    if not any(entry["path"] in ('/"_etag"/?', "/_etag/?") for entry in (*included, *excluded)):
        excluded = [*excluded, _ETAG]
    return {**policy, **found, "includedPaths": included, "excludedPaths": excluded}


def _entries(policy: dict[str, Any], name: str) -> list[dict[str, Any]]:
    entries = policy.get(name) or []
    if not isinstance(entries, list):
        raise BadRequest(f"{name} of an indexing policy is an array")
    for entry in entries:
        if not isinstance(entry, dict):
            raise BadRequest(f"{name} of an indexing policy has objects with a path")
        paths.steps(_text(entry.get("path")))
    return entries


def _unique_keys(spec: dict[str, Any]) -> list[list[str]]:
    keys = _object(spec, "uniqueKeyPolicy").get("uniqueKeys") or []
    return sorted(sorted(map(str, entry.get("paths") or [])) for entry in keys if isinstance(entry, dict))


def _object(spec: dict[str, Any], name: str) -> dict[str, Any]:
    found = spec.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadRequest(f"{name} of a container is an object")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadRequest("a path is a text")
    return value
