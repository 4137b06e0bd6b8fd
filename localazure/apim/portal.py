"""The developer portal: guides, and the API's documentation with "try it", sign-in and a subscription key.

The viewer is Swagger UI from the package swagger-ui-bundle; nothing is loaded from elsewhere.
"""

from __future__ import annotations

import copy
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from localazure.apim import guides
from localazure.apim.guides import Guide
from localazure.apim.model import Api, Artifacts

PAGES = Path(__file__).with_name("pages")
ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
OWN = {"portal.css": "text/css", "portal.js": "text/javascript", "redirect.js": "text/javascript"}
CLIENT_ID = "portal"
KEY = "Ocp-Apim-Subscription-Key"
_CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' {issuer}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_VIEWER = '<script src="/portal/swagger-ui-bundle.js"></script>'
_REDIRECT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Signed in</title></head>
<body><p>Signing in …</p><script src="/portal/redirect.js"></script></body>
</html>
"""


def add_routes(
    application: web.Application,
    artifacts: Artifacts,
    issuer: str,
    texts: Sequence[Path] = (),
    keys: Mapping[str, str] | None = None,
) -> None:
    """`/`, a page for each guide, the document at `/openapi.json`, and what the pages need.

    Without an API there is no portal. `texts`: the guides, in Markdown. Raises OSError for one that cannot be read.
    `keys`: those that may be chosen from, by the name of their subscription; anybody who sees the page sees them.
    """
    if not artifacts.apis:
        return
    api = artifacts.apis[0]
    document = _document(api, issuer)
    read = guides.read(texts)
    security = _CONTENT_SECURITY.format(issuer=issuer)
    explorer = (PAGES / "explorer.html").read_text(encoding="utf-8").replace("{keys}", _options(keys or {}))
    pages: dict[str, tuple[str, str]] = {
        "/": (_framed(api, document, read, api.name, explorer, _VIEWER), "text/html"),
        "/oauth2-redirect.html": (_REDIRECT, "text/html"),
    }
    for guide in read:
        content = f'<article class="guide">{guide.html}</article>'
        pages[guide.path] = (_framed(api, document, read, f"{guide.title} – {api.name}", content), "text/html")
    for name, kind in OWN.items():
        pages[f"/portal/{name}"] = ((PAGES / name).read_text(encoding="utf-8"), kind)
    for path, (content, kind) in pages.items():
        application.router.add_get(path, _page(content.encode(), kind, security))
    application.router.add_get("/openapi.json", _definition(document, api.path, security))
    for name, kind in ASSETS.items():
        application.router.add_get(f"/portal/{name}", _asset(name, kind, security))


def _framed(
    api: Api, document: Mapping[str, Any], read: Sequence[Guide], title: str, content: str, scripts: str = ""
) -> str:
    """A page: the bar with the guides and who is signed in, and what it is about."""
    errors = next((f'<a href="{guide.path}#errors">What to do</a>' for guide in read if "errors" in guide.anchors), "")
    links = [f'<a href="{guide.path}">{html.escape(guide.title)}</a>' for guide in read]
    frame = (PAGES / "frame.html").read_text(encoding="utf-8")
    parts = {
        "title": html.escape(title),
        "name": html.escape(api.name),
        "links": "".join(links),
        "content": content,
        "errors": errors,
        "settings": json.dumps(_settings(document)).replace("<", "\\u003c"),
        "scripts": scripts,
    }
    return re.sub(r"\{(\w+)\}", lambda found: parts[found[1]], frame)


def _options(keys: Mapping[str, str]) -> str:
    return "".join(f'<option value="{html.escape(key)}">{html.escape(name)}</option>' for name, key in keys.items())


def _page(content: bytes, kind: str, security: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=_headers(security))

    return handler


def _definition(document: Mapping[str, Any], path: str, security: str) -> Handler:
    """The document, with the server that was asked: a client that is made of it has to know its whole address."""

    async def handler(request: web.Request) -> web.Response:
        served = {**document, "servers": [{"url": f"{request.scheme}://{request.host}/{path}"}]}
        return web.json_response(served, headers=_headers(security))

    return handler


def _asset(name: str, kind: str, security: str) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        from swagger_ui_bundle import swagger_ui_path

        content = (Path(swagger_ui_path) / name).read_bytes()
        headers = {**_headers(security), "Cache-Control": "max-age=86400"}
        return web.Response(body=content, content_type=kind, headers=headers)

    return handler


def _headers(security: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": security,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


def _document(api: Api, issuer: str) -> dict[str, Any]:
    """The API's definition as this gateway serves it: with this issuer's endpoints."""
    document = copy.deepcopy(dict(api.definition))
    for flow in _flows(document) if issuer else ():
        for name in ("authorizationUrl", "tokenUrl", "refreshUrl"):
            if name in flow:
                flow[name] = issuer + "/" + flow[name].partition("://")[2].partition("/")[2]
    return document


def _flows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    schemes = document.get("components", {}).get("securitySchemes", {}).values()
    return [flow for scheme in schemes for flow in scheme.get("flows", {}).values()]


def _settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the pages have to know to sign somebody in: by the first flow that has a page to sign in at."""
    flow = next((flow for flow in _flows(document) if "authorizationUrl" in flow), {})
    return {
        "client": CLIENT_ID,
        "authorize": flow.get("authorizationUrl", ""),
        "token": flow.get("tokenUrl", ""),
        "scopes": flow.get("scopes", {}),
        "key": KEY,
    }
