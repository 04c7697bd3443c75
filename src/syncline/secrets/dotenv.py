"""The `.env` file beside an integration file: `NAME=value` lines, nothing expanded.

Values stand bare (up to a ` #`), in single quotes (as they are) or in double quotes (with \\n, \\t, \\r, \\", \\\\ and \\$);
quoted ones may go over several lines. `export` before a name is allowed.
"""

from __future__ import annotations

import re
from pathlib import Path

from syncline.errors import Mistake, SpecError

MAX_BYTES = 1_000_000

# compiled when there is a file: most runs have their secrets from the environment
_LINE = r"""(?xs)[ \t]*(?:
        (?P<blank>(?:\#[^\n]*)?)
      | (?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
        (?: '(?P<single>[^']*)' (?:[ \t]+\#[^\n]*|[ \t]*)
          | "(?P<double>(?:[^"\\]|\\.)*)" (?:[ \t]+\#[^\n]*|[ \t]*)
          | (?P<bare>(?!['"])(?:(?![ \t]\#)[^\n])*) (?:[ \t]\#[^\n]*)? )
    )\r?(?:\n|\Z)"""
_ESCAPE = r"(?s)\\(.)"
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


def parse_dotenv(text: str, name: str = ".env") -> dict[str, str]:
    """The names and values; a later line wins. Raises SpecError with the line of what is not understood, never its text."""
    values: dict[str, str] = {}
    line_at = re.compile(_LINE).match
    at = 0
    while at < len(text):
        match = line_at(text, at)
        if match is None:
            line = text.count("\n", 0, at) + 1
            what = "this is not NAME=value (a quote may be open, or text follows the closing one)"
            raise SpecError(
                f"{name} is not understood",
                mistakes=[Mistake(name, line, 1, "", what)],
                hint="write NAME=value, one a line; quote values that contain spaces and #",
            )
        if match["name"]:
            values[match["name"]] = _value(match)
        at = match.end()
    return values


def _value(match: re.Match[str]) -> str:
    if match["single"] is not None:
        return match["single"]
    if match["double"] is not None:
        return re.sub(_ESCAPE, lambda found: _ESCAPED.get(found[1], found[1]), match["double"])
    return str(match["bare"]).strip()


def read_dotenv(path: Path) -> dict[str, str]:
    """The file's values; none where there is no such file."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}", hint="check its permissions") from None
    if len(content) > MAX_BYTES:
        raise SpecError(f"{path} is larger than {MAX_BYTES:,} bytes", hint="keep only NAME=value lines in it")
    try:
        return parse_dotenv(content.decode("utf-8-sig").replace("\r\n", "\n"), str(path))
    except UnicodeDecodeError:
        raise SpecError(f"{path} is not UTF-8 text", hint="save it as UTF-8") from None
