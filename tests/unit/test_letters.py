"""E-mails: every kind in every language, money and days as the language has them, nothing unescaped in the HTML."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints.notifications import domain, letter
from blueprints.notifications.domain import Facts, IllegalTransition, Kind, Mail, Recipient
from blueprints.notifications.words import BY_LANGUAGE
from shared.contracts.accounts import Language
from shared.contracts.orders import CancelReason
from shared.money import Money

KINDS: tuple[Kind, ...] = get_args(Kind)
LANGUAGES: tuple[Language, ...] = get_args(Language)
FACTS = Facts(
    order_id="ord_a",
    total=Money(1_234_530, "GBP"),
    reason="out_of_stock",
    erasure_id="era_a",
    export_id="exp_a",
    due_at="2026-03-08T12:00:00.000Z",
)


def mail(kind: Kind, facts: Facts = FACTS) -> Mail:
    return Mail(f"{kind}:a", "someone", kind, facts, "2026-03-01T12:00:00.000Z", "a", "a")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_in_every_language(kind: Kind, language: Language) -> None:
    written = letter.write(mail(kind), language)
    assert written.subject and "\n" not in written.subject
    assert written.text.endswith("\n") and len(written.text) > 40
    assert "{" not in written.text + written.subject and "None" not in written.text
    assert f'<html lang="{language}">' in written.html
    assert written.text.split("\n\n")[0].strip() in written.html


def test_the_languages_have_words_for_the_same_and_for_nothing_else() -> None:
    assert BY_LANGUAGE.keys() == set(LANGUAGES)
    assert all(words.keys() == set(KINDS) for words in BY_LANGUAGE.values())
    assert letter.write(mail("welcome"), "en").text != letter.write(mail("welcome"), "de").text


@pytest.mark.parametrize(
    ("language", "total", "shown", "day"),
    [
        ("en", Money(1_234_530, "GBP"), "£12,345.30", "1 March 2026"),
        ("de", Money(1_234_530, "EUR"), "12.345,30\N{NO-BREAK SPACE}€", "1. März 2026"),
        ("en", Money(500, "JPY"), "JP¥500", "1 March 2026"),
    ],
)
def test_money_and_days_are_as_the_language_has_them(language: Language, total: Money, shown: str, day: str) -> None:
    text = letter.write(mail("order_confirmed", replace(FACTS, total=total)), language).text
    assert " ".join(shown.split()) in text and day in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_cancellation_is_told_in_words_of_its_own(language: Language) -> None:
    texts = {
        letter.write(mail("order_cancelled", replace(FACTS, reason=reason)), language).text
        for reason in get_args(CancelReason)
    }
    assert len(texts) == len(get_args(CancelReason))


def test_an_erasure_that_is_not_complete_is_not_said_to_be() -> None:
    done, left = (
        letter.write(mail("erasure_done", replace(FACTS, complete=each)), "en").text for each in (True, False)
    )
    assert "not confirmed" in left and "not confirmed" not in done


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_export_says_until_when_it_is_there_and_that_a_share_is_missing(language: Language) -> None:
    whole, part = (
        letter.write(mail("export_ready", replace(FACTS, complete=each)), language).text for each in (True, False)
    )
    assert "12:00 UTC" in whole and "2026" in whole and "exp_a" in whole
    assert len(part) > len(whole)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=20))
def test_nothing_of_a_fact_is_markup(text: str) -> None:
    given_ = f"<script>{text}"
    html = letter.write(mail("order_confirmed", replace(FACTS, order_id=given_)), "en").html
    assert "<script" not in html and "&lt;script" in html


def test_an_e_mail_that_lacks_a_fact_is_not_written() -> None:
    with pytest.raises(Exception, match="undefined"):
        letter.write(mail("order_confirmed", replace(FACTS, order_id="")), "en")


def test_what_is_not_about_orders_or_the_account_needs_consent() -> None:
    silent = Recipient("someone", "a", 1)
    assert [kind for kind in KINDS if not domain.is_wanted(kind, silent)] == ["welcome"]
    assert all(domain.is_wanted(kind, replace(silent, marketing=True)) for kind in KINDS)


def test_an_e_mail_is_sent_once() -> None:
    sent = domain.transition(mail("welcome"), "send")
    for command in ("send", "fail", "drop"):
        with pytest.raises(IllegalTransition, match="welcome:a is sent"):
            domain.transition(sent, command)


def test_pauses_grow_and_a_day_has_an_end() -> None:
    pauses = [domain.pause(attempts) for attempts in range(1, 100)]
    assert pauses == sorted(pauses) and pauses[0] == domain.FIRST_PAUSE and pauses[-1] == domain.MAX_PAUSE
    assert domain.PATIENCE / domain.MAX_PAUSE == 24
