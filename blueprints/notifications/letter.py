"""A fact becomes an e-mail: subject, text and HTML, in the recipient's language, which says how money and days look."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from blueprints.notifications.domain import Mail
from blueprints.notifications.words import BY_LANGUAGE, HTML
from shared.clock import parse_timestamp
from shared.contracts.accounts import Language
from shared.money import Money

if TYPE_CHECKING:
    from jinja2 import Environment, Template

LOCALES: dict[Language, str] = {"en": "en_GB", "de": "de_DE"}


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent."""

    subject: str
    text: str
    html: str


def write(mail: Mail, language: Language) -> Letter:
    """The e-mail in that language. Raises jinja2.UndefinedError where its facts are not those of its kind."""
    template = _environment(language).get_template(mail.kind)
    facts = {field.name: getattr(mail.facts, field.name) for field in fields(mail.facts)}
    given = {name: value for name, value in {"at": mail.created_at, **facts}.items() if value not in ("", None)}
    context = template.new_context(given)
    subject, body = ("".join(template.blocks[name](context)) for name in ("subject", "body"))
    subject = " ".join(subject.split())
    paragraphs = [" ".join(part.split()) for part in body.split("\n\n") if part.strip()]
    html = _html().render(language=language, subject=subject, paragraphs=paragraphs)
    return Letter(subject, "\n\n".join(paragraphs) + "\n", html)


@cache
def _environment(language: Language) -> Environment:
    """What the words are rendered in: as plain text. The HTML around them escapes."""
    from babel.dates import format_date, format_datetime
    from babel.numbers import format_currency, get_currency_precision
    from jinja2 import DictLoader, Environment, StrictUndefined

    locale = LOCALES[language]

    def money(amount: Money) -> str:
        exact = Decimal(amount.amount).scaleb(-get_currency_precision(amount.currency))
        return str(format_currency(exact, amount.currency, locale=locale))

    def day(moment: str) -> str:
        return str(format_date(parse_timestamp(moment), format="long", locale=locale))

    def moment(at: str) -> str:
        return str(format_datetime(parse_timestamp(at), format="d MMMM y, HH:mm 'UTC'", locale=locale))

    words = DictLoader(BY_LANGUAGE[language])
    environment = Environment(loader=words, undefined=StrictUndefined)  # noqa: S701 - what it makes is plain text
    environment.filters |= {"money": money, "day": day, "moment": moment}
    return environment


@cache
def _html() -> Template:
    from jinja2 import Environment

    return Environment(autoescape=True).from_string(HTML)
