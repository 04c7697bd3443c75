"""The report as a page: everything that was seen is there, and nothing of it means anything to a browser (S21)."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from syncline.rehearsal.checklist import Checked, Line
from syncline.rehearsal.checklist.kills import Killed, Kills
from syncline.rehearsal.evidence import ActReport, Pass, Rehearsal
from syncline.rehearsal.report import page
from syncline.rehearsal.report.charts import nice
from syncline.rehearsal.report.markup import h
from syncline.rehearsal.simulator.seen import Seen, Struck

HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J"


class Reading(HTMLParser):
    """Elements that are opened and closed, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        assert not any(name == "style" or name.startswith("on") for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def checked(word: str = "orders", *, failing: bool = False) -> Checked:
    """A check of everything that there is, in which every text is this word."""
    seen = [
        Seen(number=n, at=n / 10, kind="page", method="GET", path=f"/{word}", status=200, records=10) for n in range(9)
    ]
    seen[3] = Seen(number=3, at=0.3, kind="page", method="GET", path=f"/{word}", status=503, fault=word)
    struck = Struck(fault=word, line=word, at=0.3, request=3, status=503, asked_again=4, after=0.1, became=word)
    limits = [{"limit": "20/s", "amount": 20, "per": 1.0, "highest": 9, "counted": word}]
    run = Pass(exit_code=0, began=0.0, ended=1.0, quiet=True)
    lines = [
        Line(name="limits", what=word, status="held", evidence=(word, f"{{{word}"), again=word),
        Line(name="alerts", what=word, status="failed" if failing else "not applicable", evidence=(word,), fix=word),
    ]
    return Checked(
        file=word,
        integration=word,
        seed=1,
        started_at=datetime(2026, 11, 26, tzinfo=UTC),
        streams=(word,),
        lines=tuple(lines),
        acts=[
            ActReport(name=f"pages: {word}", seed=1, passes=[run], seen=seen, limits=limits, requests=9),
            ActReport(
                name=word, seed=1, passes=[run], seen=seen, struck=[struck], faults=[{"kind": word}], problems=[word]
            ),
        ],
        kills=Kills(killed=(Killed(station=word, stream=word, died=True, must_resume=(word,), resumed=(word,)),)),
        instead=(word,),
        guessed={word: (word,)},
    )


def test_everything_is_on_the_page() -> None:
    text = Reading(page(checked())).text
    for said in ("ready for production", "Throughput", "Requests against the limit", "Faults, and what became of each"):
        assert said in text
    assert "Killed, and run again" in text
    assert "503" not in text  # the fault's own word is shown
    assert "2 of 2" in text


def test_a_line_that_failed_makes_it_not_ready() -> None:
    text = Reading(page(checked(failing=True))).text
    assert "not ready: 1 of 2 lines does not hold" in text


def test_s21_nothing_hostile_gets_through() -> None:
    text = page(checked(HOSTILE, failing=True))
    assert Reading(text).names.count("script") == 0
    assert "\x1b" not in text
    assert "alert(1)" in Reading(text).text


def test_s21_the_policy_lets_in_the_pages_own_style_and_nothing_else() -> None:
    text = page(checked())
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{digest}&#x27;" in text
    assert not re.search(r"\b(?:src|href)=|url\(", text)
    assert "prefers-color-scheme: dark" in style[1]


def test_attributes_are_escaped_too() -> None:
    assert h("p", HOSTILE, class_='" onclick="x') == (
        '<p class="&quot; onclick=&quot;x">&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;\ufffd[2J</p>'
    )


@pytest.mark.parametrize(("value", "round_one"), [(0.0, 0), (0.3, 0.5), (1, 1), (23, 25), (99, 100), (1950, 2000)])
def test_axes_end_at_round_numbers(value: float, round_one: float) -> None:
    assert nice(value) == pytest.approx(round_one, abs=1e-6)


def test_a_rehearsal_that_nobody_judged_is_a_page_too() -> None:
    acts = [*checked().acts, ActReport(name="kill: nowhere", seed=1)]
    rehearsal = Rehearsal(integration="orders", seed=1, started_at=datetime(2026, 11, 26, tzinfo=UTC), acts=acts)
    text = Reading(page(rehearsal)).text
    assert "1 of 3 acts do not hold" in text
    assert "Checklist" not in text
