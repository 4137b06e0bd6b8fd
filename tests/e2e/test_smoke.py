"""The smoke test of a deployment, at the gateway of the running system."""

from __future__ import annotations

import asyncio

from blueprints import SERVICES
from scripts.release.smoke import Gateway, buy, check
from tests.e2e.conftest import Client, Stocked, System, basket


async def test_every_service_of_the_running_system_is_well(system: System, staff: Client) -> None:
    gateway = Gateway(system.addresses["apim"], staff.token)
    for service in SERVICES:
        await asyncio.to_thread(check, gateway, service)


async def test_the_running_system_sells(system: System, shopper: Client, stocked: Stocked) -> None:
    sku = await stocked(250, 2)
    await shopper.placed(basket((sku, 1)))
    await asyncio.to_thread(buy, Gateway(system.addresses["apim"], shopper.token), sku)
