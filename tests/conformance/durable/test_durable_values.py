"""What becomes of values on their way: encoded twice by the client, once by HTTP, and never decoded by the hub."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.durable_functions import DurableOrchestrationClient as Client

from localazure import newtonsoft
from localazure.functions.wire import Host
from tests.conformance.durable.conftest import ask, finished, until

VALUES = ["reserved", {"a": 1}, 5, 1.5, True, None, [1, "x"], "", "null", '{"x":1}', "é€😀"]
JSON = "application/json"


@pytest.mark.parametrize("value", VALUES)
async def test_an_event_of_the_client_arrives_as_the_text_of_its_json(client: Client, value: Any) -> None:
    await client.start_new("hears", "one")
    await client.raise_event("one", "go", value)
    assert (await finished(client, "one")).output == json.dumps(value)


@pytest.mark.parametrize("value", VALUES)
async def test_an_event_over_http_arrives_as_it_was_sent(host: Host, client: Client, value: Any) -> None:
    await client.start_new("hears", "one")
    assert (await ask(host, "POST", "instances/one/raiseEvent/go", json.dumps(value), Content_Type=JSON)).status == 202
    assert (await finished(client, "one")).output == (value if value is not None else None)


@pytest.mark.parametrize("value", [value for value in VALUES if value is not None])
async def test_an_input_of_the_client_is_decoded_by_the_package_and_shown_as_text(client: Client, value: Any) -> None:
    await client.start_new("echoes", "one", value)
    status = await finished(client, "one")
    assert (status.output, status.input_) == (value, json.dumps(value))


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ('{"a": 1}', {"a": 1}), ("null", None), ("", None), ('"5"', 5), ('"{\\"a\\":1}"', {"a": 1}),
        ("{'a':[1,],}", {"a": [1]}),
    ],
)  # fmt: skip
async def test_an_input_over_http_that_the_package_can_decode(
    host: Host, client: Client, body: str, output: Any
) -> None:
    assert (await ask(host, "POST", "orchestrators/echoes/one", body, Content_Type=JSON)).status == 202
    status = await finished(client, "one")
    assert (status.runtime_status.name, status.output) == ("Completed", output)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("5", "the JSON object must be str, bytes or bytearray, not int"),
        ("1.5", "the JSON object must be str, bytes or bytearray, not float"),
        ("true", "the JSON object must be str, bytes or bytearray, not bool"),
        ("[1]", "the JSON object must be str, bytes or bytearray, not list"),
        ('"text"', "Expecting value: line 1 column 1 (char 0)"),
        ("   ", "Expecting value: line 1 column 1 (char 0)"),
    ],
)
async def test_an_input_over_http_that_is_no_object_fails_in_the_package(
    host: Host, client: Client, body: str, reason: str
) -> None:
    assert (await ask(host, "POST", "orchestrators/echoes/one", body, Content_Type=JSON)).status == 202
    status = await finished(client, "one")
    assert (status.runtime_status.name, status.output) == (
        "Failed", f"Orchestrator function 'echoes' failed: {reason}",
    )  # fmt: skip


async def test_what_starts_over_and_what_is_a_child_show_their_input_as_text(client: Client) -> None:
    await client.start_new("collects", "one", [2, []])
    await client.raise_event("one", "item", 1)
    status = await until(client, "one", lambda status: "1" in str(status.input_))
    assert json.loads(status.input_) == [2, ["1"]]
    await client.start_new("family", "two", [[], ["a"]])
    await finished(client, "two")
    assert (await client.get_status("two-child", show_input=True)).input_ == '["a"]'


async def test_a_result_that_is_not_a_number_is_shown_as_a_text(client: Client) -> None:
    await client.start_new("not_a_number", "one")
    assert (await finished(client, "one")).output == "NaN"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{x", "Unexpected end while parsing unquoted property name. Path '', line 1, position 2."),
        ("hello", "Unexpected character encountered while parsing value: h. Path '', line 0, position 0."),
        ('{"a":}', "Unexpected character encountered while parsing value: }. Path 'a', line 1, position 5."),
        ('{"a":{"b":[1,x]}}', "parsing value: x. Path 'a.b[1]', line 1, position 13."),
        ('{"a" 1}', "property name. Expected ':' but got: 1. Path 'a', line 1, position 5."),
        ("[1 2]", "After parsing a value an unexpected character was encountered: 2. Path '[0]', line 1, position 3."),
        ('"abc', "Unterminated string. Expected delimiter: \". Path '', line 1, position 4."),
        ('"\\x"', "Bad JSON escape sequence: \\x. Path '', line 1, position 2."),
        ('"\\u12', "Unexpected end while parsing Unicode escape sequence. Path '', line 1, position 5."),
        ("tru", "Error parsing boolean value. Path '', line 1, position 3."),
        ("1x", "Unexpected character encountered while parsing number: x. Path '', line 1, position 1."),
        ("{}x", "Additional text encountered after finished reading JSON content: x. Path '', line 1, position 2."),
        ("{/", "Error parsing comment. Expected: *, got . Path '', line 1, position 2."),
        ("[" * 65, "The reader's MaxDepth of 64 has been exceeded."),
        ("9" * 5000, "is too large to parse."),
    ],
)  # fmt: skip
async def test_a_body_that_is_no_json_is_refused_in_the_words_of_newtonsoft(host: Host, body: str, told: str) -> None:
    reply = await ask(host, "POST", "orchestrators/echoes/one", body, Content_Type=JSON)
    assert (reply.status, reply.document["Message"]) == (400, "Invalid JSON content")
    assert reply.document["ExceptionType"] == "Newtonsoft.Json.JsonReaderException"
    assert told in reply.document["ExceptionMessage"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'a':1,}", {"a": 1}), ("{a:[1,],/*x*/b_1:'\\'é'}", {"a": [1], "b_1": "'é"}),
        ("// note\n[0x1F, +1, .5, 1e3]", [31, 1, 0.5, 1000.0]),
        ("[undefined,-Infinity]", [None, float("-inf")]), ('"\\u00e9\\n"', "é\n"), ("\ufeff 7", 7),
    ],
)  # fmt: skip
def test_what_newtonsoft_forgives_is_read(text: str, value: Any) -> None:
    assert newtonsoft.read(text) == value


def test_a_long_text_that_is_no_json_is_refused_at_once() -> None:
    with pytest.raises(newtonsoft.JsonReaderException, match="too long to be forgiven"):
        newtonsoft.read("'" + "a" * 300_000 + "'")
    assert newtonsoft.read("'" + "a" * 200_000 + "\\n'") == "a" * 200_000 + "\n"


@pytest.mark.parametrize(
    "tokens", ["[" + "1," * 100_000 + "x]", "[" + "/**/" * 50_000 + "x]", "{" + "a:1," * 50_000 + "x}"]
)
def test_a_text_of_many_tokens_that_is_no_json_is_given_up_early(tokens: str) -> None:
    with pytest.raises(newtonsoft.JsonReaderException, match="too long to be forgiven"):
        newtonsoft.read(tokens)


@pytest.mark.parametrize(("levels", "fits"), [(64, True), (65, False), (100_000, False)])
def test_sixty_four_levels_are_read_however_many_brackets_there_are(levels: int, fits: bool) -> None:
    many = "[" + ",".join(["{}"] * 100) + "]"
    text = "[" * (levels - 2) + many + "]" * (levels - 2)
    if fits:
        assert newtonsoft.read(text) == json.loads(text)
    else:
        with pytest.raises(newtonsoft.JsonReaderException, match="MaxDepth"):
            newtonsoft.read(text)
    assert newtonsoft.read(json.dumps(text)) == text


def test_numbers_beyond_json_are_written_as_texts() -> None:
    assert (
        newtonsoft.written([float("inf"), {"a": float("nan")}, -float("inf")]) == '["Infinity",{"a":"NaN"},"-Infinity"]'
    )


async def test_half_a_surrogate_pair_harms_nobody(host: Host, client: Client) -> None:
    await client.start_new("hears", "one")
    await ask(host, "POST", "instances/one/raiseEvent/go", '"\\ud800"', Content_Type=JSON)
    await finished(client, "one")
    assert (await ask(host, "GET", "instances/one?showHistory=true")).document["output"] == "?"
