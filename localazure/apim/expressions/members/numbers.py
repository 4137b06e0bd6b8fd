"""Numbers, Math, Convert, Random and Guid."""

from __future__ import annotations

import base64
import binascii
import math
import random
import re
import uuid
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from localazure.apim.expressions.failures import Thrown, bounded, throw
from localazure.apim.expressions.jtoken import JValue
from localazure.apim.expressions.table import declare, enumeration
from localazure.apim.expressions.times import DateTime
from localazure.apim.expressions.values import format_value, guid, text

_BOUNDS = {"byte": (0, 255), "short": (-0x8000, 0x7FFF), "int": (-(1 << 31), (1 << 31) - 1)}
_BOUNDS["long"] = (-(1 << 63), (1 << 63) - 1)
_FLOAT = re.compile(r"\s*[-+]?(\d[\d,]*\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_NAMES = {"byte": "an unsigned byte", "short": "an Int16", "int": "an Int32", "long": "an Int64"}
enumeration("MidpointRounding", ToEven=ROUND_HALF_EVEN, AwayFromZero=ROUND_HALF_UP)
enumeration("NumberStyles", Any=0, Integer=0, Float=0, HexNumber=16)
declare("CultureInfo", {"static CultureInfo InvariantCulture": lambda: None})


def _format_error(value: Any) -> Any:
    throw("FormatException", f"Input string was not in a correct format: {str(value)[:40]!r}")


def whole(value: str | None, type_: str, base: int = 10) -> int:
    """Parse of the whole numbers."""
    if value is None:
        throw("ArgumentNullException", "Value cannot be null.")
    pattern = r"\s*[-+]?\d+\s*" if base == 10 else r"\s*[0-9A-Fa-f]+\s*"
    if not re.fullmatch(pattern, value, re.ASCII) or len(value) > 400:
        return int(_format_error(value))
    return in_range(int(value, base), type_)


def in_range(value: int, type_: str) -> int:
    low, high = _BOUNDS[type_]
    if not low <= value <= high:
        throw("OverflowException", f"Value was either too large or too small for {_NAMES[type_]}.")
    return value


def real(value: str | None) -> float:
    """double.Parse."""
    if value is None:
        throw("ArgumentNullException", "Value cannot be null.")
    special = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    if value.strip() in special:
        return special[value.strip()]
    if not _FLOAT.fullmatch(value):
        return float(_format_error(value))
    return float(value.replace(",", ""))


def _decimal(value: str | None) -> Decimal:
    if value is None:
        throw("ArgumentNullException", "Value cannot be null.")
    try:
        return Decimal(value.strip().replace(",", ""))
    except InvalidOperation:
        return Decimal(_format_error(value))


def _tried(parse: Any, zero: Any) -> Any:
    def attempt(value: str | None, *_: Any) -> tuple[bool, Any]:
        try:
            return True, parse(value)
        except ValueError:
            return False, zero

    return attempt


for _type in ("byte", "short", "int", "long", "double", "decimal"):
    _zero: Any = {"double": 0.0, "decimal": Decimal(0)}.get(_type, 0)
    if _type == "double":
        _parse: Any = real
    elif _type == "decimal":
        _parse = _decimal
    else:
        _parse = lambda value, type_=_type: whole(value, type_)  # noqa: E731
        declare(
            _type,
            {
                f"static {_type} Parse(string, NumberStyles)": lambda value, style, type_=_type: whole(
                    value, type_, style or 10
                )
            },
        )
    declare(
        _type,
        {
            f"static {_type} Parse(string)": _parse,
            f"static {_type} Parse(string, CultureInfo)": lambda value, _, parse=_parse: parse(value),
            f"static bool TryParse(string, out {_type})": _tried(_parse, _zero),
            f"static bool TryParse(string, NumberStyles, CultureInfo, out {_type})": _tried(_parse, _zero),
            "string ToString(string)": format_value,
            "string ToString(CultureInfo)": lambda value, _: text(value),
            "string ToString(string, CultureInfo)": lambda value, form, _: format_value(value, form),
            f"int CompareTo({_type})": lambda a, b: (a > b) - (a < b),
            f"bool Equals({_type})": lambda a, b: a == b,
        },
    )
for _type, (_low, _high) in _BOUNDS.items():
    declare(
        _type, {f"static {_type} MinValue": lambda low=_low: low, f"static {_type} MaxValue": lambda high=_high: high}
    )
declare(
    "double",
    {
        "static bool IsNaN(double)": math.isnan,
        "static bool IsInfinity(double)": math.isinf,
        "static double MaxValue": lambda: 1.7976931348623157e308,
        "static double MinValue": lambda: -1.7976931348623157e308,
        "static double NaN": lambda: math.nan,
        "static double PositiveInfinity": lambda: math.inf,
    },
)


def rounded(value: float | Decimal, digits: int = 0, mode: str = ROUND_HALF_EVEN) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return value
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    made = exact.quantize(Decimal(1).scaleb(-digits), rounding=mode)
    return float(made) if isinstance(value, float) else made


def _power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


for _type in ("int", "long", "double", "decimal"):
    declare(
        "Math",
        {
            f"static {_type} Min({_type}, {_type})": min,
            f"static {_type} Max({_type}, {_type})": max,
            f"static {_type} Abs({_type})": abs,
            f"static int Sign({_type})": lambda value: (value > 0) - (value < 0),
            f"static {_type} Clamp({_type}, {_type}, {_type})": lambda value, low, high: min(max(value, low), high),
        },
    )
for _type in ("double", "decimal"):
    declare(
        "Math",
        {
            f"static {_type} Floor({_type})": lambda value: type(value)(math.floor(value)),
            f"static {_type} Ceiling({_type})": lambda value: type(value)(math.ceil(value)),
            f"static {_type} Truncate({_type})": lambda value: type(value)(math.trunc(value)),
            f"static {_type} Round({_type})": rounded,
            f"static {_type} Round({_type}, int)": rounded,
            f"static {_type} Round({_type}, MidpointRounding)": lambda value, mode: rounded(value, 0, mode),
            f"static {_type} Round({_type}, int, MidpointRounding)": rounded,
        },
    )
declare(
    "Math",
    {
        "static double Pow(double, double)": _power,
        "static double Sqrt(double)": lambda value: math.sqrt(value) if value >= 0 else math.nan,
        "static double Log(double)": lambda value: (
            math.log(value) if value > 0 else -math.inf if not value else math.nan
        ),
        "static double Log10(double)": lambda value: math.log10(value) if value > 0 else -math.inf,
        "static double Exp(double)": lambda value: _power(math.e, value),
        "static double Sin(double)": math.sin,
        "static double Cos(double)": math.cos,
        "static double PI": lambda: math.pi,
        "static double E": lambda: math.e,
    },
)

# Convert


def _to_whole(value: Any, type_: str) -> int:
    if isinstance(value, JValue):
        value = value.value
    if value is None:
        return 0
    if isinstance(value, str):
        return whole(value, type_)
    if isinstance(value, float | Decimal):
        if isinstance(value, float) and not math.isfinite(value):
            throw("OverflowException", "Value was either too large or too small.")
        return in_range(int(rounded(value)), type_)
    if isinstance(value, bool | int):
        return in_range(int(value), type_)
    raise Thrown("InvalidCastException", "Unable to cast object to IConvertible.")


def _to_bool(value: Any) -> bool:
    if isinstance(value, JValue):
        value = value.value
    if isinstance(value, str):
        if value.strip().lower() not in {"true", "false"}:
            throw("FormatException", f"String {value!r} was not recognized as a valid Boolean.")
        return value.strip().lower() == "true"
    return bool(value)


def _to_double(value: Any) -> float:
    held = value.value if isinstance(value, JValue) else value
    return real(held) if isinstance(held, str) else float(held or 0)


def _to_decimal(value: Any) -> Decimal:
    held = value.value if isinstance(value, JValue) else value
    if isinstance(held, str):
        return _decimal(held)
    return Decimal(repr(held)) if isinstance(held, float) else Decimal(held or 0)


def from_base64(value: str | None) -> bytes:
    if value is None:
        throw("ArgumentNullException", "Value cannot be null.")
    try:
        return base64.b64decode(re.sub(r"[ \t\r\n]", "", value).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        throw("FormatException", "The input is not a valid Base-64 string.")


def _in_base(value: int, base: int) -> str:
    number = value if value >= 0 else value + (1 << 32 if value >= -(1 << 31) else 1 << 64)
    forms = {2: "b", 8: "o", 10: "d", 16: "x"}
    return (
        format(value if base == 10 else number, forms[base])
        if base in forms
        else throw("ArgumentException", "Invalid Base.")
    )


def _from_base(value: str, base: int, type_: str) -> int:
    plain = value.removeprefix("0x").removeprefix("0X") if base == 16 else value
    try:
        number = int(plain, base)
    except ValueError:
        return int(_format_error(value))
    high = _BOUNDS[type_][1]
    return number - 2 * (high + 1) if number > high and type_ != "byte" else in_range(number, type_)


for _name, _type in (
    ("Byte", "byte"),
    ("Int16", "short"),
    ("Int32", "int"),
    ("Int64", "long"),
    ("UInt32", "long"),
    ("UInt64", "long"),
    ("UInt16", "int"),
):
    declare(
        "Convert",
        {
            f"static {_type} To{_name}(object)": lambda value, type_=_type: _to_whole(value, type_),
            f"static {_type} To{_name}(char)": ord,
            f"static {_type} To{_name}(string, int)": lambda value, base, type_=_type: _from_base(value, base, type_),
        },
    )
declare(
    "Convert",
    {
        "static bool ToBoolean(object)": _to_bool,
        "static double ToDouble(object)": _to_double,
        "static double ToSingle(object)": _to_double,
        "static decimal ToDecimal(object)": _to_decimal,
        "static char ToChar(int)": lambda value: chr(value % 0x10000),
        "static char ToChar(string)": lambda value: value[0],
        "static string ToString(object)": text,
        "static string ToString(object, CultureInfo)": lambda value, _: text(value),
        "static string ToString(int, int)": _in_base,
        "static string ToString(long, int)": _in_base,
        "static string ToBase64String(byte[])": lambda value: base64.b64encode(value).decode(),
        "static string ToBase64String(byte[], int, int)": lambda value, at, count: base64.b64encode(
            value[at : at + count]
        ).decode(),
        "static byte[] FromBase64String(string)": from_base64,
        "static DateTime ToDateTime(object)": lambda value: (
            value if isinstance(value, DateTime) else DateTime.read(text(value)) or _format_error(value)
        ),
    },
)

# Random and Guid


def _next(held: random.Random, low: int, high: int) -> int:
    if low > high:
        throw("ArgumentOutOfRangeException", "'minValue' cannot be greater than maxValue.")
    return low if low == high else held.randrange(low, high)


def _fill(held: random.Random, content: bytearray) -> None:
    content[:] = held.randbytes(bounded(len(content)))


declare(
    "Random",
    {
        "static Random new()": random.Random,
        "static Random new(int)": random.Random,
        "int Next()": lambda held: _next(held, 0, (1 << 31) - 1),
        "int Next(int)": lambda held, high: _next(held, 0, high),
        "int Next(int, int)": _next,
        "double NextDouble()": lambda held: held.random(),
        "void NextBytes(byte[])": _fill,
    },
)


def _guid(value: str | None) -> uuid.UUID:
    try:
        if value is None or not re.fullmatch(r"[{(]?[0-9A-Fa-f-]{32,36}[)}]?", value.strip()):
            raise ValueError
        return uuid.UUID(value.strip().strip("(){}"))
    except ValueError:
        throw("FormatException", "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).")


declare(
    "Guid",
    {
        "static Guid NewGuid()": uuid.uuid4,
        "static Guid Parse(string)": _guid,
        "static Guid new(string)": _guid,
        "static Guid new(byte[])": lambda value: uuid.UUID(bytes_le=bytes(value)),
        "static bool TryParse(string, out Guid)": _tried(_guid, uuid.UUID(int=0)),
        "static Guid Empty": lambda: uuid.UUID(int=0),
        "string ToString(string)": guid,
        "byte[] ToByteArray()": lambda value: value.bytes_le,
        "bool Equals(Guid)": lambda a, b: a == b,
    },
)
declare("T?", {"T Value": lambda value: value, "T GetValueOrDefault()": lambda value: value})
