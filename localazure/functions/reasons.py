"""Reason phrases as Kestrel writes them, where Python's are of an older RFC, or where one of the two has none."""

from __future__ import annotations

from http import HTTPStatus

_OWN = {
    103: "",
    306: "Switch Proxy",
    413: "Payload Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    418: "I'm a teapot",
    419: "Authentication Timeout",
    425: "",
    499: "Client Closed Request",
}
_PHRASES = {status.value: status.phrase for status in HTTPStatus} | _OWN


def reason(status: int) -> str:
    return _PHRASES.get(status, "")
