"""R34, R35: ten thousand poisonous records of every kind among as many good ones: exact, or rejected with their path, and soon."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from syncline.model import MalformedBody, decode_json
from syncline.testing import Bench, at, done
from syncline.testing.bench import KEY, records
from tests.destinations.api.shelf import BatchesBench
from tests.destinations.conformance import MAKERS

EACH, BATCH = 10_000, 1_000
LONGEST = 60.0
"""Seconds, on a machine with much else to do; row by row with a transaction each it would be many minutes."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


POISON: dict[str, tuple[str, Any]] = {
    "an integer of 64 bits and one more": ("n", 2**63),
    "a large integer": ("n", -(10**400)),
    "an integer that Python does not spell": ("n", 10**5_000),
    "a decimal of many digits": ("amount", Decimal("9" * 60 + "." + "1" * 60)),
    "a tiny decimal": ("amount", Decimal("1E-200")),
    "a decimal that is none": ("amount", Decimal("NaN")),
    "an infinite decimal": ("amount", Decimal("-Infinity")),
    "NaN": ("ratio", float("nan")),
    "infinity": ("ratio", float("inf")),
    "a large float": ("ratio", 1.7976931348623157e308),
    "NUL": ("name", "a\0b"),
    "NUL within": ("tags", {"a": ["\0"]}),
    "half a character": ("name", "x\ud800y"),
    "half a character within": ("tags", ["\udfff"]),
    "half a character in a key": ("tags", {"\ud83c": 1}),
    "text for a number": ("n", "twelve"),
    "text for a decimal": ("amount", "1,5"),
    "a list for text": ("name", [1, "x"]),
    "text for a time": ("at", "yesterday"),
    "a time without a zone": ("at", datetime(2026, 1, 1)),
    "true for a number": ("n", True),
    "long text": ("name", "é" * 5_000),
    "nested": ("tags", nested(30)),
    "nested too deep": ("tags", nested(400)),
    "NaN within": ("tags", [float("nan")]),
    "no key": ("id", None),
    "something else": ("name", {1, 2}),
}


def good(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"customer {number}",
        "n": number * 7919 % 65_537,
        "amount": Decimal(number).scaleb(-2),
        "ratio": number / 8,
        "at": EPOCH + timedelta(seconds=number),
        "tags": [number % 7, "a"],
    }


def mixed(seed: int, each: int) -> list[dict[str, Any]]:
    """So many of both; poison stands in one field of a record that is good for the rest."""
    pick, kinds = random.Random(seed), list(POISON.values())
    poisoned = set(pick.sample(range(2 * each), each))
    made = []
    for number in range(2 * each):
        record = good(number)
        if number in poisoned:
            name, value = kinds[pick.randrange(len(kinds))]
            record[name] = value
        made.append(record)
    return made


def kept(bench: Bench, stored: Any, sent: Any) -> bool:
    """As it was sent; or as text or JSON that says exactly it, where its column had to hold other kinds as well."""
    if bench.same(stored, sent):
        return True
    if isinstance(sent, datetime) and sent.tzinfo is None:
        return str(stored).strip('"') == sent.isoformat()
    if isinstance(stored, str):
        try:
            inner = decode_json(stored.encode())
        except MalformedBody:
            return False
        return inner != stored and kept(bench, inner, sent)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MAKERS, "api"])
async def test_r34_r35_ten_thousand_poisonous_records_cost_themselves(name: str, tmp_path: Path) -> None:
    bench = BatchesBench(tmp_path) if name == "api" else MAKERS[name](tmp_path)
    try:
        await poison(bench, "upsert" if "upsert" in bench.abilities.modes else "append")
    finally:
        bench.drop()


async def poison(bench: Bench, write: Any) -> None:
    sent = mixed(1, EACH)
    by_id = {record["id"]: record for record in sent if record["id"] is not None}
    began, written, rejected = time.monotonic(), 0, []
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.begin(sink, write, lease=lease)
        for begin in range(0, len(sent), BATCH):
            raw = sent[begin : begin + BATCH]
            outcome = await writer.write(
                records(*raw), [], at(begin), lease, records=list(range(begin, begin + len(raw)))
            )
            assert outcome.written + outcome.unchanged + len(outcome.rejected) == len(raw)
            written += outcome.written
            rejected += outcome.rejected
        await writer.finish(done("z"), lease)
        letters = await sink.state.dead_letters.list(KEY, limit=len(sent))
        state = await sink.state.load(KEY)
    seconds = time.monotonic() - began
    print(
        f"{type(bench).__name__}: {written} written, {len(rejected)} rejected, {seconds:.1f} s"
    )  # for docs/reliability.md

    assert (len(letters), state.items_synced) == (len(rejected), written)
    for one in rejected:
        record = sent[one.record]
        field = one.path.partition(".")[0].partition("[")[0]
        assert field in record and one.reason, one
        assert record[field] != good(one.record)[field], f"a good value was refused: {one}"
    refused = {one.record for one in rejected}
    rows = [row for row in bench.read() if row.get("id") not in (None, "")]
    found = {int(row["id"]): row for row in rows}
    assert len(found) == len(rows), "rows are there twice"
    meant = {number for number, record in enumerate(sent) if number not in refused and record["id"] is not None}
    assert found.keys() == meant
    wrong = [
        (number, field, found[number].get(field), value)
        for number in meant
        for field, value in by_id[number].items()
        if not kept(bench, found[number].get(field), value)
    ]
    assert not wrong, f"{len(wrong)} values are not what was sent: {wrong[:5]!a}"[:2_000]
    assert seconds < LONGEST
