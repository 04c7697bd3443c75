"""Rows become records of another API: created, changed, left alone, removed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from syncline.model import Batch
from tests.destinations.api.bench import INTO, KEYED, Bench, rows
from tests.destinations.api.contacts import Contacts, not_like
from tests.support.serving import serving


@pytest.fixture
async def book() -> AsyncIterator[tuple[Contacts, str]]:
    contacts = Contacts()
    async with serving(contacts) as url:
        yield contacts, url


async def test_rows_are_created_changed_and_left_alone(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    bench = Bench(tmp_path, url)
    (first,) = await bench.write(INTO, rows(1, 2, 3))
    assert (first.written, first.unchanged) == (3, 0)
    (second,) = await bench.write(INTO, Batch(columns=rows(1).columns, rows=[*rows(1, 2).rows, *rows(3, age=99).rows]))
    assert (second.written, second.unchanged) == (1, 2)
    assert contacts.counted("create") == {"p1": 1, "p2": 1, "p3": 1}
    assert contacts.counted("update") == {"p3": 1}
    assert {record["external_id"]: record["age"] for record in contacts.records.values()} == {
        "p1": 21,
        "p2": 22,
        "p3": 99,
    }
    assert await bench.outbox() == []


async def test_append_creates_every_row(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    bench = Bench(tmp_path, url)
    await bench.write({"create": "POST /contacts", "write": "append"}, rows(1, 1), rows(1))
    assert contacts.counted("create") == {"p1": 3}


async def test_what_is_there_already_is_found_by_its_match(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.create({"external_id": "p1", "email": "person1@example.org", "name": "Person 1", "age": 21})
    contacts.create({"external_id": "p2", "email": "person2@example.org", "name": "Another", "age": 1})
    contacts.effects.clear()
    (written,) = await Bench(tmp_path, url).write({**INTO, "match": "email"}, rows(1, 2, 3))
    assert (written.written, written.unchanged) == (2, 1)
    assert contacts.counted("create") == {"p3": 1}
    assert contacts.counted("update") == {"p2": 1}


async def test_r22_a_record_that_comes_twice_is_sent_in_its_order(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    twice = Batch(columns=rows(1).columns, rows=[*rows(1).rows, *rows(2).rows, *rows(1, age=5).rows, *rows(2).rows])
    (written,) = await Bench(tmp_path, url).write(KEYED, twice)
    assert (written.written, written.unchanged) == (3, 1)
    assert contacts.counted("create") == {"p1": 1, "p2": 1}
    assert [r["age"] for r in contacts.records.values() if r["external_id"] == "p1"] == [5]


async def test_two_rows_of_one_match_become_one_record(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    both = Batch(columns=rows(1).columns, rows=[*rows(1).rows, *rows(2, email="PERSON1@example.org").rows])
    contacts_by_email = {**INTO, "match": "email", "lookup": "GET /contacts?email={email}"}
    # the address book compares exactly; the two differ in case only, so the second one is not found and made anew
    await Bench(tmp_path, url).write(contacts_by_email, both)
    assert len(contacts.records) == 2
    same = Batch(columns=rows(1).columns, rows=[*rows(3).rows, *rows(4, email="person3@example.org").rows])
    await Bench(tmp_path, url).write(contacts_by_email, same)
    assert len(contacts.records) == 3


async def test_r28_a_refused_record_is_kept_with_field_and_reason(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.refuse = not_like(2)
    bench = Bench(tmp_path, url)
    (written,) = await bench.write(INTO, rows(1, 2, 3), records=[{"raw": 1}, {"raw": 2}, {"raw": 3}])
    assert (written.written, len(written.rejected)) == (2, 1)
    (letter,) = await bench.letters()
    assert (letter.path, letter.reason) == ("email", "the API answered 422: has already been taken")
    assert letter.record == {"raw": 2}
    assert await bench.outbox() == []


async def test_gone_records_are_deleted_and_missing_ones_are_done(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    bench = Bench(tmp_path, url)
    await bench.write(INTO, rows(1, 2, 3))
    contacts.records.pop(next(number for number, r in contacts.records.items() if r["external_id"] == "p2"))
    (written,) = await bench.write(INTO, rows(3), gone=[("p1",), ("p2",), ("never-seen",)])
    assert (written.written, written.deleted, written.unchanged) == (2, 2, 2)
    assert [record["external_id"] for record in contacts.records.values()] == ["p3"]
    assert contacts.counted("delete") == {"p1": 1}


async def test_r34_numbers_and_texts_arrive_exactly(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    values = [2**70, Decimal("12345678901234567890.10"), "007", "🦜\u2028"]
    batch = Batch(columns=("external_id", "value"), rows=[(str(n), value) for n, value in enumerate(values)])
    await Bench(tmp_path, url).write(INTO, batch)
    sent = [body for method, _, _, body in contacts.requests if method == "POST"]
    assert sorted(body["external_id"] for body in sent) == ["0", "1", "2", "3"]
    assert all(body["value"] == values[int(body["external_id"])] for body in sent)


async def test_bodies_are_wrapped_shaped_and_relieved(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    shapes = [
        ({"omit": "age"}, {"external_id": "p1", "email": "person1@example.org", "name": "Person 1"}),
        ({"body": {"external_id": "{external_id}", "n": "{age}", "hello": "Hi {name}!", "tag": "x"}},
         {"external_id": "p1", "n": 21, "hello": "Hi Person 1!", "tag": "x"}),
    ]  # fmt: skip
    for number, (shape, body) in enumerate(shapes):
        await Bench(tmp_path / str(number), url).write({**INTO, **shape}, rows(1))
        assert contacts.requests[-1][3] == body
    contacts.create = lambda body: (201, {"contact": {"id": 5, **body["contact"]}})  # type: ignore[method-assign]
    bench = Bench(tmp_path / "wrapped", url)
    await bench.write({**INTO, "wrap": "contact"}, rows(1))
    assert contacts.requests[-1][3]["contact"]["external_id"] == "p1"
    await bench.write({**INTO, "wrap": "contact"}, rows(1, age=1))
    assert contacts.requests[-1][:2] == ("PATCH", "/contacts/5")


async def test_an_id_cannot_lead_elsewhere(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.create = lambda body: (201, {"id": "../../admin?x=1"})  # type: ignore[method-assign]
    contacts.update = lambda number, body: (200, {})  # type: ignore[method-assign]
    bench = Bench(tmp_path, url)
    await bench.write(INTO, rows(1))
    await bench.write(INTO, rows(1, age=2))
    assert contacts.requests[-1][1] == "/contacts/..%2F..%2Fadmin%3Fx%3D1"


async def test_a_place_in_a_path_is_never_left_empty(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    into = {"create": "PUT /contacts/{email}", "delete": "DELETE /contacts/{id}"}
    (written,) = await Bench(tmp_path, url).write(into, rows(1, email=""))
    assert [(r.path, "is needed in the path" in r.reason) for r in written.rejected] == [("email", True)]
    assert contacts.requests == []
