"""ISO 8601 durations, as entities files and the administration client write them."""

from __future__ import annotations

import re

FOREVER = 10_675_199.0 * 86_400
"""Seconds; what .NET's longest TimeSpan begins with. A time this long or longer is told as for ever."""
_FOREVER_TEXT = "P10675199DT2H48M5.4775807S"
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


def seconds(text: str) -> float:
    """Raises ValueError for what is no duration. Years, months and weeks are not durations of a known length."""
    match = _DURATION.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as PT1M")
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return min(FOREVER, days * 86_400 + hours * 3600 + minutes * 60 + rest)


def duration(value: float) -> str:
    """Seconds → ISO 8601."""
    if value >= FOREVER:
        return _FOREVER_TEXT
    days, rest = divmod(value, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(hours, "H"), (minutes, "M"), (rest, "S")]
    time = "".join(f"{number:.7g}{unit}" for number, unit in parts if number)
    date = f"{days:.0f}D" if days else ""
    return f"P{date}" + (f"T{time}" if time or not date else "") + ("0S" if not time and not date else "")
