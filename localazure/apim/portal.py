"""The developer portal: the API's documentation with "try it", sign-in and a subscription key.

The viewer is Swagger UI from the package swagger-ui-bundle; nothing is loaded from elsewhere.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from localazure.apim.model import Api, Artifacts

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
CLIENT_ID = "portal"
_CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' {issuer}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{title}</title>
  <link rel="icon" href="/portal/favicon-32x32.png">
  <link rel="stylesheet" href="/portal/swagger-ui.css">
</head>
<body>
  <div id="portal"></div>
  <noscript>This page needs JavaScript; the API's document is at <a href="/openapi.json">/openapi.json</a>.</noscript>
  <script src="/portal/swagger-ui-bundle.js"></script>
  <script src="/portal/start.js"></script>
</body>
</html>
"""
_START = """window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#portal",
  deepLinking: true,
  displayOperationId: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  oauth2RedirectUrl: window.location.origin + "/oauth2-redirect.html",
});
window.ui.initOAuth({
  clientId: "%s",
  scopes: %s,
  usePkceWithAuthorizationCodeGrant: true,
});
"""
# The page that the issuer sends the browser back to. It hands the code to the window that opened it.
_REDIRECT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Signed in</title></head>
<body><p>Signing in …</p><script src="/portal/redirect.js"></script></body>
</html>
"""
_REDIRECT_SCRIPT = """"use strict";
(function () {
  const opener = window.opener;
  const waiting = opener && opener.swaggerUIRedirectOauth2;
  if (!waiting) {
    document.querySelector("p").textContent = "This page belongs to a sign-in that is no longer open.";
    return;
  }
  const given = new URLSearchParams(window.location.search);
  const auth = waiting.auth;
  const known = given.get("state") === waiting.state;
  if (given.get("code") && known) {
    delete auth.state;
    auth.code = given.get("code");
    waiting.callback({ auth: auth, redirectUrl: waiting.redirectUrl });
  } else {
    const text = given.get("error_description") || given.get("error") ||
      "the answer does not belong to this sign-in";
    waiting.errCb({ authId: auth.name, source: "auth", level: "error", message: text });
  }
  window.close();
})();
"""


def add_routes(application: web.Application, artifacts: Artifacts, issuer: str) -> None:
    """`/`, the document at `/openapi.json`, and what the page needs. Without an API there is no portal."""
    if not artifacts.apis:
        return
    api = artifacts.apis[0]
    document = json.dumps(_document(api, issuer)).encode()
    scopes = json.dumps(_scopes(api))
    security = _CONTENT_SECURITY.format(issuer=issuer)
    pages: dict[str, tuple[bytes, str]] = {
        "/": (_PAGE.format(title=_escaped(api.name)).encode(), "text/html"),
        "/openapi.json": (document, "application/json"),
        "/oauth2-redirect.html": (_REDIRECT.encode(), "text/html"),
        "/portal/start.js": ((_START % (CLIENT_ID, scopes)).encode(), "text/javascript"),
        "/portal/redirect.js": (_REDIRECT_SCRIPT.encode(), "text/javascript"),
    }
    for path, (content, kind) in pages.items():
        application.router.add_get(path, _page(content, kind, security))
    for name, kind in ASSETS.items():
        application.router.add_get(f"/portal/{name}", _asset(name, kind, security))


def _page(content: bytes, kind: str, security: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=_headers(security))

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
    """The API's definition as this gateway serves it: its own address, this issuer's endpoints."""
    document = copy.deepcopy(dict(api.definition))
    document["servers"] = [{"url": f"/{api.path}"}]
    for scheme in document.get("components", {}).get("securitySchemes", {}).values():
        for flow in scheme.get("flows", {}).values() if issuer else ():
            for name in ("authorizationUrl", "tokenUrl", "refreshUrl"):
                if name in flow:
                    flow[name] = issuer + "/" + flow[name].partition("://")[2].partition("/")[2]
    return document


def _scopes(api: Api) -> list[str]:
    schemes = api.definition.get("components", {}).get("securitySchemes", {}).values()
    return sorted(
        {scope for scheme in schemes for flow in scheme.get("flows", {}).values() for scope in flow["scopes"]}
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
