"""What the source has: records that come, change and go, the same for the same seed. The oracle knows it from the inside."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
SYLLABLES = ["ka", "lé", "mŏ", "ß", "雨", "🌧", "zu", "Ω", "'", '"', "\\", ",", "\n", "{", "0", " "]
HALVES = {"missing": 0.4, "text": 0.4, "surrogate": 0.2}
"""What makes records poisonous, and how often: no name, an amount in words, half a character in the name."""


class Version(NamedTuple):
    """One state of one record. `number` grows with every change anywhere."""

    id: int
    number: int
    gone: bool
    poison: str | None
    value: dict[str, Any]

    @property
    def good(self) -> bool:
        return self.poison is None and not self.gone


class Things:
    """`current` is what the API lists; `versions` all that there ever was; `removed` are ids that vanished without a word.

    With `tombstones` a deleted record stays and says so; else it vanishes.
    """

    def __init__(self, seed: str, records: int, *, tombstones: bool, poison: float = 0.01) -> None:
        self.random = random.Random(seed)
        self.tombstones, self.poison = tombstones, poison
        self.current: dict[int, Version] = {}
        self.versions: dict[int, Version] = {}
        self.ended: dict[int, int] = {}
        """When a record was last deleted: the version's number, or the one that was next."""
        self._next = 1
        for _ in range(records):
            self._write(self._fresh_id(), poison=self._poison())
        self._end_well()

    @property
    def newest(self) -> int:
        return max(self.versions)

    def move_on(self) -> None:
        """Between passes: a tenth changes, some come and some go."""
        ids = list(self.current)
        for number in self.random.sample(ids, len(ids) // 10):
            self._write(number, poison=self._poison())
        for number in self.random.sample(ids, len(ids) // 20):
            self._end(number)
        for _ in range(len(ids) // 20):
            self._write(self._fresh_id(), poison=self._poison())
        self._end_well()

    def stir(self) -> None:
        """While a pass is interrupted: good records change, are deleted, come back. None of it is poisonous."""
        good = [version.id for version in self.current.values() if version.poison is None]
        for number in self.random.sample(good, max(1, len(good) // 50)):
            if self.tombstones and self.random.random() < 0.2:
                self._end(number)
            else:
                self._write(number)
        self._end_well()

    def _fresh_id(self) -> int:
        return 2**62 * (self._next % 2) + self._next  # half of them beyond what a double can hold

    def _poison(self) -> str | None:
        if self.random.random() >= self.poison:
            return None
        return self.random.choices(list(HALVES), list(HALVES.values()))[0]

    def _end_well(self) -> None:
        """What stands at the cursor's boundary is read again by the next pass; a poisonous record would be rejected twice."""
        self._write(self._fresh_id())

    def _end(self, record: int) -> None:
        self.ended[record] = self._next
        if self.tombstones:
            self._write(record, gone=True)
        else:
            del self.current[record]

    def _write(self, record: int, *, gone: bool = False, poison: str | None = None) -> None:
        number = self._next
        self._next += 1
        value = self._value(record, number)
        if gone:
            value["gone"] = True
        elif poison == "missing":
            del value["profile"]["name"]
        elif poison == "text":
            value["amount"] = "twelve"
        elif poison == "surrogate":
            value["profile"]["name"] += "\ud83c"
        version = Version(record, number, gone, poison, value)
        self.current[record] = self.versions[number] = version

    def _value(self, record: int, number: int) -> dict[str, Any]:
        pick = self.random
        seen = EPOCH + timedelta(seconds=pick.randrange(10**8), microseconds=pick.choice([0, 1, 120_000, 999_999]))
        value: dict[str, Any] = {
            "id": record,
            "version": number,
            "updated_at": moment(number),
            "profile": {"name": "".join(pick.choices(SYLLABLES, k=pick.randint(1, 12)))},
            "amount": Decimal(pick.randrange(-(10**9), 10**9)).scaleb(-pick.randint(0, 6)),
            "big": pick.choice([0, -1, 2**53 + 1, 2**63 - 1, 2**64 + pick.randrange(1000), -(10**30)]),
            "active": pick.choice([True, False, None]),
            "seen_at": seen.isoformat().replace("+00:00", pick.choice(["Z", "+00:00"])),
            "tags": pick.sample(["a", "b", "ü", 1, 2.5, None, {"deep": [[]]}], pick.randint(0, 4)),
            "lines": [
                {
                    "sku": f"S{pick.randrange(1000):03}",
                    "quantity": pick.randint(1, 9),
                    "price": Decimal(pick.randrange(10**6)).scaleb(-2),
                }
                for _ in range(pick.choice([0, 1, 1, 2, 5]))
            ],
        }
        if pick.random() < 0.5:
            value["note"] = pick.choice(["", "007", "NO", "null", "1e3", "${HOME}", "=1+1"])
        return value


def moment(number: int) -> str:
    """When a version was written: a millisecond after the one before."""
    return (EPOCH + timedelta(milliseconds=number)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
