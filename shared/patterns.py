"""Patterns and formats of whole texts, and closed lists of codes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

END = r"$(?!\n)"
"""In Python and .NET `$` also matches ahead of a trailing line feed; this does not. JSON Schema's own `$` never did."""


NOT_BLANK = r"[^\s\x1c-\x1f\x85\ufeff]"
"""A text with something to see in it. What is white space to Python is not all that to JSON Schema, nor the other way:
what either of them takes for it stands here."""


def whole(pattern: str) -> str:
    """The pattern of a text that is `pattern` from its first to its last character."""
    return f"^{pattern}{END}"


def published(schema: Any) -> Any:
    """A JSON Schema whose patterns end as JSON Schema has them, where `$` is the end and nothing else."""
    if isinstance(schema, dict):
        return {
            name: value.replace(END, "$") if name == "pattern" and isinstance(value, str) else published(value)
            for name, value in schema.items()
        }
    return [published(item) for item in schema] if isinstance(schema, list | tuple) else schema


ORDER_ID = re.compile(r"ord_[a-z2-7]{26}")
Moment = Annotated[
    str,
    msgspec.Meta(
        pattern=whole(
            "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
            r"(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
        ),
        description="A time with its offset, RFC 3339; what is finer than a millisecond is cut off",
        extra_json_schema={"format": "date-time"},
    ),
]
"""A time that is sent to us."""
Timestamp = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""A time in an answer of the API, as `shared.clock.timestamp` gives it: documents and clients know it for one."""

Country = Literal[
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ",
    "BA", "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS",
    "BT", "BV", "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN",
    "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE",
    "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF",
    "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK", "HM",
    "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM",
    "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC",
    "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK",
    "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA",
    "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG",
    "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW",
    "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS",
    "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO",
    "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI",
    "VN", "VU", "WF", "WS", "YE", "YT", "ZA", "ZM", "ZW",
]  # fmt: skip
"""ISO 3166-1 alpha-2: the 249 codes that are officially assigned."""
