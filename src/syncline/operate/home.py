"""The folder beside the data in which everything that is told of runs is kept: reports, log lines, wishes, open alerts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec

from syncline.engine import Report
from syncline.events import Noticed, emit
from syncline.secrets import redactor

DEFAULT = Path(".syncline")
KEPT_REPORTS = 100
LOG_SIZE = 10_000_000
"""Bytes of a log file after which it is set aside; one older one is kept."""

_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


class Home:
    """`.syncline` in the folder that runs are started from. Every file is written whole, and for its owner's eyes only."""

    def __init__(self, folder: Path = DEFAULT) -> None:
        self.folder = folder

    def keep_report(self, report: Report) -> Path:
        """Write `runs/NAME/TIME-ID/run.json` and remove the oldest beyond a hundred. Raises OSError."""
        runs = self.folder / "runs" / report.integration
        place = _private(runs / f"{report.started_at.astimezone(UTC):%Y%m%dT%H%M%S}-{report.run_id}")
        write_whole(place / "run.json", _encoder.encode(redactor.data(report.to_data())) + b"\n")
        with os.scandir(runs) as entries:  # a hundred names after every run: no paths are made of those that stay
            names = sorted(entry.name for entry in entries)
        for name in names[:-KEPT_REPORTS]:
            old = runs / name
            for file in old.iterdir():
                file.unlink(missing_ok=True)
            old.rmdir()
        return place / "run.json"

    def try_to_keep_report(self, report: Report) -> None:
        """The same, where a full disk is no reason to fail: the report is in the state as well."""
        try:
            self.keep_report(report)
        except OSError as error:
            emit(Noticed(what=f"the run's report could not be kept: {error}"))

    def log(self, integration: str) -> Path:
        return self.folder / "logs" / f"{integration}.jsonl"

    def add_lines(self, integration: str, lines: list[bytes]) -> None:
        """Append to the integration's log. Raises OSError."""
        path = self.log(integration)
        descriptor = _opened_to_append(path)
        try:
            if os.fstat(descriptor).st_size > LOG_SIZE:
                path.replace(path.with_suffix(".1.jsonl"))
                full, descriptor = descriptor, _opened_to_append(path)
                os.close(full)
            left = memoryview(b"".join(lines))
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)

    def wishes(self) -> Wishes:
        return Wishes(self.folder / "desk")

    def read_json(self, name: str) -> Any:
        """What was kept under this name; None where nothing was, or nothing that can be read."""
        try:
            return msgspec.json.decode(self.folder.joinpath(name).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None

    def write_json(self, name: str, data: Any) -> None:
        """Raises OSError."""
        write_whole(_private(self.folder) / name, _encoder.encode(data))


class Wishes:
    """What people ask of a running server, as files that any shell can make: `desk/NAME.paused`, `desk/NAME.now`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pause(self, integration: str) -> None:
        self._put(f"{integration}.paused")

    def resume(self, integration: str) -> None:
        self._folder.joinpath(f"{integration}.paused").unlink(missing_ok=True)

    def run_now(self, integration: str) -> None:
        self._put(f"{integration}.now")

    @property
    def paused(self) -> frozenset[str]:
        return frozenset(self._names(".paused"))

    def take_run_now(self) -> list[str]:
        """Those that are to run at once; each wish is granted once."""
        names = list(self._names(".now"))
        for name in names:
            self._folder.joinpath(f"{name}.now").unlink(missing_ok=True)
        return names

    def _put(self, name: str) -> None:
        _private(self._folder).joinpath(name).touch(0o600)

    def _names(self, ending: str) -> Iterator[str]:
        if self._folder.is_dir():
            yield from sorted(entry.name.removesuffix(ending) for entry in self._folder.glob(f"*{ending}"))


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file at once: whoever reads it sees the old or the new. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _opened_to_append(path: Path) -> int:
    """Once for every line that somebody may be following, so the folder is made only where it is missing."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        _private(path.parent)
        return os.open(path, flags, 0o600)


def _private(folder: Path) -> Path:
    if not folder.is_dir():
        _private(folder.parent).joinpath(folder.name).mkdir(mode=0o700, exist_ok=True)
    return folder
