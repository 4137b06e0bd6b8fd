"""Rules through the administration client: what they decide, how they are told, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus import ServiceBusMessage
from azure.servicebus.management import (
    CorrelationRuleFilter,
    FalseRuleFilter,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

from .bench import Bus, both, take, texts

pytestmark = pytest.mark.asyncio(loop_scope="session")


@both
async def test_a_subscription_begins_with_a_rule_for_everything(bus: Bus) -> None:
    topic, _ = await bus.topic()
    await bus.administration.create_subscription(topic, "s")
    [rule] = [rule async for rule in bus.administration.list_rules(topic, "s")]
    assert (rule.name, type(rule.filter), rule.action) == ("$Default", TrueRuleFilter, None)
    assert rule.created_at_utc.timestamp() == pytest.approx(bus.clock.time(), abs=1)


@both
async def test_rules_decide_as_soon_as_they_are_made(bus: Bus) -> None:
    topic, sender = await bus.topic("s")
    admin = bus.administration
    await admin.create_rule(topic, "s", "none", filter=FalseRuleFilter())
    await admin.delete_rule(topic, "s", "$Default")
    receiver = await bus.subscriber(topic, "s")

    async def passed(*labels: str) -> list[str]:
        await sender.send_messages([ServiceBusMessage(text, subject=text) for text in labels])
        count = bus.broker.queue(f"{topic}/Subscriptions/s").depth()["active"]
        found = await take(receiver, count)
        for message in found:
            await receiver.complete_message(message)
        return texts(found)

    assert await passed("a", "b") == []
    rule = await admin.create_rule(topic, "s", "one", filter=SqlRuleFilter("sys.Label = 'a'"))
    assert await passed("a", "b") == ["a"]
    rule.filter = CorrelationRuleFilter(label="b")
    await admin.update_rule(topic, "s", rule)
    assert await passed("a", "b") == ["b"]
    await admin.delete_rule(topic, "s", "one")
    assert await passed("a", "b") == []


@both
async def test_rules_are_told_as_they_were_made(bus: Bus) -> None:
    topic, _ = await bus.topic("s")
    admin = bus.administration
    parameters: dict[str, Any] = {"@text": "t", "@whole": 7, "@large": 2**40, "@real": 0.5, "@flag": True}
    expression = "a = @text AND b = @whole AND c < @large AND d > @real AND e = @flag"
    action = SqlRuleAction("SET x = @y", parameters={"@y": "z"})
    await admin.create_rule(topic, "s", "sql", filter=SqlRuleFilter(expression, parameters), action=action)
    system = {
        "correlation_id": "c", "message_id": "m", "to": "t", "reply_to": "r", "label": "l", "session_id": "s",
        "reply_to_session_id": "rs", "content_type": "ct",
    }  # fmt: skip
    own: dict[str, Any] = {"text": "a & b", "whole": 1, "real": 1.5, "flag": False}
    await admin.create_rule(topic, "s", "correlation", filter=CorrelationRuleFilter(**system, properties=own))
    sql = await admin.get_rule(topic, "s", "sql")
    assert (sql.filter.sql_expression, dict(sql.filter.parameters)) == (expression, parameters)
    assert (sql.action.sql_expression, dict(sql.action.parameters)) == ("SET x = @y", {"@y": "z"})
    correlation = (await admin.get_rule(topic, "s", "correlation")).filter
    assert {name: getattr(correlation, name) for name in system} == system
    assert dict(correlation.properties) == own
    assert [rule.name async for rule in admin.list_rules(topic, "s")] == ["$Default", "sql", "correlation"]


@both
async def test_a_rule_that_cannot_be_is_refused_with_the_reason(bus: Bus) -> None:
    topic, _ = await bus.topic("s")
    admin = bus.administration
    for bad, named in (
        (SqlRuleFilter("size >"), "cannot be read"),
        (SqlRuleFilter("size = @p"), "no such parameter"),
        (CorrelationRuleFilter(), "names at least one property"),
    ):
        with pytest.raises(HttpResponseError, match=named):
            await admin.create_rule(topic, "s", "r", filter=bad)
    with pytest.raises(ResourceExistsError):
        await admin.create_rule(topic, "s", "$Default")
    for missing in (admin.get_rule(topic, "s", "r"), admin.delete_rule(topic, "s", "r")):
        with pytest.raises(ResourceNotFoundError):
            await missing
