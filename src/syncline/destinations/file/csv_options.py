"""How CSV is spelled."""

from typing import Literal

from pydantic import Field

from syncline.model import Part

Formulas = Literal["escape", "keep", "reject"]


class Csv(Part):
    """How CSV is spelled."""

    formulas: Formulas = Field(
        default="escape",
        description="Text that a spreadsheet would run as a formula (it begins with = + - @, a tab or a line break): escape puts "
        "an apostrophe before it, reject keeps the row among the rejects, keep writes it as it is. Numbers are never touched.",
    )
    null: Literal["", "\\N", "NULL", "null"] = Field(
        default="",
        description='How no value is spelled. Text that looks the same is put in quotes, empty text too: "".',
    )
    delimiter: Literal[",", ";", "\t", "|"] = Field(default=",", description="What stands between two fields")
    header: bool = Field(default=True, description="Whether the first line names the columns")
    line_end: Literal["crlf", "lf"] = Field(default="crlf", description="How lines end; RFC 4180 says crlf")
    bom: bool = Field(
        default=False, description="Begin with a byte order mark, by which Excel knows that the text is UTF-8"
    )
