"""Nothing known is shown."""

from __future__ import annotations

import base64
import json
import textwrap
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, strategies as st

from syncline.errors import Mistake, SpecError, SynclineError
from syncline.model import Secret
from syncline.secrets import Redactor
from syncline.secrets.redactor import FEW

CANARY = 'cAnArY/7+"é\\&= x'


def knowing(*values: str) -> Redactor:
    redactor = Redactor()
    for value in values:
        redactor.add(Secret(value))
    return redactor


@pytest.mark.parametrize(
    "shown",
    [
        CANARY,
        f"GET https://x.example/?{urlencode({'key': CANARY})}",
        quote(CANARY),
        quote(CANARY, safe=""),
        json.dumps({"key": CANARY}),
        json.dumps({"key": CANARY}, ensure_ascii=False),
        repr({"key": CANARY}),
    ],
)
def test_s9_a_value_is_found_in_every_spelling(shown: str) -> None:
    cleaned = knowing(CANARY).text(f"before {shown} after")
    assert "***" in cleaned
    assert "cAnArY" not in cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")


@given(st.text(min_size=0, max_size=5), st.text(min_size=8, max_size=40), st.text(min_size=0, max_size=5))
def test_s9_a_value_is_found_within_base64(user: str, value: str, rest: str) -> None:
    raw = f"{user}:{value}{rest}".encode()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert "***" in knowing(value).text(f"Basic {encode(raw).decode()}")


def test_short_values_are_left() -> None:
    assert knowing("", "abc").text("abc abc") == "abc abc"


def test_the_longest_value_goes_first() -> None:
    assert knowing("token", "token-and-more").text("a token-and-more b token") == "a *** b ***"


def test_lines_of_a_key_are_found_alone() -> None:
    line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ"
    assert line not in knowing(f"-----BEGIN-----\n{line}\n-----END-----").text(f"parsing {line} failed")


def test_data_is_redacted_within() -> None:
    redactor = knowing("secret-1")
    data = {"a": ["x secret-1", 5, None], "secret-1": Secret("other")}
    assert redactor.data(data) == {"a": ["x ***", 5, None], "***": "***"}


def test_s9_errors_are_redacted_before_their_lines_are_broken() -> None:
    value = "v" * 300
    error = SynclineError(f"what {value}", hint=value, evidence=value, cause=value, path=value)
    shown = knowing(value).error(error).block()
    assert "vvv" not in shown
    assert shown.count("***") == 5
    assert "vvv" in "".join(textwrap.wrap(value, 100))
    spec = SpecError("x", mistakes=[Mistake("f", 1, 1, "path", f"bad {value}")])
    assert knowing(value).error(spec).mistakes[0].what == "bad ***"


def test_of_values_that_pass_the_last_thousand_are_known_and_no_more_memory_is_taken() -> None:
    redactor = knowing("lasting-secret")
    for number in range(3_000):
        redactor.add_passing(Secret(f"token-{number:06}-value"))
        redactor.add_passing("token-000000-value")  # still in use
    shown = redactor.text("token-000000-value token-001000-value token-002999-value lasting-secret")
    assert shown == "*** token-001000-value *** ***"
    assert len(redactor._shown_by) < 1_001 * 12


def test_a_value_that_passes_and_lasts_is_known_for_good() -> None:
    redactor = knowing("both-of-them")
    redactor.add_passing("both-of-them")
    for number in range(1_001):
        redactor.add_passing(f"another-{number}")
    assert redactor.text("both-of-them") == "***"


OTHERS = [f"{number:04}-other" for number in range(2 * FEW)]
"""With these, values are looked for as they are where there are many."""


@pytest.mark.parametrize("others", [[], OTHERS], ids=["few", "many"])
@given(st.lists(st.text("ab", min_size=4, max_size=7), max_size=8), st.text("abc", max_size=60))
def test_what_is_known_is_taken_out_from_left_to_right_the_longest_first(
    others: list[str], values: list[str], text: str
) -> None:
    expected, place = "", 0
    while place < len(text):
        here = max((value for value in values if text.startswith(value, place)), key=len, default="")
        expected += "***" if here else text[place]
        place += len(here) or 1
    assert knowing(*others, *values).text(text) == expected
