"""What was measured, kept part by part, so that a long measurement may be made in several goes."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from measure import Usage
from programs import PROGRAMS, Program


@dataclass(frozen=True)
class Run:
    records: int
    usage: Usage


@dataclass(frozen=True)
class Latency:
    """Rows of `latency.Hidden` and `latency.Followed`, all rounds behind each other."""

    hidden: list[Any]
    followed: list[Any]


Round = dict[Program, Run]
"""What each program took in one round."""


class Results:
    """By part: what was found, the day, and the load of the machine, which says how far to trust it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.parts: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        self._load = os.getloadavg()[0]

    def keep(self, part: str, found: Any) -> None:
        plain = list(map(_plain, found)) if isinstance(found, list) else _plain(found)
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        self.parts[part] = {"found": plain, "day": today, "load": self._load}

    def keep_work(self, destination: str, rounds: Sequence[Round], *, append: bool) -> None:
        part = f"work {destination}"
        before = self.parts[part]["found"] if append and part in self.parts else []
        self.keep(part, [{program.name: asdict(run) for program, run in one.items()} for one in rounds])
        self.parts[part]["found"] = before + self.parts[part]["found"]

    def work(self, destination: str) -> list[Round]:
        """The rounds into one destination; none where nothing was measured."""
        programs = {one.name: one for one in PROGRAMS if one.destination == destination}
        return [
            {programs[name]: Run(run["records"], Usage(**run["usage"])) for name, run in one.items()}
            for one in self.found(f"work {destination}") or []
        ]

    def found(self, part: str) -> Any:
        return self.parts[part]["found"] if part in self.parts else None

    def save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self.parts, indent=1))


def _plain(one: Any) -> Any:
    return asdict(one) if is_dataclass(one) and not isinstance(one, type) else one
