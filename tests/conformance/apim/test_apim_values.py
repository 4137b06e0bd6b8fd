"""cache-lookup-value, cache-store-value, cache-remove-value."""

from __future__ import annotations

from localazure.apim.cache import MAX_BYTES, MAX_ENTRY, kept_values
from tests.conformance.apim.conftest import Files, Local

LOOKUP = "<cache-lookup-value key='k' variable-name='v' {} />"
SHOW = (
    "<set-header name='V'><value>"
    '@(context.Variables.ContainsKey("v") ? ((string)context.Variables["v"]) : "none")</value></set-header>'
)


def test_a_value_is_kept_for_its_time(files: Files, local: Local) -> None:
    files.policy(LOOKUP.format("") + SHOW, outbound="<cache-store-value key='k' value='kept' duration='10' />")
    local.call()
    local.call()
    local.clock.now += 10
    local.call()
    assert [seen["headers"]["V"] for seen in local.seen] == ["none", "kept", "none"]


def test_a_default_stands_in_for_a_value_that_is_missing(files: Files, local: Local) -> None:
    files.policy(LOOKUP.format("default-value='other'") + SHOW)
    local.call()
    assert local.seen[0]["headers"]["V"] == "other"


def test_a_value_can_be_removed_and_forgotten(files: Files, local: Local) -> None:
    store = "<cache-store-value key='k' value='kept' duration='10' caching-type='external' />"
    files.policy(LOOKUP.format("") + SHOW, outbound=store)
    files.policy(
        "<base /><cache-remove-value key='k' />", file="apis/shop/operations/things-list/policy.xml", outbound=""
    )
    local.call()
    local.call(path="/shop/things")
    local.call()
    assert [seen["headers"]["V"] for seen in local.seen] == ["none", "kept", "none"]
    local.call("DELETE", "/_local/state")
    local.call()
    assert local.seen[-1]["headers"]["V"] == "none"


def test_an_object_that_is_changed_afterwards_is_kept_as_it_was(files: Files, local: Local) -> None:
    change = '@{ var held = (JObject)context.Variables["o"]; held["n"] = 2; return "x"; }'
    files.policy(
        "<set-variable name='o' value='@(JObject.Parse(\"{\\\"n\\\": 1}\"))' />"
        "<cache-store-value key='k' value='@(context.Variables[\"o\"])' duration='10' />"
        f"<set-variable name='x' value='{change}' />"
        "<cache-lookup-value key='k' variable-name='v' />"
        '<set-header name=\'V\'><value>@(((JObject)context.Variables["v"])["n"].ToString())</value></set-header>'
    )
    local.call()
    assert local.seen[0]["headers"]["V"] == "1"


def test_what_is_kept_is_bounded_by_its_bytes() -> None:
    cache = kept_values()
    large = "x" * 2_000_000
    for number in range(200):
        cache.put(str(number), (large,), 10.0)
    assert cache.get("0", 0.0) is None and cache.get("199", 0.0) == (large,)
    kept = sum(cache.get(str(number), 0.0) is not None for number in range(200))
    assert 100 < kept * len(large) / 2_000_000 <= MAX_BYTES / 2_000_000
    cache.put("huge", ("x" * (MAX_ENTRY + 1),), 10.0)
    assert cache.get("huge", 0.0) is None
