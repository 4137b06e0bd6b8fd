"""An address as a request names it: to send goods to, or to keep for the next time."""

from __future__ import annotations

from typing import Annotated

import msgspec

from shared.patterns import NOT_BLANK, Country

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=120, pattern=NOT_BLANK)]


class AddressIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the goods go."""

    name: Text
    line1: Text
    city: Text
    postal_code: Annotated[str, msgspec.Meta(min_length=1, max_length=20, pattern=NOT_BLANK)]
    country: Annotated[Country, msgspec.Meta(description="ISO 3166-1 alpha-2")]
    line2: Annotated[str, msgspec.Meta(max_length=120)] | None = None
