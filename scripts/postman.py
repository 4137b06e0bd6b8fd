"""The API as a collection of requests (Postman Collection 2.1, which Bruno, Insomnia and newman read, too), made of its
OpenAPI document: sign in with the first request, and each of the others can be sent as it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

COLLECTION = "docs/commerce.postman_collection.json"
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
KEY = "Ocp-Apim-Subscription-Key"
VARIABLES = {
    "base": "http://localhost:8080/v1",
    "token_url": "http://localhost:8082/durable-commerce.local/oauth2/v2.0/token",
    "scope": "api://durable-commerce/.default",
    "client_id": "partner",
    "client_secret": "local-partner",
    "key": "local-acme-primary",
    "token": "",
}
"""As they are on one machine; where the shop runs, they are changed in the collection's variables."""
_KEEP = ["pm.collectionVariables.set('token', pm.response.json().access_token);"]


def collection(document: Mapping[str, Any]) -> dict[str, Any]:
    """The collection: signing in, then a folder for each tag of the document."""
    folders = []
    for tag in document["tags"]:
        requests = [
            _request(document, path, method, operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if tag["name"] in operation["tags"]
        ]
        if requests:
            folders.append({"name": tag["name"], "description": tag["description"], "item": requests})
    return {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "schema": SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]},
        "variable": [{"key": name, "value": value} for name, value in VARIABLES.items()],
        "item": [_sign_in(), *folders],
    }


def _sign_in() -> dict[str, Any]:
    fields = {
        "grant_type": "client_credentials",
        **{name: f"{{{{{name}}}}}" for name in ("client_id", "client_secret", "scope")},
    }
    return {
        "name": "Sign in as an application",
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": _KEEP}}],
        "request": {
            "method": "POST",
            "url": "{{token_url}}",
            "auth": {"type": "noauth"},
            "header": [],
            "body": {
                "mode": "urlencoded",
                "urlencoded": [{"key": name, "value": value} for name, value in fields.items()],
            },
        },
    }


def _request(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [_resolved(document, parameter) for parameter in operation["parameters"]]
    place = re.sub(r"\{(\w+)\}", r":\1", path)
    url = {
        "raw": f"{{{{base}}}}{place}",
        "host": ["{{base}}"],
        "path": place.strip("/").split("/"),
        "variable": [
            {"key": each["name"], "value": str(each["example"]), "description": each["description"]}
            for each in parameters
            if each["in"] == "path"
        ],
        "query": [
            {"key": each["name"], "value": "", "description": each["description"], "disabled": True}
            for each in parameters
            if each["in"] == "query"
        ],
    }
    request: dict[str, Any] = {
        "method": method.upper(),
        "url": url,
        "description": operation.get("description", ""),
        "header": list(_headers(parameters)),
    }
    if "security" not in operation:
        request["auth"] = {"type": "noauth"}
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if "example" not in content:
            continue  # another form of the same file
        example, is_file = content["example"], isinstance(content["example"], str)
        text = example if is_file else json.dumps(example, indent=2, ensure_ascii=False)
        request["header"].append({"key": "Content-Type", "value": kind})
        language = "text" if is_file else "json"
        request["body"] = {"mode": "raw", "raw": text, "options": {"raw": {"language": language}}}
    return {"name": operation["summary"], "request": request}


def _headers(parameters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What is demanded is sent, and the key; anything else is there to be switched on."""
    for each in parameters:
        if each["in"] == "header":
            value = {"Idempotency-Key": "{{$guid}}", KEY: "{{key}}"}.get(each["name"], str(each.get("example", "")))
            header = {"key": each["name"], "value": value, "description": each["description"]}
            yield header if each.get("required") or each["name"] == KEY else {**header, "disabled": True}


def _resolved(document: Mapping[str, Any], parameter: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" not in parameter:
        return dict(parameter)
    found: Any = document
    for name in str(parameter["$ref"]).removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)
