"""What the runs say, for people: a table for the terminal, a page and charts for the documents."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

from measure import Usage
from programs import Program

HERE = Path(__file__).parent
OURS = "syncline"
BUSY = 0.5
PACKAGES = {"dlt": "dlt", "airbyte": "airbyte-cdk", "singer": "singer-sdk", "loop": "httpx"}


@dataclass(frozen=True)
class Run:
    records: int
    usage: Usage

    @property
    def per_cpu_second(self) -> float:
        return self.records / self.usage.cpu

    @property
    def per_second(self) -> float:
        return self.records / self.usage.wall

    @property
    def megabytes(self) -> float:
        return self.usage.memory / 1e6


@dataclass(frozen=True)
class Conditions:
    """`pace` in records per second that the server gives by itself; `load` is the machine's load average before the start."""

    pace: float
    load: float


Runs = dict[str, list[Run]]
Measure = Callable[[Run], float]


def line(run: Run) -> str:
    return (
        f"{run.records:>7,} records  {run.per_second:>7,.0f}/s  {run.per_cpu_second:>7,.0f} per CPU second  "
        f"{run.usage.cpu:6.2f} CPU s  {run.megabytes:4.0f} MB"
    )


def calmest(runs: Sequence[Run], measure: Measure) -> float:
    """The figure of the best round: whatever else runs on a machine only ever takes away."""
    return max(map(measure, runs))


def ratio(runs: Runs, name: str, measure: Measure) -> str:
    """How many times as much Syncline does, best round against best round, and the spread within the rounds."""
    if name == OURS or OURS not in runs:
        return ""
    each = [measure(ours) / measure(theirs) for ours, theirs in zip(runs[OURS], runs[name], strict=True)]
    spread = f" ({min(each):.1f}–{max(each):.1f})" if len(each) > 1 else ""
    best = calmest(runs[OURS], measure) / calmest(runs[name], measure)
    return f"{best:.1f} ×{spread}"


def rows(programs: Sequence[Program], runs: Runs) -> list[list[str]]:
    head = [
        "program",
        "records",
        "records/s",
        "per CPU s",
        "CPU s per 100,000",
        "peak MB",
        "Syncline, CPU",
        "Syncline, wall",
    ]
    body = []
    for program in programs:
        measured = runs.get(program.name)
        if not measured:
            continue
        per_cpu = calmest(measured, lambda run: run.per_cpu_second)
        body.append(
            [
                program.name,
                f"{measured[0].records:,}",
                f"{calmest(measured, lambda run: run.per_second):,.0f}",
                f"{per_cpu:,.0f}",
                f"{100_000 / per_cpu:.1f}",
                f"{max(run.megabytes for run in measured):.0f}",
                ratio(runs, program.name, lambda run: run.per_cpu_second),
                ratio(runs, program.name, lambda run: run.per_second),
            ]
        )
    return [head, *body]


def text(programs: Sequence[Program], runs: Runs) -> str:
    table = rows(programs, runs)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        for cells in table
    )


def machine() -> str:
    """Processor, cores, system, Python and SQLite, in one line."""
    model = platform.processor() or platform.machine()
    facts = Path("/proc/cpuinfo")
    if facts.exists() and (found := re.search(r"model name\s*:\s*(.+)", facts.read_text())):
        model = found[1].strip()
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


def versions() -> str:
    """The peers' versions, from their pinned requirements."""
    found = []
    for file, package in PACKAGES.items():
        pinned = (HERE / "requirements" / f"{file}.txt").read_text()
        found += [f"{package} {match}" for match in re.findall(rf"^{package}==(\S+)", pinned, re.MULTILINE)]
    return ", ".join(found)


def chart(title: str, bars: Sequence[tuple[str, float]]) -> str:
    """Horizontal bars as SVG, readable on light and dark pages; the first word of a bar's name decides its colour."""
    top, height, left, width = 44, 30, 110, 460
    longest = max(value for _, value in bars)
    drawn = []
    for number, (name, value) in enumerate(bars):
        y = top + number * height
        length = max(1.0, width * value / longest)
        kind = "ours" if name == OURS else "limit" if name.startswith("limit") else "peer"
        drawn.append(
            f'<text x="{left - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="{kind}" x="{left}" y="{y + 2}" width="{length:.1f}" height="20" rx="2"/>'
            f'<text x="{left + length + 8:.1f}" y="{y + 16}">{value:,.0f}</text>'
        )
    total = top + len(bars) * height + 8
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 {total}" role="img" aria-label="{escape(title)}">
<style>
text {{ font: 14px system-ui, sans-serif; fill: #24292f }} .title {{ font-weight: 600 }}
.ours {{ fill: #0b7a75 }} .limit {{ fill: #8a939c }} .peer {{ fill: #c9a227 }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} .ours {{ fill: #2bb3ab }} }}
</style>
<text class="title" x="8" y="24">{escape(title)}</text>
{chr(10).join(drawn)}
</svg>
"""


PAGE = """# Benchmarks

The same work for everybody, in one go, on one machine: orders of about 1 KB, 100 a page behind a cursor, from a local
server, mapped to 20 fields of which 10 are nested (and one amount turned to cents), written to SQLite; Airbyte writes its
message stream instead. Start-up is included. After every run the rows are compared with what must have arrived, by number
and by a checksum over all their values.

{table}

The best of {rounds} interleaved rounds, since whatever else runs on a machine only ever takes away. The last two columns: how
many times as many records Syncline moved in a second of processor, and of wall clock; in brackets the least and the most
within one round. CPU is the program's with its children,
without the server's. Memory is the peak resident set, summed over the stages of a pipe.

![Records per CPU second](benchmarks/cpu.svg)

![Records per second](benchmarks/wall.svg)

![Peak memory](benchmarks/memory.svg)

## Who takes part

{participants}

Those that run at a small part of the speed get fewer records, as the table says, so that nobody waits for them. Each peer is
set up as its own documentation advises for speed; the head of its file in `benchmarks/programs/` says how.

## Measured

- on {date}, {machine}
- while the machine had a load of {load:.1f} before the first round{busy}
- {versions}
- the server alone gives {pace:,.0f} records a second

Repeat it with `make bench`; `benchmarks/README.md` tells more. This page and its charts are written by
`benchmarks/report.py`.
"""


def write(docs: Path, programs: Sequence[Program], runs: Runs, conditions: Conditions, work: Path) -> None:
    """The page and its charts below `docs`, the raw figures below `work`."""
    images = docs / "benchmarks"
    images.mkdir(parents=True, exist_ok=True)
    charts: list[tuple[str, str, Measure]] = [
        ("cpu", "Records per CPU second (more is better)", lambda run: run.per_cpu_second),
        ("wall", "Records per second (more is better)", lambda run: run.per_second),
        ("memory", "Peak memory in MB (less is better)", lambda run: run.megabytes),
    ]
    for name, title, measure in charts:
        bars = [(program.name, calmest(runs[program.name], measure)) for program in programs]
        (images / f"{name}.svg").write_text(chart(title, bars))
    head, *body = rows(programs, runs)
    table = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    page = PAGE.format(
        table="\n".join(f"| {' | '.join(cells)} |" for cells in table),
        rounds=len(next(iter(runs.values()))),
        participants="\n".join(f"- **{program.name}**: {program.what}" for program in programs),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=machine(),
        versions=versions(),
        pace=conditions.pace,
        load=conditions.load,
        busy=", so others were at work on it" if conditions.load > BUSY else "",
    )
    (docs / "benchmarks.md").write_text(page)
    figures = {name: [asdict(run) for run in measured] for name, measured in runs.items()}
    (work / "results.json").write_text(json.dumps(figures, indent=2))
