"""A browser without a window: opens the sign-in page, reads its form, fills it in, follows nothing."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import requests

from localazure.entra import TENANT
from tests.conformance.entra.conftest import AUDIENCE, Provider

REDIRECT = "http://localhost:5173/oauth2-redirect.html"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # of RFC 7636, appendix B
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")

REQUEST = {
    "client_id": "portal",
    "response_type": "code",
    "redirect_uri": REDIRECT,
    "scope": f"openid offline_access {AUDIENCE}/orders.read",
    "state": "state-1",
    "nonce": "nonce-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@dataclass
class Form(HTMLParser):
    """A page, as far as these tests look at it: elements with their attributes, and all text."""

    html: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def inputs(self) -> dict[str, str]:
        return {each["name"]: each.get("value", "") for each in self.all("input")}


@dataclass
class Browser:
    """What a person does at one provider."""

    provider: Provider
    tenant: str = TENANT

    @property
    def authorize(self) -> str:
        return f"{self.provider.base}/{self.tenant}/oauth2/v2.0/authorize"

    def open(self, **changes: str | None) -> requests.Response:
        """The good request with changes; None leaves a parameter out."""
        asked = {name: value for name, value in (REQUEST | changes).items() if value is not None}
        return self.visit(f"{self.authorize}?{urlencode(asked)}")

    def visit(self, address: str) -> requests.Response:
        return requests.get(address, allow_redirects=False, timeout=10)

    def submit(
        self, page: requests.Response, name: str = "shopper", headers: dict[str, str] | None = None, **changes: str
    ) -> requests.Response:
        """Fill the form in and send it to where it wants to be sent."""
        form = Form(page.text)
        fields = form.inputs() | {"username": name, "password": f"local-{name}", "decision": "sign-in"} | changes
        (attributes,) = form.all("form")
        return requests.post(
            urljoin(page.url, attributes["action"]), data=fields, headers=headers, allow_redirects=False, timeout=10
        )

    def code(self, name: str = "shopper", /, **changes: str | None) -> str:
        """A fresh code, by way of the page."""
        return answer_of(self.submit(self.open(**changes), name))["code"]

    def redeem(self, code: str, /, **changes: str | None) -> requests.Response:
        asked: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "client_id": "portal",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
        }
        return self.provider.ask(**{name: value for name, value in (asked | changes).items() if value is not None})


def answer_of(response: requests.Response, redirect_uri: str = REDIRECT) -> dict[str, str]:
    """What the client is told at its redirect URI."""
    assert response.status_code == 302, response.text
    target = urlsplit(response.headers["Location"])
    assert response.headers["Location"].startswith(redirect_uri)
    assert not target.fragment
    return dict(parse_qsl(target.query, keep_blank_values=True, strict_parsing=True))
