"""What was measured, for people: tables for the terminal, a page and charts for the documents."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import latency
import scale
from charts import Bar, Groups, chart
from programs import DESTINATIONS, LIMIT, OURS, PROGRAMS, Program
from results import Results, Round, Run

HERE = Path(__file__).parent
BUSY = 0.5
PACKAGES = {"dlt": "dlt", "airbyte": "airbyte-cdk", "singer": "singer-sdk", "loop": "httpx"}
HEAD = ["program", "records", "records/s", "per CPU s", "peak MB", "Syncline, CPU", "Syncline, wall"]

Measure = Callable[[Run], float]


def per_cpu_second(run: Run) -> float:
    return run.records / run.usage.cpu


def per_second(run: Run) -> float:
    return run.records / run.usage.wall


def line(run: Run) -> str:
    return (
        f"{run.records:>9,} records  {per_second(run):>7,.0f}/s  {per_cpu_second(run):>7,.0f} per CPU second  "
        f"{run.usage.cpu:6.2f} CPU s  {run.usage.memory / 1e6:4.0f} MB"
    )


def programs_of(rounds: Sequence[Round]) -> list[Program]:
    met = {program for one in rounds for program in one}
    return [program for program in PROGRAMS if program in met]


def of(rounds: Sequence[Round], program: Program) -> list[Run]:
    return [one[program] for one in rounds if program in one]


def beside(rounds: Sequence[Round], program: Program, measure: Measure) -> str:
    """How many times as much Syncline does, the median of the rounds, and the least and the most."""
    each = []
    for one in rounds:
        ours = next((run for other, run in one.items() if other.name == OURS), None)
        if ours is not None and program in one:
            each.append(measure(ours) / measure(one[program]))
    if program.name == OURS or not each:
        return ""
    if program.name == LIMIT:
        return f"**{median(each):.0%}** ({min(each):.0%}–{max(each):.0%})"
    return f"**{median(each):.1f} ×** ({min(each):.1f}–{max(each):.1f})"


def rows(rounds: Sequence[Round]) -> list[list[str]]:
    return [
        [
            program.name,
            f"{runs[0].records:,}",
            f"{median(map(per_second, runs)):,.0f}",
            f"{median(map(per_cpu_second, runs)):,.0f}",
            f"{max(run.usage.memory for run in runs) / 1e6:.0f}",
            beside(rounds, program, per_cpu_second),
            beside(rounds, program, per_second),
        ]
        for program in programs_of(rounds)
        if (runs := of(rounds, program))
    ]


def text(rounds: Sequence[Round]) -> str:
    """A table for the terminal."""
    table = [HEAD, *([cell.replace("**", "") for cell in cells] for cells in rows(rounds))]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in table
    )


def as_markdown(table: Sequence[Sequence[str]]) -> str:
    head, *body = table
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def bars(results: Results, measure: Measure) -> Groups:
    groups = []
    for destination, title in DESTINATIONS.items():
        found = []
        rounds = results.work(destination)
        for program in programs_of(rounds):
            values = list(map(measure, of(rounds, program)))
            kind = {LIMIT: "limit", OURS: "ours"}.get(program.name, "peer")
            name = {LIMIT: "by hand", OURS: "Syncline"}.get(program.name, program.name)
            found.append(Bar(name, median(values), f"{median(values):,.0f}", kind, min(values), max(values)))
        if found:
            groups.append((f"into {title}", found))
    return groups


def latency_part(results: Results, images: Path) -> str:
    found = results.found("latency")
    if found is None:
        return ""
    hidden = [latency.Hidden(**one) for one in found["hidden"]]
    followed = [latency.Followed(**one) for one in found["followed"]]
    table = [["", *(f"{delay} ms, {at_once} at a time" for delay, at_once in latency.SETTINGS)]]
    groups: dict[str, list[Bar]] = {f"{delay} ms, {many} at a time": [] for delay, many in latency.SETTINGS if delay}
    for way in latency.WAYS:
        cells = []
        for delay, at_once in latency.SETTINGS:
            gains = [one.gain for one in hidden if (one.way, one.latency) == (way, delay)]
            cells.append(f"**{median(gains):.1f} ×** ({min(gains):.1f}–{max(gains):.1f})")
            if delay:
                bar = Bar(
                    way, median(gains), f"{median(gains):.1f} ×", "ours", min(gains), max(gains), latency.AIMS[delay]
                )
                groups[f"{delay} ms, {at_once} at a time"].append(bar)
        table.append([way, *cells])
    cells = []
    for delay, _ in latency.SETTINGS:
        shares = [one.share for one in followed if one.latency == delay]
        cells.append(f"**{median(shares):.0%}** ({min(shares):.0%}–{max(shares):.0%})" if delay else "–")
    table.append(["a cursor: of what the latency allows", *cells])
    subtitle = "times as quick as one request after the other; dashed: what it is to be at least"
    (images / "latency.svg").write_text(chart("Latency hidden", subtitle, list(groups.items())))
    return LATENCY.format(pages=latency.PAGES, size=latency.PAGE_SIZE, table=as_markdown(table))


def many_part(results: Results) -> str:
    found = results.found("many")
    if found is None:
        return ""
    each = scale.Each(**found)
    return MANY.format(count=each.count, cpu=each.cpu * 1000, wall=each.wall * 1000, memory=each.memory / 1000)


def memory_part(results: Results, images: Path) -> str:
    found = results.found("memory")
    if found is None:
        return ""
    flat = [scale.Flat(**one) for one in found]
    table = [["into", "10,000 records", "1,000,000 records", "more", "by hand", "more"]]
    groups = []
    for one in flat:
        title = DESTINATIONS[one.destination]
        few, many = one.few / 1e6, one.many / 1e6
        low, high = one.few_by_hand / 1e6, one.many_by_hand / 1e6
        by_hand = [f"{low:.0f} → {high:.0f} MB", f"{high - low:.0f} MB"]
        table.append([title, f"{few:.0f} MB", f"{many:.0f} MB", f"**{many - few:.0f} MB**", *by_hand])
        groups.append(
            (f"into {title}", [Bar("10,000", few, f"{few:.0f} MB", "before"), Bar("1,000,000", many, f"{many:.0f} MB")])
        )
    (images / "memory.svg").write_text(chart("Peak memory", "of the process, by the number of records", groups))
    return MEMORY.format(table=as_markdown(table))


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


PAGE = """# Benchmarks

The same work for everybody, on one machine: orders of about 1 KB, 100 a page behind a cursor, from a local server quicker
than all of them, mapped to 20 fields of which 10 are nested (and one amount turned to cents). *by hand* is a program of the
very same libraries that has no retries, limits, checkpoints, account, rejects or types found out: the limit to come close to.
Syncline runs with everything on, as it is by default. Start-up is part of every run. After each, the rows are compared with
what must have arrived, by number and by a checksum over all their values.

![Records per CPU second](benchmarks/cpu.svg)

![Records per second](benchmarks/wall.svg)

{tables}

The medians of {rounds} interleaved rounds. The last two columns hold Syncline beside each program, per second of CPU and of
wall clock: the median of the ratios within each round, and the least and the most of them. CPU is the program's with its
children, without the servers' (PostgreSQL's work is in the wall clock). Memory is the peak resident set, summed over the
stages of a pipe. Programs that run at a small part of the speed get fewer records, as the tables say, never fewer than
10,000, so that nobody waits for them.
{latency}{many}{memory}
## Who takes part

{participants}

Each peer is set up as its own documentation advises for speed; the head of its file in `benchmarks/programs/` says how.
Airbyte writes to no destination at all: its message stream is what is measured.

## Measured

- {machine}
- {versions}
- {conditions}

Repeat it with `make bench-full`, or a short form with `make bench`; `benchmarks/README.md` tells more, and [what costs
what](performance.md) where the time goes. This page and its charts are written by `benchmarks/report.py`.
"""
LATENCY = """
## Latency

{pages} pages of {size} orders into SQLite, from a server that answers after 0, 20 and 100 ms: how many times as quick as one
request after the other, without the program's start. The last line is a list behind a cursor, beside a program that follows it and
does nothing else.

{table}

![Latency hidden](benchmarks/latency.svg)

How it is done, and what decides how many: [Streams](how-to/streams.md#many-requests-at-once).
"""
MANY = """
## Many integrations

{count:,} integrations of 10 records, each with a SQLite file and a state of its own, by one `syncline run` of their folder:
**{cpu:.1f} ms of CPU** ({wall:.0f} ms of wall clock) and **{memory:.0f} KB** each. Taken off is what the process takes for 10.
"""
MEMORY = """
## Memory

The peak of the process; beside it that of the program by hand. Left to itself, DuckDB keeps what it wrote in memory, and the
program by hand leaves it to itself; [what is left of that](performance.md#memory) with us, and why.

{table}

![Peak memory](benchmarks/memory.svg)
"""


def write(docs: Path, results: Results) -> None:
    """The page and its charts below `docs`, from everything that was measured so far."""
    images = docs / "benchmarks"
    images.mkdir(parents=True, exist_ok=True)
    works = {title: results.work(destination) for destination, title in DESTINATIONS.items()}
    measured = {title: rounds for title, rounds in works.items() if rounds}
    for name, title, measure in (
        ("cpu", "Records per CPU second", per_cpu_second),
        ("wall", "Records per second", per_second),
    ):
        subtitle = "more is better; the thin line is the spread of the rounds"
        if groups := bars(results, measure):
            (images / f"{name}.svg").write_text(chart(title, subtitle, groups))
    tables = [f"### Into {title}\n\n{as_markdown([HEAD, *rows(rounds)])}" for title, rounds in measured.items()]
    counts = {len(of(rounds, program)) for rounds in measured.values() for program in programs_of(rounds)}
    met = {program for rounds in measured.values() for program in programs_of(rounds)}
    order = list(dict.fromkeys((one.name, one.what) for one in PROGRAMS if one in met))
    page = PAGE.format(
        tables="\n\n".join(tables),
        rounds=f"{min(counts)} to {max(counts)}",
        latency=latency_part(results, images),
        many=many_part(results),
        memory=memory_part(results, images),
        participants="\n".join(f"- **{name}**: {what}" for name, what in order),
        machine=machine(),
        versions=versions(),
        conditions=conditions(results),
    )
    (docs / "benchmarks.md").write_text(page)


def conditions(results: Results) -> str:
    days = sorted({part["day"] for part in results.parts.values()})
    load = max(part["load"] for part in results.parts.values())
    busy = ", so others were at work; the ratios within a round bear that better than the figures do"
    return f"on {' and '.join(days)}, at a load of up to {load:.1f} before a part began{busy if load > BUSY else ''}"
