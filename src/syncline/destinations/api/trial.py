"""What a run would send to another API: counted and shown, not sent. The destination is asked by requests that only read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from syncline.destinations.api.courier import gathered
from syncline.destinations.api.deciding import Decider, Step
from syncline.destinations.api.dialects import Dialect, shown_body
from syncline.destinations.api.matching import Ambiguous, Finder
from syncline.destinations.api.rows import wishes_of
from syncline.destinations.api.seeing import gone_of, keys_of
from syncline.destinations.calls import Operation
from syncline.destinations.destination import Trial
from syncline.destinations.target import Target
from syncline.http import Client
from syncline.model import Batch, Rejected, Row
from syncline.state import StateStore

MOST_LOOKS = 200
SAMPLES = 3
LONGEST = 300
OPERATIONS: tuple[Operation, ...] = ("create", "update", "delete")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is known besides the rows: their key, the keys of deleted records, and the stream's own key in the state."""

    primary_key: tuple[str, ...]
    gone: Sequence[Row]
    key: str
    state: StateStore | None


async def try_api(dialect: Dialect, client: Client, batch: Batch, wanted: Wanted) -> Trial:
    """Raises the RequestError family where a lookup fails."""
    target = dialect.target
    assert isinstance(target, Target)
    wishes, refused = wishes_of(batch, wanted.primary_key)
    wishes += [gone_of(source_key, wanted.primary_key) for source_key in keys_of(wanted.gone)]
    finder = Finder(dialect, client)
    decider = Decider(dialect, target.write, finder.able)
    linking = wanted.state is not None and target.write != "append"
    keys = [wish.source_key for wish in wishes]
    links = await wanted.state.outbox.links(wanted.key, keys) if wanted.state is not None and linking else {}
    steps = [decider.decide(wish, links.get(wish.source_key)) for wish in wishes]
    unasked = await _look(steps, decider, finder, dialect)
    counts = Counter(step.what for step in steps)
    rejected = [
        Rejected(path=step.path, reason=step.reason, record=step.wish.record) for step in steps if step.what == "reject"
    ]
    return Trial(
        exists=bool(links),
        inserts=counts["create"],
        updates=counts["update"],
        deletes=counts["delete"],
        unchanged=counts["unchanged"],
        rejected=(*refused, *rejected),
        requests=tuple(_samples(dialect, steps, unasked)),
    )


async def _look(steps: list[Step], decider: Decider, finder: Finder, dialect: Dialect) -> int:
    """Ask where only the destination can tell; returns how many were not asked about, and are taken to be new."""
    places = [place for place, step in enumerate(steps) if step.what == "look"]
    asked = places[:MOST_LOOKS] if dialect.looks_by_get else []

    async def look(place: int) -> None:
        step = steps[place]
        try:
            steps[place] = decider.found(step, await finder.find(step.wish.row))
        except Ambiguous as several:
            match = dialect.target.match or ""
            steps[place] = Step(wish=step.wish, what="reject", path=match, reason=str(several))

    await gathered(look(place) for place in asked)
    for place in places[len(asked) :]:
        steps[place] = decider.found(steps[place], None)
    return len(places) - len(asked)


def _samples(dialect: Dialect, steps: list[Step], unasked: int) -> list[str]:
    """A few requests of each kind: method, path and body. Headers, which hold the credentials, are not shown."""
    shown: list[str] = []
    for what in OPERATIONS:
        for step in [step for step in steps if step.what == what][:SAMPLES]:
            line = dialect.written(what, step.wish.row, step.remote_id)
            text = f"{line} {shown_body(dialect.body(what, step.wish.row, step.remote_id))}".rstrip()
            shown.append(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…")
    if unasked > 0:
        shown.append(f"({unasked} more were not looked up and are taken to be new)")
    return shown
