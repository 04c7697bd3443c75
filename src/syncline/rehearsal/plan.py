"""Which acts a rehearsal has: the file's own volume, every fault alone, and a mixture that the seed draws."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from syncline.errors import UsageError
from syncline.http import Connection
from syncline.model.names import did_you_mean
from syncline.rehearsal.acting import Act
from syncline.rehearsal.simulator.faults import Fault, Place, faults
from syncline.rehearsal.simulator.paging import MOST, SIZE
from syncline.rehearsal.simulator.values import GOLDEN, MASK, mixed
from syncline.rehearsal.staging import worth_of_token
from syncline.spec import Integration, Stream

PAGES = 5
"""Pages of a stream in a short act, and half of one."""
PARENTS = 40
"""Records of a stream that others are read below, in a short act."""
UNTOLD = 2_000
"""Records of a production volume that the file does not name."""
MIXED = 8
"""At most so many faults in a mixture."""


def production_volume(integration: Integration) -> int:
    """The records that the file's `volume` names."""
    found = re.match(r"[\d_]+", integration.volume or "")
    return int(found[0]) if found else UNTOLD


def full_sizes(integration: Integration, records: int) -> dict[str, int]:
    """Sizes of all streams that come to about so many records; lists below parents follow their parents."""
    free = [stream.name for stream in integration.streams if not stream.parents]
    parents = {parent.stream for stream in integration.streams for parent in stream.parents}
    each = max(1, records // max(len(free), 1))
    return {name: min(each, PARENTS * 10) if name in parents else each for name in free}


def short_sizes(integration: Integration) -> dict[str, int]:
    """Just enough of every stream to have some pages; fewer where each record is a request of its own."""
    pages = 1 if isinstance(integration.destination, Connection) else PAGES
    parents = {parent.stream for stream in integration.streams for parent in stream.parents}
    sizes = {}
    for stream in integration.streams:
        if not stream.parents:
            size = page_size(stream)
            sizes[stream.name] = PARENTS if stream.name in parents else pages * size + size // 2
    return sizes


def page_size(stream: Stream) -> int:
    """The length of the pages that the stream asks for."""
    asked = next((size for name in ("limit", "size") if (size := getattr(stream.pagination, name, None))), SIZE)
    return min(int(asked), MOST)


def concerned(integration: Integration, names: Iterable[str] | None = None) -> list[type[Fault]]:
    """The faults of these names (default: all) that can do anything to this integration. Raises UsageError."""
    known = faults()
    for name in names or ():
        if name not in known:
            raise UsageError(
                f"there is no fault {name!r}; {did_you_mean(name, known)}", hint="syncline rehearse --help"
            )
    return [known[name] for name in (known if names is None else names) if known[name].concerns(integration)]


def places(integration: Integration) -> list[Place]:
    """Where calls come in: for pages, and where there are any for tokens and for writes."""
    found: list[Place] = ["pages"]
    if worth_of_token(integration) != "nothing":
        found.append("tokens")
    if isinstance(integration.destination, Connection):
        found.append("writes")
    return found


def alone(integration: Integration, seed: int, kinds: Sequence[type[Fault]]) -> list[Act]:
    """One short act for each kind of fault, and for each place where it may strike."""
    sizes = short_sizes(integration)
    acts = []
    for place in places(integration):
        for number, kind in enumerate(kind for kind in kinds if kind.anywhere or place == "pages"):
            name = str(kind.__struct_config__.tag) + ("" if place == "pages" else f" ({place})")
            at = 1 if place == "tokens" else 2 + number % 3
            acts.append(Act(name=name, seed=seed, sizes=sizes, faults=(kind(at=at, place=place),)))
    return acts


def mixture(integration: Integration, seed: int, kinds: Sequence[type[Fault]] | None = None) -> Act:
    """The act that this seed draws, of these kinds or of all that mix."""
    if kinds is None:
        kinds = [kind for kind in concerned(integration) if kind.mixes]
    requests = PAGES * len(integration.streams) + PAGES
    around = places(integration)
    drawn: list[Fault] = []
    for place in range(1 + mixed(seed) % MIXED if kinds else 0):
        h = mixed(seed * GOLDEN + place & MASK)
        fields: dict[str, Any] = {"at": 1 + (h >> 8) % requests}
        kind = kinds[(h >> 24) % len(kinds)]
        if kind.anywhere:
            fields["place"] = around[(h >> 48) % len(around)]
        if kind.repeats:
            fields["times"] = 1 + (h >> 40) % 3
        drawn.append(kind(**fields))
    return Act(name="mixed", seed=seed, sizes=short_sizes(integration), faults=tuple(drawn))


def volume(integration: Integration, seed: int, records: int) -> Act:
    """Everything at the size of production, and nothing wrong."""
    return Act(name="volume", seed=seed, sizes=full_sizes(integration, records))


def acts_of(
    integration: Integration, *, seed: int = 1, names: Sequence[str] | None = None, records: int | None = None
) -> list[Act]:
    """The whole rehearsal; with `names`, of these faults alone. Raises UsageError for a name that is none."""
    kinds = concerned(integration, names)
    whole = volume(integration, seed, records or production_volume(integration))
    mixed_up = [mixture(integration, seed, None if names is None else kinds)] if kinds else []
    return [whole, *alone(integration, seed, kinds), *mixed_up]
