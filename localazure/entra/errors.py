"""What the token and authorize endpoints refuse, as OAuth 2.0 names it and with Entra's own number.

OAuthError
├── InvalidRequest            400  a parameter is missing or malformed
├── InvalidClient             401  the client is unknown, or its secret is wrong
├── InvalidGrant              400  the password, the code or the refresh token is wrong
├── InvalidScope              400  nothing that was asked for may be granted
├── UnauthorizedClient        400  the client may not use this grant
├── UnsupportedGrantType      400  the grant exists in OAuth, not here
├── UnsupportedResponseType   400  the authorize endpoint answers with codes alone
├── AccessDenied              400  the person did not want to sign in
├── LoginRequired             400  nobody is signed in, and no page was wanted
├── RequestNotSupported       400  an authorization request as a JWT (OpenID Connect Core, section 6)
└── RequestUriNotSupported    400  the same by reference

DirectoryError is apart: the file of accounts cannot be used, so the part does not start.
"""

from __future__ import annotations

from typing import ClassVar


class DirectoryError(ValueError):
    """The file of accounts is missing or malformed; the message names the file and the place."""


class OAuthError(Exception):
    """An answer of RFC 6749, sections 4.1.2.1 and 5.2. `code` is the AADSTS number of the same refusal by Entra."""

    error: ClassVar[str]
    status: ClassVar[int] = 400

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class InvalidRequest(OAuthError):
    error = "invalid_request"


class InvalidClient(OAuthError):
    error = "invalid_client"
    status = 401


class InvalidGrant(OAuthError):
    error = "invalid_grant"


class InvalidScope(OAuthError):
    error = "invalid_scope"


class UnauthorizedClient(OAuthError):
    error = "unauthorized_client"


class UnsupportedGrantType(OAuthError):
    error = "unsupported_grant_type"


class UnsupportedResponseType(OAuthError):
    error = "unsupported_response_type"


class AccessDenied(OAuthError):
    error = "access_denied"


class LoginRequired(OAuthError):
    error = "login_required"


class RequestNotSupported(OAuthError):
    error = "request_not_supported"


class RequestUriNotSupported(OAuthError):
    error = "request_uri_not_supported"
