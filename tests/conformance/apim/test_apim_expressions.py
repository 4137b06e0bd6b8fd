"""The subset of C# in policy expressions: what it gives, and what it refuses before any request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.apim.context import Body, Context, Headers, Jwt, Request, Response, Url
from localazure.apim.errors import ExpressionError
from localazure.apim.expressions import compile_text


def context(body: bytes = b'{"a": [1, {"b": "c"}], "n": 2.5, "t": true}', **variables: Any) -> Context:
    url = Url.of("https", "shop.example", 443, "/v1/things", "a=1&a=2&b=x%20y")
    headers = Headers({"X-One": "1"})
    headers.add("X-Two", "a")
    headers.add("X-Two", "b")
    request = Request("GET", url, url, headers, "10.0.0.1", Body(body), {"id": "7"})
    token = Jwt({"sub": ["me"], "roles": ["a", "b"]}, {})
    response = Response(404, Headers({"ETag": '"v"'}), b"text")
    return Context(
        request, 100.0, lambda: 101.5, response=response, variables={"s": "text", "i": 3, "jwt": token, **variables}
    )


def value(text: str, wanted: str = "object", **more: Any) -> Any:
    return compile_text(text, wanted)(context(**more))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3 - 4 / 2", 7),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7 / 2.0", 3.5),
        ("1 < 2 && !(2 >= 3) || false", True),
        ('"a" + 1 + true', "a1True"),
        ('1 == 1 ? "yes" : "no"', "yes"),
        ('(string)context.Variables["s"]', "text"),
        ('((string)context.Variables["s"]).Length', 4),
        ('(int)context.Variables["i"] + 1', 4),
        ('context.Variables.GetValueOrDefault<string>("none", "other")', "other"),
        ('context.Variables.GetValueOrDefault("none", "other")', "other"),
        ('context.Variables.ContainsKey("s")', True),
        ('context.Request.Headers.GetValueOrDefault("x-two", "")', "a,b"),
        ('context.Request.Headers["X-Two"].Last()', "b"),
        ('context.Request.Headers.ContainsKey("X-None")', False),
        ('context.Request.Url.Query.GetValueOrDefault("b", "")', "x y"),
        ('context.Request.Url.Query["a"].Length', 2),
        ("context.Request.Url.QueryString", "?a=1&a=2&b=x%20y"),
        ('context.Request.MatchedParameters["id"]', "7"),
        ("context.Request.OriginalUrl.Scheme", "https"),
        ("context.Request.IpAddress", "10.0.0.1"),
        ("context.Response.StatusCode", 404),
        ("context.Elapsed.TotalMilliseconds", 1500.0),
        ("context.RequestId.ToString().Length", 36),
        ('Guid.NewGuid().ToString("N").Length', 32),
        ('context.Subscription?.Id ?? "none"', "none"),
        ("context.Subscription == null", True),
        ('"a,b".Split(\',\').Contains("b")', True),
        ('"a b".Split(\' \').Select(x => x + "!").ToArray()', ["a!", "b!"]),
        ('new [] {"a", "bb", "c"}.Where(x => x.Length == 1).Count()', 2),
        ('new string[] {"a"}.Any(x => x == "b")', False),
        ('"abc".All(x => true)', True),
        ('"Hello".ToLower().Replace("l", "L").Substring(1, 3)', "eLL"),
        ('"  x ".Trim() + "y".PadLeft', None),
        ('string.IsNullOrEmpty("") && !string.IsNullOrWhiteSpace("x")', True),
        ('string.Join("-", new [] {"a", "b"})', "a-b"),
        ('Regex.IsMatch("abc-123", @"^[a-z]+-\\d+$")', True),
        ('Regex.Replace("a1b2", "[0-9]", "")', "ab"),
        ('int.Parse(" 42 ")', 42),
        ("Math.Min(3, Math.Max(1, 2))", 2),
        ('Uri.EscapeDataString("a/b c")', "a%2Fb%20c"),
        ('((Jwt)context.Variables["jwt"]).Subject', "me"),
        ('((Jwt)context.Variables["jwt"]).Claims.GetValueOrDefault("roles", "")', "a,b"),
        ('((Jwt)context.Variables["jwt"]).Claims["roles"].Contains("b")', True),
        ('context.Request.Body.As<JObject>(preserveContent: true)["a"][1]["b"].ToString()', "c"),
        ('(string)context.Request.Body.As<JObject>()["n"]', "2.5"),
        ('(bool)context.Request.Body.As<JObject>()["t"]', True),
        ("context.Request.Body.As<string>().Length > 10", True),
        ("context.Response.Body.As<string>()", "text"),
        (
            'new JObject(new JProperty("a", 1), new JProperty("b", new JArray("x", true))).ToString(Newtonsoft.Json.Formatting.None)',
            '{"a":1,"b":["x",true]}',
        ),
        ('JObject.Parse("{\\"x\\": {}}")["x"].Type == JTokenType.Object', True),
        ('JObject.Parse("{\\"x\\": null}")["x"] == null', False),
        ('JObject.Parse("{\\"x\\": null}")["y"] == null', True),
        ('JObject.Parse("{\\"x\\": null}")["x"].Type == JTokenType.Null', True),
        ('(string)JObject.Parse("{\\"x\\": null}")["x"] == null', True),
        ('JObject.Parse("{\\"x\\": [null]}").ToString(Newtonsoft.Json.Formatting.None)', '{"x":[null]}'),
        ("'a' == \"abc\"[0]", True),
        ('null ?? "x"', None),
    ],
)
def test_expression(expression: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(ExpressionError):
            compile_text(f"@({expression})", "object")
    else:
        assert value(f"@({expression})") == expected


def test_a_block_of_statements() -> None:
    text = """@{
      var found = new JArray();
      var sum = 0;
      foreach (var name in new [] {"a", "b", "c"}) {
        if (name == "b") { continue_not: sum = sum; }
      }
      return found;
    }"""
    with pytest.raises(ExpressionError):
        compile_text(text, "object")
    text = """@{
      // names that are not b, joined
      var kept = new JArray();
      string last = "";
      foreach (string name in new [] {"a", "b", "c"}) {
        if (name != "b") { kept.Add(name); last = name; } else { last = "B"; }
      }
      var result = new JObject();
      result["kept"] = kept;
      result["count"] = kept.Count;
      if (last == "c") { return result.ToString(Newtonsoft.Json.Formatting.None); }
      return last;
    }"""
    assert value(text, "string") == '{"kept":["a","c"],"count":2}'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@(context.Request.Surprise)", "Request.Surprise is not supported; Request has Body"),
        ("@(context.Nothing.Id)", "Context.Nothing is not supported"),
        ("@(nothing)", "'nothing' does not exist"),
        ('@("a" - 1)', "double is needed here, but this is string"),
        ('@(1 == "a")', "int cannot be compared with string"),
        ('@(context.Variables["s"].Length)', "object.Length is not supported"),
        ('@(context.Request.Headers["a"] + "b")', "use string.Join"),
        ('@("a".Substring("b"))', "does not take these arguments"),
        ("@(context.Request.Method ? 1 : 2)", "bool is needed here"),
        ("@(1 +)", "expected an expression"),
        ("@((1)", "expected ')'"),
        ('@($"{1")', "unexpected"),
        ("@{ while (true) { } }", "a block must return a value"),
        ('@($"{1,x}")', "expected a width"),
        ("@{ goto end; }", "'goto' is not supported"),
        ("@{ var x = 1; }", "a block must return a value"),
        ("@{ var x = 1; var x = 2; return x; }", "'x' is already declared"),
        ('@{ int x = "a"; return x; }', "int is needed here"),
        ("@(new XmlDocument())", "XmlDocument is not among the types that may be used"),
        ('@(File.ReadAllText("x"))', "File is not among the types that policy expressions may use"),
        ('@(System.IO.File.ReadAllText("x"))', "File is not among the types"),
        ("@(TimeZoneInfo.Utc)", "the type TimeZoneInfo is not supported"),
        ('@(Environment.GetEnvironmentVariable("x"))', "Environment.GetEnvironmentVariable is not supported"),
        ('@("x".GetType())', "string.GetType is not supported"),
        ("@(context.Request.Body.As<XDocument>())", ""),
        ("@(x => x)", "a lambda may only be an argument"),
        ("@(" + "(" * 200 + "1" + ")" * 200 + ")", "nested deeper"),
        ("@(1) and more", "nothing may follow it"),
        ("@('ab')", "unexpected"),
        ("@(1 § 2)", "unexpected '§'"),
    ],
)
def test_what_is_not_in_the_subset_is_refused_when_compiled(text: str, why: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_text(text, "object")(context())
    assert why in str(caught.value)


def test_the_type_must_be_the_one_that_is_needed() -> None:
    assert compile_text("@(1 == 1)", "bool").type == "bool"
    assert compile_text("12", "int")(context()) == 12
    assert compile_text("True", "bool")(context()) is True
    for text, wanted in (('@("a")', "bool"), ("@(1.5)", "int"), ("x", "int"), ("yes", "bool"), ("@(null)", "int")):
        with pytest.raises(ExpressionError):
            compile_text(text, wanted)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('@((string)context.Variables["none"])', "The given key 'none' was not present"),
        ('@((int)context.Variables["s"])', "unable to cast"),
        ("@(context.Subscription.Id)", "Object reference not set"),
        ('@(context.Request.Headers["none"].First())', "not present"),
        ("@(1 / (1 - 1))", "Attempted to divide by zero"),
        ('@("abc".Substring(5))', "must refer to a location"),
        ('@(int.Parse("x"))', "not in a correct format"),
        ("@(new string[] {}.First())", "no elements"),
        ("@(context.Response.Body.As<JObject>().ToString())", "not valid JSON"),
    ],
)
def test_what_dotnet_would_throw_fails_when_evaluated(text: str, why: str) -> None:
    compiled = compile_text(text, "object")
    with pytest.raises(ExpressionError) as caught:
        compiled(context())
    assert why in str(caught.value)


def test_a_body_that_was_consumed_is_gone() -> None:
    here = context()
    read = compile_text("@(context.Request.Body.As<string>())", "string")
    keep = compile_text("@(context.Request.Body.As<string>(preserveContent: true))", "string")
    assert keep(here) == keep(here) == read(here)
    with pytest.raises(ExpressionError, match="read before"):
        read(here)
    assert here.request.body is not None and here.request.body.content == b""


@given(st.text(max_size=200))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    for form in (f"@({text})", f"@{{{text}}}"):
        try:
            compile_text(form, "object")
        except ExpressionError as exc:
            assert str(exc)


_numbers = st.integers(-50, 50)


@given(
    st.recursive(
        _numbers.map(str),
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        max_leaves=12,
    )
)
def test_arithmetic_is_that_of_whole_numbers_of_32_bits(text: str) -> None:
    assert value(f"@({text})") == (eval(text) + 2**31) % 2**32 - 2**31


def test_a_product_beyond_32_bits_wraps() -> None:
    assert value("@((23 * 23) * ((41 * 43) * (47 * 49)))") == (23 * 23 * 41 * 43 * 47 * 49 + 2**31) % 2**32 - 2**31
