"""Caps: where even a hostile API meets an end."""

from pydantic import Field

from syncline.errors import PaginationError
from syncline.model import Clock, Duration, Part, Size, format_duration, format_size


class Caps(Part):
    """Where one pass over one stream stops an API that does not come to an end. The checkpoint is kept."""

    pages: int = Field(default=1_000_000, ge=1, description="Answers, those of parent streams included")
    records: int = Field(default=100_000_000, ge=1, description="Records in these answers")
    bytes: Size = Field(default=100_000_000_000, description="Bytes of these answers, decompressed")
    time: Duration = Field(default=86_400.0, description="Time from the first answer to the last")
    headers: int = Field(default=256, ge=16, description="Lines that the headers of one answer may have")
    header_size: Size = Field(default=65_536, description="Bytes that one line of the headers may have")


class Spending:
    """What one pass has used of its caps."""

    def __init__(self, caps: Caps, clock: Clock) -> None:
        self._caps, self._clock, self._began = caps, clock, clock.monotonic()
        self._pages = self._records = self._bytes = 0

    def page(self, size: int, records: int) -> None:
        """Count an answer of so many bytes and records. Raises PaginationError beyond a cap."""
        caps = self._caps
        self._pages += 1
        self._records += records
        self._bytes += size
        taken = self._clock.monotonic() - self._began
        if self._pages > caps.pages:
            raise _capped("pages", f"{caps.pages:,} pages")
        if self._records > caps.records:
            raise _capped("records", f"{caps.records:,} records")
        if self._bytes > caps.bytes:
            raise _capped("bytes", format_size(caps.bytes))
        if taken > caps.time:
            raise _capped("time", format_duration(caps.time))


def _capped(name: str, much: str) -> PaginationError:
    return PaginationError(
        f"the API did not come to an end within {much} in one run",
        evidence=f"caps.{name}; everything up to here is written and the checkpoint kept",
        hint=f"run again to go on from there; if the API is honest, raise caps.{name}",
    )
