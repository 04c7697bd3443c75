"""Whom to tell what about an integration, and when to leave them alone."""

import re
from datetime import datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from syncline.model import Duration, Part, Ratio, Text
from syncline.spec.schedule import check_zone

Told = Literal[
    "failed",
    "recovered",
    "stale",
    "dead_letters",
    "empty",
    "volume",
    "schema",
    "credentials",
    "quota",
    "circuit",
]

_QUIET = r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)(?: (\S+))?"


class Alert(Part):
    """Whom to tell what. What is told once is told to be over as well."""

    to: Text = Field(
        description="Where to, by reference: a Slack webhook, smtps://user:password@host/?to=…, pagerduty://KEY, any https:// "
        "webhook, or an address of apprise"
    )
    on: tuple[Told, ...] = Field(default=("failed",), min_length=1, description="What to tell")
    rejects_over: Ratio = Field(
        default=0.0, description="The share of a run's records beyond which rejects are told (dead_letters)"
    )
    quiet: str | None = Field(
        default=None,
        description="Hours in which nothing is sent, and told afterwards what still is: 22:00-07:00 Europe/Paris",
    )
    repeat: Duration | None = Field(default=86_400.0, description="Say again after this time what is not over")

    @field_validator("quiet")
    @classmethod
    def _hours(cls, value: str | None) -> str | None:
        match = re.fullmatch(_QUIET, value) if value is not None else None
        if value is not None and (match is None or match[1] == match[2]):
            raise PydanticCustomError(
                "quiet", "not quiet hours: {value}; write 22:00-07:00 Europe/Paris", {"value": repr(value)}
            )
        if match is not None and match[3]:
            check_zone(match[3])
        return value

    def is_quiet(self, now: datetime) -> bool:
        """Whether nothing may be sent now (aware)."""
        match = re.fullmatch(_QUIET, self.quiet or "")
        if match is None:
            return False
        here = now.astimezone(ZoneInfo(match[3] or "UTC")).time()
        begin, end = time.fromisoformat(match[1]), time.fromisoformat(match[2])
        return begin <= here < end if begin < end else here >= begin or here < end
