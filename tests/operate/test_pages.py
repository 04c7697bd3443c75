"""Pages: nothing that an API sends becomes markup, and the account is there to be added up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given, strategies as st

from syncline.engine import Account, Conduct, Report, StreamReport
from syncline.model.units import span
from syncline.operate.pages.charts import Bar, columns, meter, runs_strip
from syncline.operate.pages.html import Html, escape, tag
from syncline.operate.pages.report import report_page
from syncline.operate.pages.words import count

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"' onload=x \x1b[2J \u202e\u0007"


class Reader(HTMLParser):
    """The elements, attributes and text that a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(name)
        self.attributes += [key for key, _ in attributes]

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_report() -> Report:
    stream = StreamReport(
        name=HOSTILE,
        status="failed",
        cursor=HOSTILE,
        notices=[HOSTILE],
        account=Account(read=10, written=6, unchanged=1, rejected=2, filtered=1),
        error={"code": HOSTILE, "what": HOSTILE},
    )
    return Report(
        run_id=HOSTILE,
        integration=HOSTILE,
        status="failed",
        started_at=NOW,
        finished_at=NOW + timedelta(seconds=3),
        streams=[stream],
        conduct=Conduct(requests=12, retries=2, waited=3.5),
        error={"code": HOSTILE, "what": HOSTILE, "hint": HOSTILE, "evidence": HOSTILE, "where": {HOSTILE: HOSTILE}},
    )


def test_s21_what_an_api_sends_is_text_on_a_report() -> None:
    seen = Reader(report_page(hostile_report()))
    assert {"script", "img"} & set(seen.tags) == set()
    assert [name for name in seen.attributes if name.startswith("on")] == []
    assert seen.text.count("<script>alert(1)</script>") >= 9
    assert not re.search("[\x1b\x07\u202e]", seen.text)


@given(st.text())
def test_s21_any_text_comes_back_as_text(text: str) -> None:
    made = tag("p", text, title=text)
    seen = Reader(made)
    assert seen.tags == ["p"]
    assert seen.attributes == ["title"]
    kept = "".join("\ufffd" if character not in seen.text else character for character in text)
    assert len(seen.text) == len(text)
    assert seen.text == kept


def test_markup_that_was_made_here_is_not_escaped_again() -> None:
    assert tag("p", tag("b", "<"), [" & ", None, 3]) == "<p><b>&lt;</b> &amp; 3</p>"
    assert tag("line", x1=1, class_="axis", hidden=True, id=None) == '<line x1="1" class="axis" hidden/>'
    assert isinstance(escape("<"), Html)


def test_u15_a_report_shows_an_account_that_adds_up() -> None:
    text = Reader(report_page(hostile_report())).text
    assert "10 read = 6 written + 1 unchanged + 2 rejected + 1 filtered + 0 in doubt" in text
    wrong = hostile_report()
    wrong.streams[0].account.read = 11
    assert "11 read ≠" in Reader(report_page(wrong)).text


def test_u15_a_report_is_one_file_that_asks_nobody_for_anything() -> None:
    page = report_page(hostile_report())
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=|url\(|@import|https?://", page.replace("img src=x", ""))


def test_u15_a_report_comes_back_from_its_data() -> None:
    report = hostile_report()
    assert Report.from_data(report.to_data()) == report


BARS = [Bar(((place * 10.0, "written"), (place % 3, "rejected")), f"run {place}") for place in range(40)]


@pytest.mark.parametrize("number", [0, 1, 40])
def test_charts_are_drawn_within_their_frame(number: int) -> None:
    drawn = columns(BARS[:number], ("first", "last"))
    width, height = (float(edge) for edge in re.findall(r'viewBox="0 0 (\S+) ([^"]+)"', drawn)[0])
    for box in re.findall(r'<rect x="([-\d.]+)" y="([-\d.]+)" width="([-\d.]+)" height="([-\d.]+)"', drawn):
        x, y, wide, tall = map(float, box)
        assert (x >= -1, y >= -0.1, x + wide <= width + 1, y + tall <= height + 0.1) == (True,) * 4
    assert drawn.count("<title>") == number


@pytest.mark.parametrize("number", [0, 1, 30])
def test_a_strip_of_runs_is_a_path_a_colour(number: int) -> None:
    drawn = runs_strip(BARS[:number], ["good", "bad", "good"][:number] * 10 if number == 30 else ["good"] * number)
    strokes = [tuple(map(float, stroke)) for stroke in re.findall(r"M([-\d.]+) ([-\d.]+)v-([\d.]+)", drawn)]
    assert len(strokes) >= number
    for x, foot, tall in strokes:
        assert (3 <= x <= 187, foot <= 34, foot - tall >= -2) == (True,) * 3
    assert drawn.count("<path") == {0: 0, 1: 1, 30: 4}[number]


def test_a_meter_shows_a_share() -> None:
    assert 'width="75"' in meter(0.5, "good", "half")
    assert meter(0.0, "good", "none").count("<rect") == 1
    assert 'width="150" height="5" rx="2.5" class="fill bad"' in meter(7.0, "bad", "too much")


def test_numbers_as_people_read_them() -> None:
    assert [count(number) for number in (0, 1234, 99_999, 250_000, 1_250_000, 3_000_000_000)] == [
        "0", "1,234", "99,999", "250 k", "1.2 M", "3 G",
    ]  # fmt: skip
    assert [span(seconds) for seconds in (0.42, 59, 600, 7200, 400_000)] == ["0.4 s", "59 s", "10 min", "2 h", "5 days"]
