"""What the token endpoint refuses, as OAuth 2.0 names it and with Entra's own number.

OAuthError
├── InvalidRequest            400  a parameter is missing or malformed
├── InvalidClient             401  the client is unknown, or its secret is wrong
├── InvalidGrant              400  the password or the refresh token is wrong
├── InvalidScope              400  nothing that was asked for may be granted
├── UnauthorizedClient        400  the client may not use this grant
├── UnsupportedGrantType      400  the grant exists in OAuth, not here
└── UnsupportedResponseType   400  the authorize endpoint has no page yet

DirectoryError is apart: the file of accounts cannot be used, so the part does not start.
"""

from __future__ import annotations

from typing import ClassVar


class DirectoryError(ValueError):
    """The file of accounts is missing or malformed; the message names the file and the place."""


class OAuthError(Exception):
    """An answer of RFC 6749, section 5.2. `code` is the AADSTS number of the same refusal by Entra."""

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
