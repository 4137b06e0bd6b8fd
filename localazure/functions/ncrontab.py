"""NCRONTAB expressions: when a timer is due, by the rules of the NCrontab library that Azure's timers use.

They differ from cron's: both day fields must match, names may be cut short, a range that runs backwards is turned
round, and neither `L`, `?`, `#`, `@daily` nor Sunday as 7 exist. Six fields begin with seconds, five with minutes.
Source: NCrontab 3.3 (atifaziz/NCrontab), `CrontabFieldImpl` and `CrontabSchedule`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain

_MONTHS = tuple(calendar.month_name[1:])
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_INTEGER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_YEARS = 400
"""After so many years the calendar repeats itself, days of the week included."""


@dataclass(frozen=True)
class Field:
    """The values one of the six fields may have."""

    first: int
    last: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> tuple[int, ...]:
        """The values that `text` admits, ascending. Raises ValueError."""
        parts = text.split(",") if text.find(",") > 0 else [text]
        return tuple(sorted(set(chain.from_iterable(self._part(part) for part in parts))))

    def _part(self, text: str) -> range:
        every: int | None = None
        if text.find("/") > 0:
            text, _, step = text.partition("/")
            every = max(1, _integer(step))
        if text == "*":
            return range(self.first, self.last + 1, every or 1)
        if text.find("-") > 0:
            start, _, end = text.partition("-")
            low, high = sorted((self._value(start), self._value(end)))
        else:
            low = self._value(text)
            high = low if every is None else self.last
        if low < self.first or high > self.last:
            raise ValueError(f"{text!r} is not between {self.first} and {self.last}")
        return range(low, high + 1, every or 1)

    def _value(self, text: str) -> int:
        if text[:1] in tuple("0123456789"):
            return _integer(text)
        for place, name in enumerate(self.names):
            if text and name.lower().startswith(text.lower()):
                return place + self.first
        raise ValueError(f"{text!r} is not a value here")


_FIELDS = (Field(0, 59), Field(0, 59), Field(0, 23), Field(1, 31), Field(1, 12, _MONTHS), Field(0, 6, _DAYS))


class Expression:
    """A parsed expression. Raises ValueError for text that NCrontab refuses."""

    def __init__(self, text: str) -> None:
        parts = text.split(" ")
        given = [part for part in parts if part]
        self._skipped = 1 if len(given) == 5 else 0
        """How many fields are not written: five begin with minutes."""
        given = ["0"] * self._skipped + given
        if len(given) != 6:
            raise ValueError(f"{text!r} has neither five nor six fields")
        self._values = [field.values(part) for field, part in zip(_FIELDS, given, strict=True)]
        self._seconds, self._minutes, self._hours, self._days, self._months, self._weekdays = self._values

    def __str__(self) -> str:
        written = [_text(field, values) for field, values in zip(_FIELDS, self._values, strict=True)]
        return " ".join(written[self._skipped :])

    @property
    def often(self) -> bool:
        """Whether it is due more than once in every minute."""
        return str(self).endswith("* * * * *") and len(self._seconds) > 1

    def after(self, moment: datetime) -> datetime | None:
        """The first time after `moment` that the expression admits, in whole seconds; None where there is none."""
        start = moment.replace(microsecond=0) + timedelta(seconds=1)
        found = self._time(start.time()) if self._admits(start.date()) else None
        if found is not None:
            return datetime.combine(start.date(), found, start.tzinfo)
        first = time(self._hours[0], self._minutes[0], self._seconds[0])
        for day in self._dates(start.date()):
            return datetime.combine(day, first, start.tzinfo)
        return None

    def _admits(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        return day.month in self._months and day.day in self._days and weekday in self._weekdays

    def _time(self, start: time) -> time | None:
        """The first admitted time of a day that is not before `start`."""
        for hour in (hour for hour in self._hours if hour >= start.hour):
            for minute in self._minutes:
                if (hour, minute) < (start.hour, start.minute):
                    continue
                floor = start.second if (hour, minute) == (start.hour, start.minute) else 0
                second = next((value for value in self._seconds if value >= floor), None)
                if second is not None:
                    return time(hour, minute, second)
        return None

    def _dates(self, after: date) -> Iterator[date]:
        """Admitted days after `after`, as far as dates go."""
        for year in range(after.year, min(after.year + _YEARS, date.max.year) + 1):
            for month in self._months:
                longest = calendar.monthrange(year, month)[1]
                for number in self._days:
                    if number <= longest and (day := date(year, month, number)) > after and self._admits(day):
                        yield day


def _text(field: Field, values: Sequence[int]) -> str:
    """The values as NCrontab writes them: neighbours as a range, all of them as `*`."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    if runs[0][0] == field.first and runs[0][-1] == field.last:
        return "*"
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number")
    return int(text)
