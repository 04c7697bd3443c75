"""Refusals: of one record, of the whole request, of the credentials; and what is missing at the destination."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from syncline.destinations import Deletes
from syncline.errors import AuthError, DeferredError, LeaseError, PartialError, PlanError, SynclineError, WriteError
from syncline.events import Event, RetryScheduled, Scope, listening
from syncline.model import Batch, Checkpoint
from syncline.rehearsal.simulator.faults import Limited, ServerError, Unavailable
from syncline.rehearsal.simulator.wire import Answer, answered
from tests.destinations.api.bench import INTO, KEYED, MATCHED, Bench, rows
from tests.destinations.api.contacts import Contacts, not_like
from tests.destinations.api.test_lost_answers import BATCHED
from tests.support.serving import serving

KEYED_BATCHES = {**BATCHED, "idempotency_header": "Idempotency-Key"}


@pytest.fixture
async def book() -> AsyncIterator[tuple[Contacts, str]]:
    contacts = Contacts()
    async with serving(contacts) as url:
        yield contacts, url


def said(status: int, **headers: str) -> Answer:
    return answered({"message": f"said {status}"}, status, headers)


async def test_r28_one_bad_record_among_many_costs_only_itself(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.refuse = not_like(5, 500)
    bench = Bench(tmp_path, url)
    written = await bench.write(INTO, rows(*range(400)), rows(*range(400, 600)))
    assert [(w.written, len(w.rejected)) for w in written] == [(399, 1), (199, 1)]
    assert [letter.path for letter in await bench.letters()] == ["email", "email"]


@pytest.mark.parametrize("into", [KEYED_BATCHES, BATCHED], ids=["keyed", "without"])
async def test_r28_a_batch_that_fails_in_part_lands_the_rest(
    book: tuple[Contacts, str], tmp_path: Path, into: dict[str, Any]
):
    contacts, url = book
    contacts.refuse = not_like(3, 44)
    bench = Bench(tmp_path, url)
    (written,) = await bench.write(into, rows(*range(50)))
    assert (written.written, len(written.rejected)) == (48, 2)
    assert {letter.reason for letter in await bench.letters()} == {"the API answered 422: has already been taken"}
    assert set(contacts.counted("create").values()) == {1}
    assert len(contacts.writes()) == 3
    assert await bench.outbox() == []


async def test_r28_a_batch_refused_as_a_whole_is_divided_until_the_bad_record_stands_alone(
    book: tuple[Contacts, str], tmp_path: Path
):
    contacts, url = book
    one_by_one = contacts._batch

    def all_or_none(method: str, body: Any) -> Any:
        if any(item["external_id"] in ("p3", "p17") for item in body["contacts"]):
            return 422, {"message": "one of them is bad"}
        return one_by_one(method, body)

    contacts._batch = all_or_none  # type: ignore[method-assign]
    bench = Bench(tmp_path, url)
    (written,) = await bench.write(KEYED_BATCHES, rows(*range(20)))
    assert (written.written, len(written.rejected)) == (18, 2)
    assert sorted(letter.record["external_id"] for letter in await bench.letters()) == ["p17", "p3"]
    assert set(contacts.counted("create").values()) == {1}
    keys = [headers["Idempotency-Key"] for _, _, headers, _ in contacts.requests]
    assert len(keys) == len(set(keys)), "what is another request has another key"


async def test_results_that_were_not_acted_upon_are_sent_again(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    busy = {"p2": 2, "p5": 1}

    def refuse(what: str, body: Any) -> Any:
        left = busy.get(body["external_id"], 0)
        busy[body["external_id"]] = left - 1
        return (429, {"message": "slow down"}) if left > 0 else None

    contacts.refuse = refuse
    (written,) = await Bench(tmp_path, url).write(BATCHED, rows(*range(8)))
    assert (written.written, written.rejected) == (8, ())
    assert set(contacts.counted("create").values()) == {1}


async def test_a_refusal_that_meets_everybody_ends_the_run(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.before = lambda call: said(403) if call.method == "POST" else None
    bench = Bench(tmp_path, url)
    with pytest.raises(SynclineError) as told:
        await bench.write(INTO, rows(1, 2, 3))
    assert told.value.exit_code == 4
    assert (await bench.outbox(), await bench.letters(), await bench.page()) == ([], [], (None, None))
    contacts.before = lambda call: said(405) if call.method == "POST" else None
    with pytest.raises(WriteError, match="answered 405"):
        await bench.write(INTO, rows(1, 2, 3))
    assert await bench.outbox() == []


async def test_the_same_refusal_is_a_records_own_where_others_were_accepted(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.refuse = lambda what, body: (403, {"message": "locked"}) if body["external_id"] == "p2" else None
    bench = Bench(tmp_path, url)
    (written,) = await bench.write(INTO, rows(1, 2, 3))
    assert (written.written, [r.reason for r in written.rejected]) == (2, ["the API answered 403: locked"])


async def test_credentials_that_are_refused_end_the_run_with_exit_4(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.before = lambda call: said(401) if call.method == "POST" else None
    bench = Bench(tmp_path, url)
    with pytest.raises(AuthError) as told:
        await bench.write(INTO, rows(1, 2, 3))
    assert told.value.exit_code == 4
    assert told.value.where["end"] == "destination"
    assert (await bench.outbox(), await bench.page()) == ([], (None, None))


async def test_a_long_wait_defers_the_run_and_leaves_no_doubt(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.strike(Limited(wait=86_400))
    bench = Bench(tmp_path, url)
    with pytest.raises(DeferredError):
        await bench.write(INTO, rows(1, 2))
    bench.clock.advance(86_500)
    (written,) = await bench.write(INTO, rows(1, 2))
    assert (written.written + written.unchanged, written.in_doubt) == (2, 0)
    assert set(contacts.counted("create").values()) == {1}


async def test_429_and_5xx_follow_the_retry_rule(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.strike(Limited(at=1, wait=7), Unavailable(at=2), ServerError(at=3))
    heard: list[Event] = []

    def hear(scope: Scope, event: Event) -> None:
        heard.append(event)

    with listening(hear):
        (written,) = await Bench(tmp_path, url).write(KEYED, rows(1))
    assert written.written == 1
    waits = [event.seconds for event in heard if isinstance(event, RetryScheduled)]
    assert waits[0] == 7.0
    assert len(waits) == 3


async def test_without_idempotency_a_500_is_not_repeated_but_looked_up(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.strike(ServerError())
    (written,) = await Bench(tmp_path, url).write(MATCHED, rows(1))
    assert written.written == 1
    assert [(method, path) for method, path, _, _ in contacts.requests] == [
        ("GET", "/contacts?external_id=p1"), ("POST", "/contacts"),
        ("GET", "/contacts?external_id=p1"), ("POST", "/contacts"),
    ]  # fmt: skip


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_gone_at_the_destination_is_kept_or_made_anew(
    book: tuple[Contacts, str], tmp_path: Path, status: int
):
    contacts, url = book
    bench = Bench(tmp_path, url)
    await bench.write(KEYED, rows(1, 2))
    gone = next(number for number, record in contacts.records.items() if record["external_id"] == "p1")
    contacts.records.pop(gone)
    contacts.before = lambda call: said(status) if call.path == f"/contacts/{gone}" else None
    (kept,) = await bench.write(KEYED, rows(1, 2, age=1))
    assert (kept.written, len(kept.rejected)) == (1, 1)
    (anew,) = await bench.write({**KEYED, "on_missing": "recreate"}, rows(1, 2, age=2))
    assert (anew.written, anew.rejected) == (2, ())
    assert contacts.counted("create") == {"p1": 2, "p2": 1}
    (again,) = await bench.write(KEYED, rows(1, age=3))
    assert again.written == 1


async def test_a_redirect_that_would_swallow_the_record_is_no_success(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.before = lambda call: said(301, Location="/elsewhere") if call.method == "POST" else None
    bench = Bench(tmp_path, url)
    with pytest.raises(WriteError, match="turn it into a GET"):
        await bench.write(INTO, rows(1))
    assert await bench.outbox() == []
    assert [method for method, _, _, _ in contacts.requests] == ["POST"]


async def test_an_answer_without_an_id_is_told_at_the_first_record(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    bench = Bench(tmp_path, url)
    with pytest.raises(WriteError, match="has no id at 'uid'"):
        await bench.write({**INTO, "id": "uid", "batch": 1}, rows(*range(50)))
    assert len(contacts.effects) == 1
    (written,) = await bench.write(INTO, rows(*range(50)))
    assert (written.written, written.unchanged) == (49, 1)


async def test_r18_a_lookup_that_cannot_be_read_creates_nothing(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    contacts.create({"external_id": "p1"})
    contacts.effects.clear()
    for into, hint in (
        ({**MATCHED, "found": "data.items"}, "`found`"),
        ({**MATCHED, "id": "uid"}, "`id`"),
    ):
        with pytest.raises(WriteError) as told:
            await Bench(tmp_path / hint[1:-1], url).write(into, rows(1))
        assert hint in str(told.value.hint)
    contacts.before = lambda call: answered([{"id": 9, "email": "somebody@else"}])
    with pytest.raises(WriteError, match="as if it did not look at 'email'"):
        await Bench(tmp_path / "c", url).write({**INTO, "match": "email"}, rows(1))
    assert contacts.effects == []


async def test_several_that_match_are_nobodys(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    for _ in range(2):
        contacts.create({"external_id": "p1"})
    (written,) = await Bench(tmp_path, url).write(MATCHED, rows(1))
    assert [(r.path, "2 records" in r.reason) for r in written.rejected] == [("external_id", True)]


async def test_r31_a_fenced_out_writer_sends_nothing(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    bench = Bench(tmp_path, url)
    async with bench.sink() as sink:
        old = await bench.lease(sink, "old")
        slow = await bench.writer(sink, old, INTO)
        await slow.write(rows(1), [], Checkpoint(resume={"page": 1}), old)
        new = await bench.lease(sink, "new")
        writer = await bench.writer(sink, new, INTO)
        with pytest.raises(LeaseError):
            await slow.write(rows(2), [], Checkpoint(resume={"page": 9}), old)
        with pytest.raises(LeaseError):
            await slow.finish(Checkpoint(cursor="wrong"), old)
        await writer.write(rows(3), [], Checkpoint(resume={"page": 2}), new)
        await writer.finish(Checkpoint(cursor="right"), new)
        assert (await sink.state.load(new.key)).checkpoint.cursor == "right"
    assert contacts.counted("create") == {"p1": 1, "p3": 1}


async def test_r26_what_a_complete_pass_did_not_list_is_deleted_within_its_ratio(
    book: tuple[Contacts, str], tmp_path: Path
):
    contacts, url = book
    bench = Bench(tmp_path, url)
    everybody = range(20)

    async def run(batch: Batch, deletes: Deletes, *, complete: bool = True) -> Any:
        async with bench.sink() as sink:
            lease = await bench.lease(sink)
            writer = await bench.writer(sink, lease, INTO, deletes)
            await writer.write(batch, [], Checkpoint(resume={"page": 1}), lease)
            return await writer.finish(Checkpoint(cursor=1), lease, complete=complete)

    missing = Deletes(missing=True)
    await run(rows(*everybody), missing)
    assert (await run(rows(*range(2, 20)), missing, complete=False)).deleted == 0
    assert (await run(rows(*range(2, 20)), missing)).deleted == 2
    assert contacts.counted("delete") == {"p0": 1, "p1": 1}
    with pytest.raises(PartialError, match="10 of 18 records were not listed any more"):
        await run(rows(*range(2, 10)), missing)
    assert len(contacts.records) == 18
    assert (await run(rows(*range(2, 10)), Deletes(missing=True, max_ratio=1.0))).deleted == 10


async def test_a_refused_deletion_is_kept_and_does_not_hold_the_pass_up(book: tuple[Contacts, str], tmp_path: Path):
    contacts, url = book
    bench = Bench(tmp_path, url)
    await bench.write(INTO, rows(1, 2, 3))
    contacts.delete = lambda number: (409, {"message": "has open invoices"})  # type: ignore[method-assign]
    async with bench.sink() as sink:
        lease = await bench.lease(sink)
        writer = await bench.writer(sink, lease, INTO, Deletes(missing=True, max_ratio=1.0))
        await writer.write(rows(1), [], Checkpoint(resume={"page": 1}), lease)
        assert (await writer.finish(Checkpoint(cursor=1), lease, complete=True)).deleted == 0
    assert [letter.reason for letter in await bench.letters()] == ["the API answered 409: has open invoices"] * 2


async def test_ids_of_one_api_are_not_used_at_another(tmp_path: Path):
    """A sandbox's ids mean other records in production."""
    contacts = Contacts()
    async with serving(contacts) as url:
        sandbox = Bench(tmp_path, url)
        await sandbox.write(INTO, rows(1, 2))
        elsewhere = Bench(tmp_path, "https://crm.example", retry={"attempts": 1})
        elsewhere.clock.advance(600)
        with pytest.raises(
            PlanError, match=r"linked to ids at http://127.0.0.1, and base_url is https://crm.example:443 now"
        ):
            await elsewhere.write(INTO, rows(1, age=1))
        sandbox.clock.advance(1200)
        (written,) = await sandbox.write(INTO, rows(1, 2))
        assert written.unchanged == 2


async def test_a_stream_that_left_nothing_behind_may_go_elsewhere(tmp_path: Path):
    contacts = Contacts()
    async with serving(contacts) as url:
        with pytest.raises(SynclineError):
            await Bench(tmp_path, "http://[::1]:9", retry={"attempts": 1}).write(INTO, rows(1))
        later = Bench(tmp_path, url)
        later.clock.advance(600)
        (written,) = await later.write(INTO, rows(1))
        assert written.written == 1
