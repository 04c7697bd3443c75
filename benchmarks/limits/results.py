"""What was measured, for people: a line for the terminal, a page and a chart for the documents."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

from report import machine

HERE = Path(__file__).parent
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

    @property
    def name(self) -> str:
        return NAMES.get(self.program, self.program)


def share(accepted: list[float], rate: int) -> float:
    """Requests accepted after the first two windows' worth of them, as a share of what the rate allows in that time.

    The first two are left out: a bucket is full at the start, which a pacing client has no use for, and connections are opened.
    """
    first = 2 * rate
    return (len(accepted) - first) / (rate * (accepted[-1] - accepted[first - 1]))


def line(result: Result) -> str:
    return (
        f"{result.rate:>4}/s  {result.processes} process{'es' if result.processes > 1 else '  '}  {result.kind:<15}"
        f"{result.name:<17}{result.share:7.1%} used {result.refused:>6} refused"
    )


def table(found: list[Result]) -> str:
    kinds = list(dict.fromkeys(result.kind for result in found))
    rows = [["rate", "processes", "limiter", *kinds], ["---:", "---:", "---", *["---:"] * len(kinds)]]
    key = lambda result: (result.rate, result.processes)  # noqa: E731
    for (rate, processes), block in groupby(found, key):
        results = list(block)
        for name in dict.fromkeys(result.name for result in results):
            cells = {result.kind: f"{result.share:.1%} · {result.refused}" for result in results if result.name == name}
            rows.append([f"{rate}/s", str(processes), name, *(cells.get(kind, "") for kind in kinds)])
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

An API allows so many requests in so much time. Syncline uses nearly all of that and is refused as little as possible: it
counts in the way that suits every server, keeps 0.7 % away from the edge, and lets every process and machine look at one count.
`docs/how-to/requests.md` tells how to write limits down; this page tells how well they are kept.

![Share of the allowed rate used, and refusals](limits/sliding-window.svg)

The same for [fixed windows](limits/fixed-window.svg) and [token buckets](limits/token-bucket.svg), and all of it in figures:

{table}

Each cell: the share of the allowed rate that was used · the number of requests answered 429. {seconds} seconds' worth of requests,
all of which had to be accepted in the end. The first two seconds' worth is left out of the share, because a bucket is full at the
start and connections are opened.

## Who takes part

- **syncline**: `rate_limit: {{limits: [50/s]}}`; four processes with `shared: limits.db`{redis}.
- **aiolimiter**: `AsyncLimiter(50, 1)`; it cannot be shared, so each of four processes gets a quarter of the rate.
- **pyrate-limiter**: `Limiter(Rate(50, Duration.SECOND))`; four processes share its SQLite bucket with a file lock.
- **no limiter**: sends, and sleeps as `Retry-After` says.

The last three send with aiohttp in the loop that people write around a limiter: wait for it, send, on 429 sleep as told and try
again.

## What it shows

- The number of a window says how many may come, not how they are counted. A limiter that lets the next request go as soon as a
  second is over on its own clock comes too early on the server's, by as much as the network's delay varies. Keeping a
  sliding log of a window that is a little longer fits all three ways of counting.
- One 429 more is not the harm: the wait that it asks for is, because it is told in whole seconds.
- A machine under load may hold up a process for longer than the margin of seven milliseconds, and then a request comes too early
  after all; server, senders and whatever else runs share this machine. That there is no refusal where time behaves is proved in
  simulated time (`tests/http/test_limits.py`, `test_limits_shared.py`).
- Each figure is one run. A refusal costs a second of fourteen, so a cell with one stands seven in a hundred lower.

## Measured

- on {date}, {machine}
- {versions}

Repeat it with `.venv/bin/python benchmarks/limits/compare.py`. This page and its chart are written by
`benchmarks/limits/results.py`.
"""


def write(docs: Path, found: list[Result], seconds: int) -> None:
    """The page and its charts below `docs`."""
    images = docs / "limits"
    images.mkdir(parents=True, exist_ok=True)
    for kind in dict.fromkeys(result.kind for result in found):
        (images / f"{kind.replace(' ', '-')}.svg").write_text(chart(found, kind))
    pinned = (HERE.parent / "requirements" / "limits.txt").read_text()
    versions = [
        " ".join(pair) for pair in re.findall(r"^(aiolimiter|pyrate-limiter|aiohttp)==(\S+)", pinned, re.MULTILINE)
    ]
    page = PAGE.format(
        table=table(found),
        seconds=seconds,
        redis=" and with `shared: redis://…`" if any(result.program.endswith("Redis") for result in found) else "",
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=machine(),
        versions=", ".join(versions),
    )
    (docs / "limits.md").write_text(page)
