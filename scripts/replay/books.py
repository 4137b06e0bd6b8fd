"""The books at the end: every row, every penny, every piece. Pure but for what it is given."""

from __future__ import annotations

from collections import Counter
from typing import Any

from scripts.replay.plan import Plan
from scripts.replay.shopping import Outcome, confirmed


def close(plan: Plan, outcome: Outcome, captured: dict[str, int]) -> dict[str, Any]:
    """The books as JSON; `differences` is empty where everything adds up.

    `captured`: order id → pence that the payment provider has taken, net of refunds.
    """
    done = list(confirmed(plan, outcome))
    sold = [line for order, _ in done for line in order.lines]
    rejected = Counter(reason.partition(":")[0] for reason in plan.rejected.values())
    for order in plan.orders:
        found = outcome.orders.get(order.key)
        if found is not None and found["status"] == "cancelled":
            rejected[f"order cancelled, {found['history'][-1]['reason']}"] += len(order.lines)
    rows = {
        "read": plan.rows,
        "sold": len(sold),
        "returned": len(plan.returns),
        "written_off": len(plan.write_offs),
        "given_away": len(plan.gifts),
        "found": len(plan.finds),
        "rejected": dict(sorted(rejected.items())),
    }
    asked = sum(order.pence for order, _ in done)
    money = {
        "sold_pence": asked,
        "orders_pence": sum(found["total"]["amount"] for _, found in done),
        "captured_pence": sum(captured.get(found["id"], 0) for _, found in done),
        "refunds_due_pence": sum(line.pence * line.pieces for line in plan.returns),
    }
    pieces = {
        "start": sum(plan.start.values()),
        "sold": sum(line.pieces for line in sold),
        "other_changes": sum(plan.change.values()),
        "on_hand": sum(outcome.stock.values()),
    }
    return {
        "orders": {"placed": len(plan.orders), "confirmed": len(done)},
        "rows": rows,
        "money": money,
        "pieces": pieces,
        "differences": _differences(plan, outcome, captured, rows, money, pieces),
    }


def _differences(
    plan: Plan,
    outcome: Outcome,
    captured: dict[str, int],
    rows: dict[str, Any],
    money: dict[str, int],
    pieces: dict[str, int],
) -> list[str]:
    found = [f"stock of {sku}: {what}" for sku, what in sorted(outcome.surprises.items())]
    accounted = sum(value for name, value in rows.items() if name not in ("read", "rejected"))
    accounted += sum(rows["rejected"].values())
    if accounted != rows["read"]:
        found.append(f"rows: {rows['read']} read, {accounted} accounted for")
    if len({money["sold_pence"], money["orders_pence"], money["captured_pence"]}) != 1:
        found.append(
            f"money: {money['sold_pence']} sold, {money['orders_pence']} ordered, {money['captured_pence']} taken"
        )
    if pieces["start"] - pieces["sold"] + pieces["other_changes"] != pieces["on_hand"]:
        found.append(f"pieces: {pieces}")
    for order in plan.orders:
        document = outcome.orders.get(order.key)
        if document is None:
            found.append(f"order {order.key} was not settled")
        elif document["status"] == "cancelled" and captured.get(document["id"], 0):
            found.append(f"order {document['id']} is cancelled, but {captured[document['id']]} pence were taken")
    return found


def table(books: dict[str, Any]) -> str:
    """The books for people."""
    rows, money, pieces = books["rows"], books["money"], books["pieces"]
    lines = [f"  rows read      {rows['read']:>10,}"]
    lines += [
        f"    {name.replace('_', ' '):<13}{rows[name]:>10,}"
        for name in ("sold", "returned", "written_off", "given_away", "found")
    ]
    lines += [f"    rejected     {count:>10,}  {reason}" for reason, count in rows["rejected"].items()]
    lines += [
        f"  orders         {books['orders']['confirmed']:>10,}  of {books['orders']['placed']:,} confirmed",
        f"  money          {money['sold_pence'] / 100:>10,.2f}  GBP sold = ordered {money['orders_pence'] / 100:,.2f}"
        f" = taken {money['captured_pence'] / 100:,.2f}",
        f"  refunds due    {money['refunds_due_pence'] / 100:>10,.2f}  GBP for returns",
        f"  pieces         {pieces['start']:>10,}  - {pieces['sold']:,} sold {pieces['other_changes']:+,} otherwise"
        f" = {pieces['on_hand']:,} on hand",
    ]
    lines += [f"  DIFFERENCE     {difference}" for difference in books["differences"]]
    lines.append("  everything adds up" if not books["differences"] else "  it does not add up")
    return "\n".join(lines)
