"""What odd requests are made of: values that some reader or other is surprised by."""

from __future__ import annotations

MARK = "zq7canary"
IDS = {"sku": "85123A", "cart_id": "crt_4q2n5xk7d6h3w2m5r7t2y4u6i3", "order_id": "ord_7x3kq5n2w4m6r5t3y2u7i4o6p5"}
BYTES = (
    b"\x00",
    b"\x01",
    b"\x7f",
    b"\x80",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x92\xa9",
    b"\t",
    b"'",
    b'"',
)
TEXTS = (
    "é",
    "\u2028",
    "\x00",
    "\x0b",
    "\u202e",
    "A " * 200,
    "x" * 9_000,
    "' OR 1=1 --",
    "%00",
    "%ff",
    "%",
    "..",
    "${7*7}",
    "\n",
)
NUMBERS = ("-0", "1e400", "-1", "1e-400", "0x10", "9" * 400, "1.5", "NaN", "Infinity", "true", "01", "1e2", str(2**63))
LENGTHS = (b"-1", b"+5", b"5, 5", b"0x5", b"9" * 30, b" ", b"5\x00", b"\xb2")
ENCODINGS = (b"gzip", b"deflate", b"br", b"gzip, gzip", b"identity", b"x-gzip", b"\xff", b"zstd", b"chunked")
TYPES = (
    b"text/plain",
    b"application/json; charset=utf-16",
    b"application/json; charset=utf-99",
    b"",
    b";;;==",
    b"\xff/\xfe",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data",
    b"multipart/form-data; boundary=\xff",
    b"application/json,",
    b"application/problem+json",
    b'application/json; charset="',
    b"a" * 5_000,
)
METHODS = (
    b"TRACE",
    b"CONNECT",
    b"PROPFIND",
    b"get",
    b"OPTIONS",
    b"HEAD",
    b"X" * 300,
    b"PATCH",
    b"G\xffT",
    b"QUERY",
    b"*",
)
VERSIONS = (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2", b"HTTQ/1.1", b"HTTP/1.1 ", b"")
HOSTS = (
    b"a:99999999",
    b"a:" + b"9" * 5_000,
    b"a:",
    b"",
    b"[::1",
    b"\xff",
    b"a b",
    b"localhost:0",
    b"evil.example",
    b"a@b",
    b"a,b",
)
LATE = (
    b"If-Match",
    b"If-None-Match",
    b"Idempotency-Key",
    b"traceparent",
    b"tracestate",
    b"Cookie",
    b"Range",
    b"Accept",
    b"Accept-Encoding",
    b"X-Forwarded-For",
    b"X-Forwarded-Host",
    b"Forwarded",
    b"Origin",
    b"Referer",
    b"Date",
    b"Expect",
    b"Access-Control-Request-Method",
    b"Ocp-Apim-Subscription-Key",
    b"X-Gateway-Authorization",
    b"Upgrade",
    b"TE",
    b"Trailer",
    b"Content-MD5",
    b"x-functions-key",
    b"x-ms-date",
    b"Max-Forwards",
    b"Proxy-Authorization",
    b"Sec-Fetch-Site",
    b"Via",
)
