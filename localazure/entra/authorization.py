"""What an application may ask the authorize endpoint for, and what a sign-in gives it. Knows no HTTP.

RFC 6749, section 4.1; RFC 7636; OpenID Connect Core, section 3.1.2; and "Microsoft identity platform and OAuth 2.0
authorization code flow" (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from localazure.entra import pkce
from localazure.entra.codes import Codes, Request, SignIns
from localazure.entra.directory import Account, Client
from localazure.entra.engine import Engine
from localazure.entra.errors import (
    AccessDenied,
    InvalidGrant,
    InvalidRequest,
    LoginRequired,
    OAuthError,
    RequestNotSupported,
    RequestUriNotSupported,
    UnauthorizedClient,
    UnsupportedResponseType,
)

RESPONSE_TYPES = ("code",)
RESPONSE_MODES = ("query",)
PROMPTS = ("login", "select_account", "none")

REFUSED = {
    "request": RequestNotSupported,
    "request_uri": RequestUriNotSupported,
    "registration": InvalidRequest,
    "claims": InvalidRequest,
    "max_age": InvalidRequest,
    "acr_values": InvalidRequest,
    "id_token_hint": InvalidRequest,
    "resource": InvalidRequest,
}
"""Parameters that would change the answer and are not understood. Others are ignored, as RFC 6749 has it."""


@dataclass(frozen=True)
class Callback:
    """Where the answer goes: an address found to be the client's, with the client's own state."""

    client: Client
    redirect_uri: str
    state: str | None


@dataclass(frozen=True)
class Prompt:
    """What the sign-in page shows and carries."""

    transaction: str
    client: Client
    redirect_uri: str
    scopes: tuple[str, ...]
    username: str


class WrongCredentials(Exception):
    """Name and password do not go together; `prompt` is the next try."""

    def __init__(self, refusal: InvalidGrant, prompt: Prompt) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.prompt = prompt


class Authorizer:
    """The interactive half of one tenant."""

    def __init__(self, engine: Engine, sign_ins: SignIns, codes: Codes) -> None:
        self._engine = engine
        self._sign_ins = sign_ins
        self._codes = codes

    @property
    def accounts(self) -> tuple[Account, ...]:
        return self._engine.directory.accounts

    def callback(self, parameters: Mapping[str, str], repeated: Collection[str] = ()) -> Callback:
        """Raises OAuthError for a client or an address that is not known: nothing may be sent there."""
        for name in ("client_id", "redirect_uri"):
            if name in repeated:
                raise _repeated(name)
        client_id, redirect_uri = _required(parameters, "client_id"), _required(parameters, "redirect_uri")
        client = self._engine.directory.client(client_id)
        if client is None:
            raise UnauthorizedClient(
                700016, f"Application with identifier '{client_id}' was not found in the directory."
            )
        if not client.may_return_to(redirect_uri):
            raise InvalidRequest(
                50011,
                f"The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs "
                f"configured for the application '{client.client_id}'.",
            )
        return Callback(client, redirect_uri, parameters.get("state"))

    def begin(self, callback: Callback, parameters: Mapping[str, str], repeated: Collection[str] = ()) -> Prompt:
        """Open a sign-in. Raises OAuthError for a request that is to be refused at the callback."""
        for name in repeated:
            raise _repeated(name)
        if "authorization_code" not in callback.client.grants:
            raise UnauthorizedClient(
                700021, f"The client '{callback.client.name}' may not use the grant type 'authorization_code'."
            )
        _check_response(parameters)
        _check_unsupported(parameters)
        scope = _required(parameters, "scope")
        self._engine.wanted(scope)
        request = Request(
            client_id=callback.client.client_id,
            redirect_uri=callback.redirect_uri,
            scope=scope,
            state=callback.state,
            nonce=parameters.get("nonce"),
            challenge=_challenge(callback.client, parameters),
            login_hint=parameters.get("login_hint", ""),
        )
        _check_prompt(parameters.get("prompt"))
        return self._prompt(callback.client, request)

    def take(self, transaction: str) -> tuple[Callback, Request]:
        """The sign-in a page was for, which is thereby used up. Raises InvalidRequest if there is none."""
        request = self._sign_ins.take(transaction)
        client = None if request is None else self._engine.directory.client(request.client_id)
        if request is None or client is None:
            raise InvalidRequest(
                165000, "This sign-in page has expired or was submitted before. Go back to the application."
            )
        return Callback(client, request.redirect_uri, request.state), request

    def finish(self, callback: Callback, request: Request, username: str, password: str) -> str:
        """The code for the client. Raises WrongCredentials, or OAuthError to be refused at the callback."""
        try:
            account = self._engine.person(username, password)
        except InvalidGrant as exc:
            raise WrongCredentials(exc, self._prompt(callback.client, request, username)) from exc
        self._engine.wanted(request.scope).granted(self._engine.directory.allowed(account))
        return self._codes.issue(request, account.name)

    @staticmethod
    def declined() -> OAuthError:
        """What the client is told where the person cancels."""
        return AccessDenied(65004, "The user declined to sign in.")

    def may_return_to(self, redirect_uri: str) -> bool:
        """Whether a sign-out may end there: at an address that any client has registered."""
        return any(client.may_return_to(redirect_uri) for client in self._engine.directory.clients)

    def _prompt(self, client: Client, request: Request, username: str | None = None) -> Prompt:
        return Prompt(
            transaction=self._sign_ins.open(request),
            client=client,
            redirect_uri=request.redirect_uri,
            scopes=tuple(dict.fromkeys(request.scope.split())),
            username=request.login_hint if username is None else username,
        )


def _check_response(parameters: Mapping[str, str]) -> None:
    kind = _required(parameters, "response_type")
    if kind not in RESPONSE_TYPES:
        raise UnsupportedResponseType(
            700054, f"The response_type '{kind}' is not supported here. Supported: {', '.join(RESPONSE_TYPES)}."
        )
    mode = parameters.get("response_mode", "query")
    if mode not in RESPONSE_MODES:
        raise InvalidRequest(
            90023, f"The response_mode '{mode}' is not supported here. Supported: {', '.join(RESPONSE_MODES)}."
        )


def _check_unsupported(parameters: Mapping[str, str]) -> None:
    for name, error in REFUSED.items():
        if name in parameters:
            raise error(90023, f"The parameter '{name}' is not supported here.")


def _check_prompt(prompt: str | None) -> None:
    if prompt is not None and prompt not in PROMPTS:
        raise InvalidRequest(90023, f"The prompt '{prompt}' is not supported here. Supported: {', '.join(PROMPTS)}.")
    if prompt == "none":
        raise LoginRequired(50058, "A silent sign-in was asked for, but nobody stays signed in here.")


def _challenge(client: Client, parameters: Mapping[str, str]) -> str | None:
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if challenge is None:
        if client.public:
            raise InvalidRequest(
                9002325, "Proof Key for Code Exchange is required of a public client: send a 'code_challenge'."
            )
        if method is not None:
            raise InvalidRequest(50147, "There is a 'code_challenge_method' but no 'code_challenge'.")
        return None
    method = "plain" if method is None else method  # RFC 7636, section 4.3
    if method not in pkce.METHODS:
        raise InvalidRequest(
            90023, f"The code_challenge_method '{method}' is not supported here. Supported: {', '.join(pkce.METHODS)}."
        )
    if not pkce.is_challenge(challenge):
        raise InvalidRequest(50147, "The 'code_challenge' is not 43 characters of base64url, as S256 makes them.")
    return challenge


def _required(parameters: Mapping[str, str], name: str) -> str:
    value = parameters.get(name)
    if not value:
        raise InvalidRequest(900144, f"The request must contain the following parameter: '{name}'.")
    return value


def _repeated(name: str) -> InvalidRequest:
    return InvalidRequest(90015, f"The parameter '{name}' is given more than once.")
