"""Who gets in, and who may do what."""

from __future__ import annotations

from typing import Any

from shared.declaration import ROLES
from tests.gateway.promises.promise import DECLARED, OPERATIONS, case, operate
from tests.gateway.world import World

# tokens


async def _unauthenticated(world: World, token: str | None, code: str, **more: Any) -> None:
    answer = await operate(world, "orders_list", token=token, **more)
    assert (answer.status, answer.problem) == (401, code), answer
    sent = code != "unauthenticated"
    challenge = f'Bearer error="invalid_token", error_description="{code}"' if sent else "Bearer"
    assert answer.headers["www-authenticate"] == challenge
    assert sent or answer.json["detail"] == "send an access token: Authorization: Bearer …"
    assert not world.seen


@case
async def no_token(world: World) -> None:
    await _unauthenticated(world, None, "unauthenticated")
    await _unauthenticated(world, None, "unauthenticated", headers={"Authorization": "Basic c2hvcHBlcjpz"})


@case
async def another_scheme_does_not_carry_a_token(world: World) -> None:
    token = await world.token()
    await _unauthenticated(world, None, "unauthenticated", headers={"Authorization": token})


@case
async def a_token_that_has_expired(world: World) -> None:
    await _unauthenticated(world, await world.token(lifetime=-60), "token-expired")
    answer = await operate(world, "orders_list", token=await world.token(lifetime=-10))
    assert answer.status == 200, "clocks may differ by 30 seconds"


@case
async def a_token_that_is_not_the_issuers(world: World) -> None:
    for order in (
        {"key": "other"},
        {"algorithm": "none"},
        {"algorithm": "HS256"},
        {"headers": {"kid": "x"}},
        {"claims": {"iss": "http://evil.example"}},
        {"claims": {"nbf": 9_999_999_999}},
    ):
        await _unauthenticated(world, await world.token(**order), "invalid-token")
    await _unauthenticated(world, "x" * 50, "invalid-token")


@case
async def a_token_for_another_audience(world: World) -> None:
    await _unauthenticated(world, await world.token(claims={"aud": "api://other"}), "invalid-token")


@case
async def a_token_of_nobody(world: World) -> None:
    await _unauthenticated(world, await world.token(claims={"sub": None, "oid": None}), "invalid-token")


@case
async def a_token_without_expiry(world: World) -> None:
    await _unauthenticated(world, await world.token(claims={"exp": None}), "invalid-token")


async def _forbidden(world: World, name: str, token: str, code: str) -> None:
    answer = await operate(world, name, token=token)
    assert (answer.status, answer.problem) == (403, code), answer
    assert "www-authenticate" not in answer.headers
    assert not world.seen


def _each_demand() -> None:
    for name, (_, _, _, _, who) in OPERATIONS.items():
        if not who:
            continue

        async def needs_scope(world: World, name: str = name, who: str = who) -> None:
            others = [scope for scope in SCOPES.values() if scope != SCOPES[name]]
            await _forbidden(world, name, await world.token(who, scopes=others), "insufficient-scope")

        async def needs_role(world: World, name: str = name) -> None:
            stranger = await world.token("shopper", scopes=[SCOPES[name]], claims={"roles": ["stranger"]})
            await _forbidden(world, name, stranger, "insufficient-role")
            for role in ROLES:
                token = await world.token("shopper", scopes=[SCOPES[name]], claims={"roles": [role]})
                answer = await operate(world, name, token=token)
                assert answer.status == (200 if role in DECLARED[name].roles else 403), (role, answer)

        for kind in (needs_scope, needs_role):
            kind.__name__ = f"{name}_{kind.__name__}"
            case(kind)


SCOPES = {name: operation.scope.name for name, operation in DECLARED.items() if operation.scope}
_each_demand()


@case
async def an_application_acts_as_itself(world: World) -> None:
    answer = await operate(world, "orders_place", token="partner", key="partner")
    assert answer.status == 200
    await world.reset()
    await _forbidden(world, "stock_get", await world.token("partner"), "insufficient-scope")
    roles = {"claims": {"roles": ["orders.read"]}}
    await _forbidden(world, "orders_list", await world.token("partner", **roles), "insufficient-role")
