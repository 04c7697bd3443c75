"""A whole integration as one value."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from syncline.destinations import Deletes, SchemaPolicy, Target
from syncline.mapping import Mapping, Where
from syncline.model import Duration, Part, Ratio, Text, part_field
from syncline.sources import Endpoint
from syncline.spec.alert import Alert
from syncline.spec.schedule import ScheduleField

LATE = 2.5
"""Intervals of its schedule after which the data is stale, where the file names no target."""

SOON = 300.0
"""Seconds below which nothing is stale by default: a single slow run is no news."""

_VOLUME = r"[1-9][\d_]* records/(hour|day|week|month)"


def _volume(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch(_VOLUME, value):
        raise PydanticCustomError("volume", "not a volume: {value}; write 50000 records/day", {"value": repr(value)})
    return value


class OnReject(Part):
    """What to make of records that do not become rows."""

    keep: bool = Field(default=True, description="Keep each with its reason among the dead letters (syncline rejects)")
    max_ratio: Ratio | None = Field(
        default=None,
        description="More rejects than this share of what was read end the run as partial (exit 5); default: all of them do",
    )


class Stream(Endpoint):
    """One kind of record, from its source to its destination."""

    model_config = ConfigDict(populate_by_name=True)

    where: Where = Field(
        default={}, description="Keep only records with this value (or one of these values) at this path"
    )
    mapping: Mapping | None = Field(default=None, description="Which fields the rows have and where they come from")
    into: Target = Field(default=Target.unsaid(), description="Where the rows go and how they are written")
    schema_: SchemaPolicy = Field(
        default="evolve",
        alias="schema",
        description="New fields become columns (evolve), stop the run (freeze), or are left out (discard)",
    )
    deletes: Deletes | None = Field(
        default=None, description="How records that are gone at the source are noticed, and what becomes of their rows"
    )
    on_reject: OnReject = Field(
        default=OnReject.unsaid(), description="What to make of records that do not become rows"
    )


class Integration(Part):
    """Source, mapping and destination of one integration, with all that it takes to run it in production."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        max_length=60,
        description="The integration's name, the key of sync_state",
    )
    description: str | None = Field(default=None, description="One sentence for people")
    direction: Literal["one-way"] = Field(default="one-way", description="Which way the data goes")
    schedule: ScheduleField | None = Field(
        default=None,
        description="When to run: every 15 minutes · daily at 02:00 Europe/Paris · cron: */15 * * * * · realtime",
    )
    freshness: Duration | None = Field(
        default=None, description="How old the data may become before it counts as stale (default: 2.5 intervals)"
    )
    volume: Annotated[str, BeforeValidator(_volume)] | None = Field(
        default=None, description="What production looks like: 50000 records/day"
    )
    source: part_field("source") = Field(description="Where records come from")  # type: ignore[valid-type]
    streams: tuple[Stream, ...] = Field(min_length=1, description="What is read, one block a kind of record")
    destination: part_field("destination") = Field(description="Where rows go")  # type: ignore[valid-type]
    state: Text | None = Field(
        default=None,
        description="Where the state is kept if the destination is no database: sqlite:///.syncline/state.db (the default), "
        "postgresql://… or any other address of a database",
    )
    tokens: Text | None = Field(
        default=None,
        description="Where tokens are kept, encrypted: a folder (default: .syncline/tokens), postgresql://… for many machines, "
        "or memory",
    )
    alerts: tuple[Alert, ...] = Field(default=(), description="Whom to tell what; sent by syncline serve")

    @field_validator("direction", mode="before")
    @classmethod
    def _direction(cls, value: Any) -> Any:
        if value in ("two-way", "event-driven"):
            raise PydanticCustomError(
                "direction", "{value} is not in this version of Syncline; one-way is", {"value": value}
            )
        return value

    def stream(self, name: str) -> Stream:
        """The stream of this name. Raises KeyError."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise KeyError(name)

    def target(self, now: datetime) -> float | None:
        """Seconds that the data may be old: what the file says, else two and a half intervals, five minutes at least.

        None where neither is known.
        """
        if self.freshness is not None or self.schedule is None:
            return self.freshness
        return max(LATE * self.schedule.interval(now), SOON)

    def state_key(self, stream: Stream) -> str:
        """The stream's row in sync_state: `name.stream`, or `name` alone where there is one stream."""
        return self.name if len(self.streams) == 1 else f"{self.name}.{stream.name}"
