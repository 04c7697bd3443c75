"""Which faults met which parts of shapes, and how often."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.rehearsal.mixtures import Played
from tests.rehearsal.shapes import KINDS, parts

KILL = "kill"


class Coverage:
    """Counts the seeds in which each fault struck each part. Pairs that no file can have are left out."""

    def __init__(self) -> None:
        self.seeds = 0
        self.stations: Counter[str] = Counter()
        self._met: Counter[tuple[str, str, str]] = Counter()
        self._possible: set[tuple[str, str, str]] = set()

    def add(self, one: Played) -> None:
        self.seeds += 1
        if one.station is not None:
            self.stations[one.station] += 1
        for kind, part in one.parts.items():
            for fault in (*one.possible, KILL):
                self._possible.add((fault, kind, part))
            for fault in (*one.struck, *([KILL] if one.station else [])):
                self._met[fault, kind, part] += 1

    def _cells(self) -> dict[str, dict[str, dict[str, int]]]:
        """How often, by fault, kind and part."""
        found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
        for fault, kind, part in sorted(self._possible):
            found[fault][kind][part] = self._met[fault, kind, part]
        return found

    def rows(self) -> Iterator[list[str | int]]:
        """Every fault with every part."""
        yield ["fault", *(part for kind in KINDS for part in parts()[kind])]
        for fault, kinds in self._cells().items():
            yield [fault, *(kinds[kind].get(part, "") for kind in KINDS for part in parts()[kind])]

    def __str__(self) -> str:
        """Of each fault and kind the part that it met least often; the kills by station."""
        lines = [f"{'fault':<18}" + "".join(f"{kind:>24}" for kind in KINDS)]
        for fault, kinds in self._cells().items():
            least = (min(kinds[kind].items(), key=lambda one: one[1]) for kind in KINDS)
            lines.append(f"{fault:<18}" + "".join(f"{part[:17]:>18}{count:>6}" for part, count in least))
        killed = ", ".join(f"{station} {count}" for station, count in self.stations.most_common())
        return "\n".join([*lines, f"killed at: {killed or 'no station'}"])
