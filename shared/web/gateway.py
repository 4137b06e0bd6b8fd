"""What the gateway says about a request, believed only beside the gateway's own proof.

The gateway sends an access token of its own (its managed identity's) in `X-Gateway-Authorization`. Without one that
holds the role `gateway`, its other headers are what anyone could have written, and are ignored.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping

from shared.errors import CommerceError
from shared.telemetry.log import Log
from shared.web.auth import authenticate

PROOF = "x-gateway-authorization"
ROLE = "gateway"
ROLES = {ROLE: "The gateway itself; what it says of a request is believed."}
TRUSTED = 300.0
"""Seconds that a proof, once verified, is taken again without verifying it: far less than a token's life."""
_SAID = {"client_application": "x-client-application", "subscription": "x-subscription-id"}
_MAX_LENGTH = 100

_log = Log("gateway")


class _Proof:
    """The last proof that was verified, and until when it is taken again (monotonic clock)."""

    text = b""
    until = 0.0


async def gateway_claims(headers: Mapping[str, str]) -> dict[str, str]:
    """The calling application and subscription, as fields for the log; empty without a valid proof."""
    proof = headers.get(PROOF, "")
    if not proof.isascii() or not proof or not await _is_gateway(proof):
        return {}
    return {field: value[:_MAX_LENGTH] for field, name in _SAID.items() if (value := headers.get(name, ""))}


async def _is_gateway(proof: str) -> bool:
    if time.monotonic() < _Proof.until and hmac.compare_digest(_Proof.text, proof.encode()):
        return True
    try:
        caller = await authenticate(proof)
    except CommerceError as exc:
        _log.warning("gateway.proof_refused", code=exc.code)
        return False
    if ROLE not in caller.roles:
        _log.warning("gateway.proof_refused", code="insufficient-role")
        return False
    _Proof.text, _Proof.until = proof.encode(), time.monotonic() + TRUSTED
    return True
