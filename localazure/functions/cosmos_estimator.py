"""How far a change feed is behind, as the estimator of the change feed processor counts it.

Source: `ChangeFeedEstimatorIterator` of azure-cosmos-dotnet-v3: the range's latest LSN against that of the first unread
change.
"""

from __future__ import annotations

from collections.abc import Iterable

from localazure.functions.cosmos_account import RANGE, Account, FeedError
from localazure.functions.cosmos_leases import Lease

_GONE = 410


async def unread(account: Account, container: str, leases: Iterable[Lease], *, from_beginning: bool) -> int:
    """Changes that nobody has handled, over all the leases. Raises FeedError."""
    return sum([await _unread(account, container, lease, from_beginning) for lease in leases])


async def _unread(account: Account, container: str, lease: Lease, from_beginning: bool) -> int:
    place = lease["ContinuationToken"]
    if place is None and not from_beginning:
        return 0
    headers = {"A-IM": "Incremental Feed", "x-ms-max-item-count": "1", RANGE: str(lease["LeaseToken"])}
    if place is not None:
        headers["If-None-Match"] = place
    status, found, document = await account.call("GET", "docs", container, f"{container}/docs", headers)
    if status in (304, _GONE):  # nothing new, or split: the leases of the parts tell
        return 0
    if status != 200:
        raise FeedError(f"{container}: {status} {document}")
    changes = document["Documents"]
    return _latest(found["x-ms-session-token"]) - int(changes[0]["_lsn"]) + 1 if changes else 0


def _latest(token: str) -> int:
    """The LSN in a session token: `0:-1#12`, behind it more where there are regions."""
    parts = token.rpartition(":")[2].split("#")
    return int(parts[1] if len(parts) > 1 else parts[0])
