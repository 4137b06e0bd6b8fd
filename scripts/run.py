"""Start everything, buy one real basket, fill the shop, and serve until Ctrl-C. This is `make run`.

With SPLIT=1 each service has a functions host of its own, with INSTANCES=3 each host runs three times on its port, with
INSTANCES=auto (or auto:9, at most nine) as often as what waits for it needs. A changed file of the app is picked up at
once, unless RELOAD=0.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from contextlib import suppress

from blueprints import SERVICES
from localazure.running import find
from scripts.dataset import read
from scripts.demo import BASKET, buy
from scripts.ending import end
from scripts.seed import seed, seeded
from scripts.shop import STATE, ApiError, Shop, addresses


async def main() -> int:
    if (running := find(STATE)) is not None:
        print(f"Already running, process {running.pid}; make stop ends it\n{running.table()}")
        return 0
    (STATE / "addresses.json").unlink(missing_ok=True)  # of a system that was killed
    # A group of its own: Ctrl-C reaches this process alone, which then stops the parts in order.
    up = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localazure", "up", "--state", str(STATE)),
        *(("--split", ",".join(SERVICES)) if os.environ.get("SPLIT") == "1" else ()),
        *(("--instances", instances) if (instances := os.environ.get("INSTANCES", "")) else ()),
        *(() if os.environ.get("RELOAD") == "0" else ("--reload",)),
        start_new_session=True,
    )
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupted.set)
    work = asyncio.create_task(_first_order(up))
    stop = asyncio.create_task(interrupted.wait())
    ended = asyncio.create_task(up.wait())
    try:
        await asyncio.wait({work, stop, ended}, return_when=asyncio.FIRST_COMPLETED)
        if work.done() and not stop.done() and not ended.done():
            work.result()
            await asyncio.wait({stop, ended}, return_when=asyncio.FIRST_COMPLETED)
        if stop.done():
            with suppress(OSError):  # the terminal may be closed
                print("\nStopping: the hosts end what is under way, then the services", flush=True)
        return 0 if stop.done() or up.returncode == 0 else 1
    finally:
        for task in (work, stop):
            task.cancel()
        await end(up)


async def _first_order(up: Process) -> None:
    began, told = time.monotonic(), 0
    while not (STATE / "addresses.json").exists():
        if (waited := time.monotonic() - began) >= 2 * told:
            print(f"Starting, {waited:.0f} s", flush=True)
            told += 1
        await asyncio.sleep(0.05)
    _what_next(await _open_shop())


async def _open_shop() -> str:
    """What the first basket needs is put in first, and bought before the rest, so that an order is seen soon. Returns
    the order's id."""
    data = read()
    basket = data.basket(BASKET)
    async with Shop("staff") as staff, Shop("shopper") as shopper:
        filled = await seeded(staff, data.products)
        before = (await shopper.call("GET", "/orders?limit=1"))["items"]
        if before:
            order = before[0]
            print(f"\nThe shop is as it was left; the shopper's last order, {order['id']}, is {order['status']}")
        else:
            print(f"\nBuying basket {BASKET}, the first of two days of a real retailer")
            if not filled:
                wanted = {sku for sku, _ in basket.lines}
                await seed(staff, [product for product in data.products if product.sku in wanted])
            order = await buy(shopper, basket, "pm_card_visa")
        if not filled:
            print(
                f"\nFilling the shop with what was sold on those days: {len(data.products)} products with their stock"
            )
            await seed(staff, data.products)
    return str(order["id"])


def _what_next(order_id: str) -> None:
    found = addresses()
    base, console = found["apim"], found["insights"]
    print(
        f"""
Try next
  {console}/                the console: everything that runs here, live
  {console}/#/subject/{order_id}
                                        this order: its timeline, and its trace across the services
  {base}/                the developer portal: sign in as shopper, password local-shopper
  curl '{base}/v1/products?limit=3'
  TOKEN=$(make -s token ACCOUNT=shopper)
  curl -H "Authorization: Bearer $TOKEN" {base}/v1/orders/{order_id}
  curl -H "Authorization: Bearer $TOKEN" {base}/v1/orders/{order_id}/payment
  make demo                          another purchase (make help lists the ways to vary it)
  curl {found.get("functions") or found["functions-orders"]}/admin/host/status

Serving until Ctrl-C""",
        flush=True,
    )


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except (ApiError, TimeoutError) as exc:
        sys.exit(f"{type(exc).__name__}: {exc}")
