"""The authorize and logout endpoints over HTTP: pages and redirects. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode

from aiohttp import web

from localazure.clock import Clock
from localazure.entra import forms, page, redirects, refusals
from localazure.entra.authorization import Authorizer, Callback, Prompt, WrongCredentials
from localazure.entra.errors import InvalidRequest, OAuthError


class InteractiveRoutes:
    """`check_tenant` raises OAuthError for an address of another tenant."""

    def __init__(self, authorizer: Authorizer, check_tenant: Callable[[web.Request], None], clock: Clock) -> None:
        self._authorizer = authorizer
        self._check_tenant = check_tenant
        self._clock = clock

    async def authorize(self, request: web.Request) -> web.Response:
        """A client sends a person here."""
        parameters, repeated = forms.query(request)
        try:
            self._check_tenant(request)
            callback = self._authorizer.callback(parameters, repeated)
        except OAuthError as exc:
            return self._refused(request, exc)
        try:
            prompt = self._authorizer.begin(callback, parameters, repeated)
        except OAuthError as exc:
            return self._sent_back(request, callback, exc)
        return self._asked(request, prompt)

    async def submit(self, request: web.Request) -> web.Response:
        """The person submits the page."""
        try:
            self._check_tenant(request)
            _check_own_page(request)
            form = await forms.form(request)
            if "transaction" not in form:
                raise InvalidRequest(
                    900561, "Authorization requests by POST are not supported here; send them in the query by GET."
                )
            callback, asked = self._authorizer.take(form["transaction"])
        except OAuthError as exc:
            return self._refused(request, exc)
        if form.get("decision") == "cancel":
            return self._sent_back(request, callback, self._authorizer.declined())
        try:
            code = self._authorizer.finish(callback, asked, form.get("username", ""), form.get("password", ""))
        except WrongCredentials as exc:
            return self._asked(request, exc.prompt, exc.refusal)
        except OAuthError as exc:
            return self._sent_back(request, callback, exc)
        return _redirect(callback.redirect_uri, {"code": code, "state": callback.state})

    async def logout(self, request: web.Request) -> web.Response:
        """Nobody stays signed in, so there is nothing to end but the visit."""
        parameters, repeated = forms.query(request)
        target = parameters.get("post_logout_redirect_uri")
        try:
            self._check_tenant(request)
            if repeated:
                raise InvalidRequest(90015, f"The parameter '{repeated[0]}' is given more than once.")
            if target is not None and not self._authorizer.may_return_to(target):
                raise InvalidRequest(
                    50011, f"The post_logout_redirect_uri '{target}' is not a redirect URI of any application here."
                )
        except OAuthError as exc:
            return self._refused(request, exc)
        if target is None:
            return _html(page.signed_out())
        return _redirect(target, {"state": parameters.get("state")})

    def _asked(self, request: web.Request, prompt: Prompt, refusal: OAuthError | None = None) -> web.Response:
        error = None if refusal is None else "The username or the password is wrong. Try again."
        text = page.sign_in(prompt, request.rel_url.raw_path, self._authorizer.accounts, error)
        return _html(text, 200 if refusal is None else refusal.status, prompt.redirect_uri)

    def _refused(self, request: web.Request, exc: OAuthError) -> web.Response:
        body = refusals.body(request, exc, self._clock)
        details = [
            ("Error", body["error"]),
            ("Trace ID", body["trace_id"]),
            ("Correlation ID", body["correlation_id"]),
            ("Timestamp", body["timestamp"]),
        ]
        return _html(page.refusal(f"AADSTS{exc.code}: {exc.message}", details), 400)

    def _sent_back(self, request: web.Request, callback: Callback, exc: OAuthError) -> web.Response:
        body = refusals.body(request, exc, self._clock)
        return _redirect(
            callback.redirect_uri,
            {
                "error": body["error"],
                "error_description": refusals.printable(body["error_description"]),
                "state": callback.state,
            },
        )


def _check_own_page(request: web.Request) -> None:
    """Browsers say where a form was; one on another site is not ours, whatever it carries (Fetch Metadata)."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site not in ("same-origin", "none"):
        raise InvalidRequest(900561, f"The sign-in page was submitted from another site ({site}).")


def _html(text: str, status: int = 200, redirect_uri: str | None = None) -> web.Response:
    return web.Response(status=status, text=text, content_type="text/html", headers=_headers(redirect_uri))


def _redirect(address: str, parameters: Mapping[str, str | None]) -> web.Response:
    """302, the parameters behind those the address has already (RFC 6749, section 4.1.2)."""
    query = urlencode({name: value for name, value in parameters.items() if value is not None}, quote_via=quote)
    joint = "" if not query else "&" if "?" in address else "?"
    return web.Response(status=302, headers=_headers(None) | {"Location": f"{address}{joint}{query}"})


def _headers(redirect_uri: str | None) -> dict[str, str]:
    """`redirect_uri`: where the page's form may lead; browsers apply `form-action` to redirects as well."""
    form_action = "'none'" if redirect_uri is None else f"'self' {_source(redirect_uri)}"
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; style-src 'sha256-{page.STYLE_HASH}'; form-action {form_action}; "
            "base-uri 'none'; frame-ancestors 'none'"
        ),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Pragma": "no-cache",
    }


def _source(redirect_uri: str) -> str:
    return redirects.origin(redirect_uri) or f"{redirect_uri.partition(':')[0]}:"
