"""What was measured, for people: a line for the terminal, a page and a chart for the documents."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

MEASURED = HERE / "measured.json"
ORDER = ("syncline", "syncline Redis", "aiolimiter", "pyrate-limiter", "none")
NAMES = {"none": "no limiter", "syncline": "syncline", "syncline Redis": "syncline, Redis"}


@dataclass(frozen=True)
class Result:
    """`share` of the allowed rate that was used, `refused` requests that were answered 429."""

    program: str
    kind: str
    rate: int
    processes: int
    share: float
    refused: int
    on: str
    machine: str
    load: float | None = None  # the machine's load average at the end

    @property
    def name(self) -> str:
        return NAMES.get(self.program, self.program)


def share(accepted: list[float], rate: int) -> float:
    """Requests accepted after the first two windows' worth of them, as a share of what the rate allows in that time.

    The first two are left out: a bucket is full at the start, which a pacing client has no use for, and connections are opened.
    """
    first = 2 * rate
    return (len(accepted) - first) / (rate * (accepted[-1] - accepted[first - 1]))


def keep(found: list[Result]) -> None:
    """Put these runs in the place of earlier ones of the same programs against the same servers."""
    same = {(run.program, run.kind, run.rate, run.processes) for run in found}
    others = [run for run in kept() if (run.program, run.kind, run.rate, run.processes) not in same]
    runs = sorted([*others, *found], key=lambda run: (run.rate, run.processes, ORDER.index(run.program), run.kind))
    lines = (json.dumps({**asdict(run), "share": round(run.share, 4)}) for run in runs)
    MEASURED.write_text("[\n  " + ",\n  ".join(lines) + "\n]\n")


def kept() -> list[Result]:
    return [Result(**run) for run in json.loads(MEASURED.read_text())]


def middles(runs: list[Result]) -> list[Result]:
    """One result for all runs of a program against a server: the medians."""
    groups: dict[tuple[str, str, int, int], list[Result]] = {}
    for run in runs:
        groups.setdefault((run.program, run.kind, run.rate, run.processes), []).append(run)
    return [
        Result(
            *of,
            median(run.share for run in same),
            round(median(run.refused for run in same)),
            same[0].on,
            same[0].machine,
        )
        for of, same in groups.items()
    ]


def measured(runs: list[Result]) -> str:
    """When and where each was measured, as a list."""
    places: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        names = places.setdefault((run.on, run.machine), [])
        names += [] if run.name in names else [run.name]
    return "\n".join(f"- {'; '.join(names)}: on {on}, {where}" for (on, where), names in places.items())


def loads(runs: list[Result]) -> str:
    """Between what the load average was, where it was kept."""
    known = [run.load for run in runs if run.load is not None]
    return f"between {min(known)} and {max(known)}"


def refusals(runs: list[Result]) -> str:
    """How many of these runs met none."""
    refused = [run for run in runs if run.refused]
    if not refused:
        return f"not one request was refused in any of these {len(runs)} runs"
    most = max(run.refused for run in refused)
    return f"{len(runs) - len(refused)} of these {len(runs)} runs met no 429, the others {most} at most"


def line(result: Result) -> str:
    return (
        f"{result.rate:>4}/s  {result.processes} process{'es' if result.processes > 1 else '  '}  {result.kind:<15}"
        f"{result.name:<17}{result.share:7.1%} used {result.refused:>6} refused"
        f"  load {result.load}"
    )


def table(runs: list[Result]) -> str:
    """Medians; where there were several runs, from the least to the most as well."""
    kinds = sorted({run.kind for run in runs})
    rows = [["rate", "processes", "limiter", *kinds], ["---:", "---:", "---", *["---:"] * len(kinds)]]
    for (rate, processes), block in groupby(runs, lambda run: (run.rate, run.processes)):
        found = list(block)
        for name in dict.fromkeys(run.name for run in found):
            cells = []
            for kind in kinds:
                same = [run for run in found if (run.name, run.kind) == (name, kind)]
                shares, refused = [run.share for run in same], [run.refused for run in same]
                cell = f"{median(shares):.1%} · {median(refused):g}" if same else "–"
                if len(same) > 1:
                    cell += f" ({min(shares):.1%}–{max(shares):.1%} · {min(refused)}–{max(refused)})"
                cells.append(cell)
            rows.append([f"{rate}/s", str(processes), name, *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def chart(found: list[Result], kind: str) -> str:
    """The share used against one kind of server, as bars with the number of refusals; readable on light and dark pages."""
    left, width, height = 130, 330, 24
    drawn, y = [], 52
    chosen = [result for result in found if result.kind == kind]
    for (rate, processes), block in groupby(chosen, lambda result: (result.rate, result.processes)):
        title = f"{rate} requests a second, {'one process' if processes == 1 else f'{processes} processes'}"
        drawn.append(f'<text class="title" x="8" y="{y + 14}">{title}</text>')
        y += height
        for result in block:
            length = max(1.0, width * min(result.share, 1.0))
            colour = "ours" if result.program.startswith("syncline") else "peer"
            refused = "no 429" if not result.refused else f"{result.refused:,} × 429"
            drawn.append(
                f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{escape(result.name)}</text>'
                f'<rect class="{colour}" x="{left}" y="{y + 2}" width="{length:.1f}" height="18" rx="2"/>'
                f'<text x="{left + width + 10}" y="{y + 15}">{result.share:.1%}</text>'
                f'<text class="{"bad" if result.refused else ""}" x="{left + width + 80}" y="{y + 15}">{refused}</text>'
            )
            y += height
        y += 10
    title = f"Share of the allowed rate used, and refusals ({kind})"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 {y}" role="img" aria-label="{escape(title)}">
<style>
text {{ font: 14px system-ui, sans-serif; fill: #24292f }} .title {{ font-weight: 600 }} .bad {{ fill: #b3261e }}
.ours {{ fill: #0b7a75 }} .peer {{ fill: #c9a227 }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} .bad {{ fill: #ff8a80 }} .ours {{ fill: #2bb3ab }} }}
</style>
<text class="title" x="8" y="24">{escape(title)}</text>
{chr(10).join(drawn)}
</svg>
"""


PAGE = """# Limits

An API allows so many requests in so much time. Syncline means to use nearly all of that and to be refused as little as possible: it
counts in the way that suits every server, keeps 0.4 % away from the edge, and lets every process and machine look at one count.
`docs/how-to/requests.md` tells how to write limits down; this page tells how well they are kept.

## In simulated time

With delays drawn from those measured on a busy machine, event loops that wake up late and a shared memory that takes from 0.2 to
1 ms (a guess, not measured): the least share of three runs · all their refusals. `python -m tests.http.measured` prints this table;
`tests/http/test_limits_measured.py` holds sliding windows and token buckets to at least 99 % and no 429.

{simulated}

## On a machine

![Share of the allowed rate used, and refusals](limits/sliding-window.svg)

The same for [fixed windows](limits/fixed-window.svg) and [token buckets](limits/token-bucket.svg), and all of it in figures:

{table}

Each cell: the share of the allowed rate that was used · the number of requests answered 429, as the median; where there was more
than one run, from the least to the most as well. Six to fourteen seconds' worth of requests, all of which had to be accepted in
the end. The first two seconds' worth is left out of the share, because a bucket is full at the start and connections are opened.

**Read with care.** The peers' figures are one run each, of 2026-11-22, from a page written then, on another machine; what else ran
at the time is not known. Syncline's are two runs each with little else to do, and three runs each through Redis, beside other
work: the load average was {load} on two cores. So the rows of Syncline and of the peers do not compare machine for machine.

In real time {kept}.
The aim of at least 99 % was reached in each cell with one process or SQLite, and not through Redis beside other work.
In runs that were traced, what was missing was time in which the machine ran something else, and time by which requests were
held up: it is counted, so that none comes too early. The shares with Redis were not traced.
In simulated time, where nothing else runs, the table above holds.

Earlier runs of the same day had up to 20 refusals at 500/s from four processes against sliding windows, traced to three causes:

- A process whose change of the shared memory was overtaken waited before its next try, and then tried with what it had read
  before the wait. It was overtaken again, for up to a second, and what it knew of its own late requests came too late.
- Connections being opened made late answers look usual, so that later ones were not counted.
- SQLite by itself waits up to a tenth of a second for a lock that is held for a tenth of a millisecond.

With and without these, in turns within the same minutes, 500/s from four processes against a sliding window (five runs of six
seconds each, load 4.9 to 6.7; medians · refusals of all five): over SQLite 99.2 % · 0 now, 98.7 % · 1 before; over Redis 97.4 % · 0
now, 79.0 % · 7 before. It costs processor time: paced requests look at the shared memory more often than the unpaced ones of
2026-11-22 (97.4 % · 28 and 73.3 % · 27 in the same comparison), so that everything together takes about 1.6 times as much.

## Who takes part

- **syncline**: `rate_limit: {{limits: [50/s]}}`; four processes with `shared: limits.db` and with `shared: redis://…`.
- **aiolimiter**: `AsyncLimiter(50, 1)`; it cannot be shared, so each of four processes gets a quarter of the rate.
- **pyrate-limiter**: `Limiter(Rate(50, Duration.SECOND))`; four processes share its SQLite bucket with a file lock.
- **no limiter**: sends, and sleeps as `Retry-After` says.

The last three send with aiohttp in the loop that people write around a limiter: wait for it, send, on 429 sleep as told and try
again.

## What it shows

- The number of a window says how many may come, not how they are counted. A limiter that lets the next request go as soon as a
  second is over on its own clock comes too early on the server's, by as much as the network's delay varies. Keeping a
  sliding log of a window that is a little longer fits all three ways of counting.
- A margin alone has to be as long as the longest delay. An answer tells when its request can have arrived at the latest, in time
  for the one that takes its place a window later: so what was held up counts from then, and the margin can be small.
- Hundreds of requests at once keep a machine busy for as long as it likes, every window anew. Paced at nine tenths of the even
  distance they leave it time, and what was held up catches up.
- Late answers that are rare are counted in full. A server that always takes now more, now less time would cost much by that, so
  only so much of each counts as costs 0.4 % on average; more after a refusal, as with the margin.
- One 429 more is not the harm: the wait that it asks for is, because it is told in whole seconds.

## Measured

{measured}
- {versions}

Repeat it with `.venv/bin/python benchmarks/limits/compare.py`. This page and its charts are written by
`benchmarks/limits/shares.py` from `measured.json`.
"""


def write(docs: Path) -> None:
    """The page and its charts below `docs`."""
    from tests.http.measured import table as simulated  # late: takes a minute, and the terminal has no use for it

    images, runs = docs / "limits", kept()
    images.mkdir(parents=True, exist_ok=True)
    for kind in dict.fromkeys(run.kind for run in runs):
        (images / f"{kind.replace(' ', '-')}.svg").write_text(chart(middles(runs), kind))
    pinned = (HERE.parent / "requirements" / "limits.txt").read_text()
    versions = [
        " ".join(pair) for pair in re.findall(r"^(aiolimiter|pyrate-limiter|aiohttp)==(\S+)", pinned, re.MULTILINE)
    ]
    page = PAGE.format(
        simulated=simulated(),
        table=table(runs),
        measured=measured(runs),
        versions=", ".join(versions),
        load=loads(runs),
        kept=refusals([run for run in runs if run.program.startswith("syncline")]),
    )
    (docs / "limits.md").write_text(page)


if __name__ == "__main__":
    write(HERE.parent.parent / "docs")
