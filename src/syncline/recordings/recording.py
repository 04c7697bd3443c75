"""A recording as it lies beside the integration file: JSON that people read and edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from syncline.errors import SpecError, UsageError
from syncline.model import MalformedBody, decode_json, encode_json
from syncline.spec import Integration


class Exchange(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One request and its answer. `request` is method and address below `base_url`; `answer` is JSON, `text` anything else."""

    request: str
    body: Any = None
    status: int = 200
    headers: dict[str, str] = {}
    answer: Any = msgspec.UNSET
    text: str | None = None


class Expected(msgspec.Struct, kw_only=True):
    """What has to come of it: how many records went where, the rows, and the rejects with their reasons."""

    account: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []


class Recording(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one stream was answered. `page_size` is how many records were asked for at once, instead of the file's number."""

    about: str
    stream: str
    base_url: str
    page_size: int | None = None
    exchanges: list[Exchange]
    expect: Expected | None = None

    def dumped(self) -> bytes:
        return msgspec.json.format(encode_json(self), indent=2) + b"\n"


def recordings_folder(file: Path, integration: Integration) -> Path:
    """Where the recordings of an integration lie: `recordings/NAME` beside its file."""
    return file.parent / "recordings" / integration.name


def read_recordings(file: Path, integration: Integration) -> list[tuple[Path, Recording]]:
    """Every recording, in the order of the streams. Raises UsageError where there is none, SpecError for one that is none."""
    folder = recordings_folder(file, integration)
    found = [folder / f"{stream.name}.json" for stream in integration.streams]
    there = [path for path in found if path.is_file()]
    if not there:
        raise UsageError(f"there are no recordings in {folder}", hint=f"syncline test {file} --record")
    return [(path, _read(path)) for path in there]


def _read(path: Path) -> Recording:
    try:
        return msgspec.convert(decode_json(path.read_bytes()), Recording)
    except (OSError, MalformedBody, msgspec.ValidationError) as error:
        raise SpecError(
            f"{path} is not a recording: {error}", hint="record it again: syncline test FILE --record"
        ) from None
