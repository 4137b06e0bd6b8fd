"""The page and what it is made of: files beside this one, and nothing from anywhere else.

Its policy lets in no script, style or connection but the console's own, no frame around it, and no text that is turned
into markup (Trusted Types): whatever is shown was sent by somebody.
"""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

PAGE = Path(__file__).parent / "page"
SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": SECURITY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def routes() -> list[web.RouteDef]:
    """The page at `/`, and each of its files by name: no path is ever made from what a caller sends."""
    files = sorted(file for file in PAGE.rglob("*") if file.suffix in _KINDS and file.name != "index.html")
    return [
        web.get("/", _file(PAGE / "index.html")),
        *(web.get(f"/console/{file.relative_to(PAGE).as_posix()}", _file(file)) for file in files),
    ]


def _file(file: Path) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(file, headers={"Content-Type": f"{_KINDS[file.suffix]}; charset=utf-8"})

    return handler
