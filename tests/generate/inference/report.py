"""Writes what was measured into docs/inference.md: `python -m tests.generate.inference.report`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from syncline.generate.inference import read
from tests.generate.inference.corpus import UNSEEN, Label, documents, labels
from tests.generate.inference.scoring import TARGETS, WHATS, Score, Verdict, What, scores, verdicts

PAGE = Path(__file__).parents[3] / "docs" / "inference.md"
NAMES: dict[What, str] = {
    "pagination": "pagination kind",
    "records": "record path",
    "primary_key": "primary key",
    "auth": "authentication",
    "list": "list or not",
}


def measure(chosen: list[Label]) -> list[Verdict]:
    """These documents read, and what became of each of their labels."""
    places = documents([label.document for label in chosen])
    return [verdict for label in chosen for verdict in verdicts(read(places[label.document]), label)]


def sets() -> dict[str, list[Label]]:
    """The sets of labelled documents, by their names on the page."""
    return {"tuned": labels(held_out=False), "held out": labels(held_out=True), "unseen": labels(file=UNSEEN)}


def table(found: Iterable[Verdict]) -> list[str]:
    """Scores as rows of a page."""
    rows = [
        "| | labels | right | wrong | of these sure | unknown | precision | recall | score |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    sums = scores(found)
    return rows + [_row(NAMES[what], sums[what], TARGETS.get(what)) for what in WHATS]


def _row(name: str, score: Score, target: float | None) -> str:
    counts = f"{score.total} | {score.good} | {score.wrong} | {score.sure} | {score.unknown}"
    wanted = f" (≥ {target:.0%})" if target else ""
    return f"| {name}{wanted} | {counts} | {score.precision:.1%} | {score.recall:.1%} | {score.score:.1%} |"


def page(text: str) -> str:
    """The page with today's numbers."""
    for name, chosen in sets().items():
        text = replaced(text, name, [f"{len(chosen)} documents.", "", *table(measure(chosen))])
    return text


def live_section(text: str, found: list[Verdict]) -> str:
    """The page with these numbers of live servers."""
    servers = sorted({verdict.place.partition("/")[0] for verdict in found})
    listed = ", ".join(server for server in servers if not server.startswith("small"))
    small = sum(server.startswith("small") for server in servers)
    lines = [f"{len(servers)} servers: {listed}, and {small} small ones, one for each way to page.", "", *table(found)]
    return replaced(text, "live", lines)


async def measure_live() -> list[Verdict]:
    """All live servers, started one after the other."""
    # late: only who writes the page has to have them all
    from tests.real.lives import SERVERS, VARIANTS, measure_server, measure_shop, measure_variant

    found = [verdict for name in SERVERS for verdict in await measure_server(name)] + await measure_shop()
    return found + [verdict for name in VARIANTS for verdict in await measure_variant(name)]


def replaced(text: str, name: str, lines: list[str]) -> str:
    """The text with these lines between the marks of this name."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = text.partition(start)
    return f"{before}{start}\n\n" + "\n".join(lines) + f"\n\n{end}" + rest.partition(end)[2]


if __name__ == "__main__":
    PAGE.write_text(live_section(page(PAGE.read_text()), asyncio.run(measure_live())))
