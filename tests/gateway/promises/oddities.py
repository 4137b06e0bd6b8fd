"""What no honest client sends: it is refused with a problem document, and counts against nobody."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib
from urllib.parse import urlsplit
from xml.etree import ElementTree

from tests.gateway.promises.promise import KEYED, PLACE, case, operate
from tests.gateway.world import World


async def _raw(world: World, head: str | bytes, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """One request as it stands, with the length of its body; status, headers and body of the answer."""
    host = urlsplit(await world.gateway())
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    start = head.encode("latin-1") if isinstance(head, str) else head
    writer.write(start + f"\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    answer = await reader.read()
    writer.close()
    top, _, content = answer.partition(b"\r\n\r\n")
    first, *lines = top.decode("latin-1").split("\r\n")
    return int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, content


def _jwt(header: object) -> str:
    text = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return f"Bearer {text}.e30.AAAA"


@case
async def odd_headers_are_refused_with_a_problem(world: World) -> None:
    token = await world.token("shopper")
    get = "GET /v1/orders HTTP/1.1\r\nHost: localhost\r\n"
    good = f"{get}Authorization: Bearer {token}\r\n"
    for name in ("Authorization", "X-Odd", "traceparent", "Idempotency-Key", "Ocp-Apim-Subscription-Key", "Origin"):
        status, headers, body = await _raw(world, f"{get}{name}: a\xff\xfe")
        assert status == 400 and headers["content-type"] == "application/problem+json", (name, status, body)
        assert json.loads(body)["type"].endswith(":invalid-request")
    for host in ("a:" + "9" * 5_000, "a:99999999", "a:x", "a:-1"):
        status, headers, body = await _raw(world, good.replace("Host: localhost", f"Host: {host}"))
        assert status == 400, (host[:20], status, body)
    odd: tuple[object, ...] = (
        {"alg": "\ud800"},
        {"alg": 5},
        {"alg": []},
        {"alg": "RS256", "kid": "\ud800"},
        [],
        None,
        5,
        "x",
    )
    for made_up in odd:
        status, headers, body = await _raw(world, f"{get}Authorization: {_jwt(made_up)}")
        assert status == 401 and headers["content-type"] == "application/problem+json", (made_up, status, body)
    assert not world.seen
    assert (await operate(world, "orders_list")).status == 200


@case
async def json_that_no_reader_takes_is_refused_with_a_problem(world: World) -> None:
    deep = json.dumps({**PLACE, "items": None}).replace("null", "[" * 300 + "]" * 300)
    nested = '{"a":' * 256 + "1" + "}" * 256
    half = json.dumps({**PLACE, "payment_method": "\ud800"})
    key = json.dumps({"\udfff": 1})
    raw = json.dumps(PLACE).replace("pm_card", "\ud800").encode(errors="surrogatepass")
    texts = (deep, nested, half, key, "[" * 50_000, '{"a":' * 17_000)
    for data in (*(text.encode() for text in texts), raw, b'{"\xed\xa0\x80": 1}', b'{"a": "\xff"}'):
        for name in ("orders_place", "products_put", "payments_webhook"):
            token = {"orders_place": "shopper", "products_put": "staff"}.get(name)
            headers = {"Content-Type": "application/json", **KEYED}
            answer = await operate(world, name, token=token, body=None, data=data, headers=headers)
            assert answer.status == 400, (name, data[:40], answer)
            assert answer.problem in {"malformed-json", "invalid-request"}, (name, data[:40], answer)
        await world.reset()
    assert not world.seen


@case
async def a_compressed_body_is_read_like_any_other(world: World) -> None:
    plain = json.dumps(PLACE).encode()
    for encoding, data in (("gzip", gzip.compress(plain)), ("deflate", zlib.compress(plain))):
        headers = {**KEYED, "Content-Type": "application/json", "Content-Encoding": encoding}
        answer = await operate(world, "orders_place", body=None, data=data, headers=headers)
        assert answer.status == 200, answer
        assert world.last.json == PLACE
        assert "content-encoding" not in world.last.headers
    for _ in range(12):
        headers = {**KEYED, "Content-Type": "application/json", "Content-Encoding": "gzip"}
        answer = await operate(world, "orders_place", token="staff", body=None, data=b"not gzip", headers=headers)
        assert answer.status in (400, 429), answer
    bomb = gzip.compress(b'{"a": "' + b" " * 50_000_000 + b'"}')
    answer = await operate(world, "orders_place", body=None, data=bomb, headers=headers)
    assert (answer.status, answer.problem) == (413, "payload-too-large"), answer
    assert (await operate(world, "orders_list")).status == 200


@case
async def every_document_says_all_four_sections(world: World) -> None:
    """What is left out is inherited; our own documents leave nothing out, so that each says what it inherits."""
    for file in sorted(world.artifacts.rglob("policy.xml")):
        root = ElementTree.parse(file).getroot()
        if root.tag == "policies":
            assert {child.tag for child in root} == {"inbound", "backend", "outbound", "on-error"}, file
