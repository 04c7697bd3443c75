"""The `.env` file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from syncline.errors import SpecError
from syncline.secrets.dotenv import parse_dotenv, read_dotenv

FILE = """\
# a comment
A=plain
export B = spaces around # and a comment
C='single # $HOME \\n stays'
D="double \\"quoted\\" \\n line"   # comment
E=a#b$c=d
F=
G="-----BEGIN KEY-----
abc
-----END KEY-----"
A=later wins
"""


def test_the_ways_to_write_a_value() -> None:
    assert parse_dotenv(FILE) == {
        "A": "later wins",
        "B": "spaces around",
        "C": "single # $HOME \\n stays",
        "D": 'double "quoted" \n line',
        "E": "a#b$c=d",
        "F": "",
        "G": "-----BEGIN KEY-----\nabc\n-----END KEY-----",
    }


def test_windows_line_ends_and_no_last_newline(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfA=1\r\nB='2'\r\n\r\nC=3")
    assert read_dotenv(tmp_path / ".env") == {"A": "1", "B": "2", "C": "3"}


@pytest.mark.parametrize("bad", ["canary-secret", "1A=canary-secret", "A-B=canary-secret", "A='canary-secret", 'A="canary-secret',
                                 "A='canary-secret' more"])  # fmt: skip
def test_what_is_not_understood_is_named_by_line_and_never_shown(bad: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_dotenv(f"A=1\n\n{bad}\nB=2\n")
    assert caught.value.mistakes[0].line == 3
    assert "canary" not in caught.value.block()


def test_there_need_not_be_one(tmp_path: Path) -> None:
    assert read_dotenv(tmp_path / ".env") == {}


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), st.text().filter(lambda t: "\r" not in t)
    )
)
def test_quoted_values_come_back_as_they_were(values: dict[str, str]) -> None:
    lines = []
    for name, value in values.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'{name}="{escaped}"\n')
    assert parse_dotenv("".join(lines)) == values
