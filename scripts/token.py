"""Print an access token for one of the seeded accounts, for use with curl."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

import aiohttp

from scripts.shop import ApiError, addresses, token

ACCOUNTS = Path(__file__).parents[1] / "infra" / "entra.json"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    known = [account["name"] for account in json.loads(ACCOUNTS.read_text())["accounts"]]
    parser.add_argument("account", choices=known)
    account = parser.parse_args().account
    async with aiohttp.ClientSession() as session:
        print(await token(session, addresses()["entra"], account))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ApiError as exc:
        sys.exit(str(exc))
