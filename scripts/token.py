"""Print an access token for one of the seeded accounts, for use with curl."""

from __future__ import annotations

import argparse
import asyncio
import sys

import aiohttp

from scripts.shop import ApiError, addresses, token

ACCOUNTS = ("shopper", "shopper2", "staff", "admin")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("account", choices=ACCOUNTS)
    account = parser.parse_args().account
    async with aiohttp.ClientSession() as session:
        print(await token(session, addresses()["entra"], account))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ApiError as exc:
        sys.exit(str(exc))
