"""Bodies that are files."""

from __future__ import annotations

from tests.gateway import world as w
from tests.gateway.promises.promise import KEYED, case, operate
from tests.gateway.world import World, fine

IMPORT = "catalog_imports_start"
MAX_SIZE = 104_857_600


@case
async def a_file_goes_through_as_it_is_in_either_format(world: World) -> None:
    large = b"sku,name\n" + b"A1,\xff\x00\xe9\r\n" * 200_000
    for content, kind in ((large, "text/csv"), (b"{}\n[", "application/x-ndjson; charset=utf-8"), (b"x", "TEXT/CSV")):
        answer = await operate(world, IMPORT, body=None, data=content, headers={"Content-Type": kind})
        assert answer.status == 200, (kind, answer)
        assert (world.last.body, world.last.headers["content-type"]) == (content, kind)


@case
async def a_file_of_another_kind_is_refused(world: World) -> None:
    for kind in ("application/json", "text/csvx", "multipart/form-data", "application/xml, text/csv"):
        await world.reset()
        answer = await operate(world, IMPORT, headers={"Content-Type": kind})
        assert (answer.status, answer.problem) == (415, "unsupported-media-type"), (kind, answer)
        assert answer.json["title"] == "The request body is of another media type"
        assert "text/csv" in answer.json["detail"]
    assert not world.seen


@case
async def a_file_that_says_it_is_too_large_is_refused_before_it_comes(world: World) -> None:
    for size in (MAX_SIZE + 1, 20 * MAX_SIZE):
        await world.reset()
        answer = await operate(world, IMPORT, body=None, data=b"x", headers={"Content-Length": str(size)})
        assert (answer.status, answer.problem) == (413, "payload-too-large"), (size, answer)
        assert answer.json["title"] == "The request body is too large"
        assert str(MAX_SIZE) in answer.json["detail"]
    assert not world.seen


@case
async def imports_have_a_limit_of_their_own_whatever_the_subscription(world: World) -> None:
    for key in (None, "internal", None, "internal"):
        assert (await operate(world, IMPORT, key=key)).status == 200
    for key in (None, "internal"):
        answer = await operate(world, IMPORT, key=key)
        assert (answer.status, answer.problem) == (429, "too-many-requests")
        assert 55 <= int(answer.headers["retry-after"]) <= 60
    assert len(world.seen) == w.IMPORTS
    assert (await operate(world, IMPORT, token="admin")).status == 200, "another user"
    assert (await operate(world, "products_put")).status == 200, "only imports are so few"
    world.clock.ahead += 61
    assert (await operate(world, IMPORT)).status == 200


@case
async def a_file_is_sent_once_and_has_a_time_of_its_own(world: World) -> None:
    world.replies += [fine(503), fine(202)]
    assert (await operate(world, IMPORT, headers=KEYED)).status == 503
    assert len(world.seen) == 1, "a file that went through cannot be sent again"
    await world.reset()
    world.replies.append(world.silent)
    answer = await operate(world, IMPORT, import_timeout_seconds=1, backend_timeout_seconds=20)
    assert (answer.status, answer.problem) == (504, "backend-timeout")
    world.released.set()
