"""The API has acted, and the answer is lost: nothing happens twice, nothing is lost, and what nobody can know is said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from syncline.destinations import GraphQLApi
from syncline.errors import SynclineError, WriteError
from syncline.model import Batch
from syncline.rehearsal.simulator.faults import faults
from tests.destinations.api.bench import INTO, KEYED, MATCHED, Bench, rows
from tests.destinations.api.contacts import Contacts, not_like
from tests.support.serving import serving

BATCHED = {
    "batch_create": "POST /contacts/batch",
    "batch_update": "PATCH /contacts/batch",
    "batch_records": "contacts",
    "results": "results",
    "id": "id",
    "batch": 20,
}
ONLY_BATCHES = {**BATCHED, "idempotency_header": "Idempotency-Key"}
BATCHED_MATCHED = {**BATCHED, "batch": 5, "match": "external_id", "lookup": "GET /contacts?external_id={external_id}"}
MUTATIONS = {
    "create": "mutation($input: ContactInput!) { contactCreate(input: $input) { contact { id } userErrors { message } } }",
    "update": "mutation($id: ID!, $input: ContactInput!) { contactUpdate(id: $id, input: $input) { contact { id } } }",
    "match": "email",
    "lookup": "query($email: String!) { contacts(email: $email) { nodes { id email } } }",
    "found": "data.contacts.nodes",
    "answer": "data.contactCreate.contact",
}


@asynccontextmanager
async def contacts_api(**options: Any) -> AsyncIterator[tuple[Contacts, str]]:
    contacts = Contacts(**options)
    async with serving(contacts) as url:
        yield contacts, url


async def until_done(bench: Bench, into: dict[str, Any], *batches: Batch, runs: int = 30) -> int:
    """Run again and again, as a schedule would; gives the number of runs that it took."""
    for run in range(1, runs + 1):
        try:
            await bench.write(into, *batches)
        except SynclineError as error:
            assert isinstance(error, WriteError), error
            continue
        return run
    raise AssertionError(f"not done after {runs} runs")


def assert_once(contacts: Contacts, numbers: range, *, without: tuple[int, ...] = ()) -> None:
    wanted = {f"p{number}" for number in numbers if number not in without}
    assert contacts.counted("create") == dict.fromkeys(wanted, 1)
    assert {record["external_id"] for record in contacts.records.values()} == wanted


@pytest.mark.slow
@pytest.mark.parametrize(("into", "records"), [(KEYED, 1), (ONLY_BATCHES, 20)], ids=["single", "batches"])
async def test_r6_a_thousand_effects_whose_answer_is_lost_happen_once(
    tmp_path: Path, into: dict[str, Any], records: int
):
    """The key is stored before the first send and is the same in every repeat, in later runs too."""
    async with contacts_api(drops=0.2, idempotent=True, refuse=not_like(7, 55)) as (contacts, url):
        bench, start, size = Bench(tmp_path, url), 0, 400
        while contacts.dropped * records < 1_000:
            numbers = range(start, start + size)
            await until_done(bench, into, *(rows(*numbers[at : at + 100]) for at in range(0, size, 100)))
            start += size
        assert_once(contacts, range(start), without=(7, 55))
        assert len(await bench.letters()) == 2
        assert await bench.outbox() == []
        keys = [headers["Idempotency-Key"] for method, _, headers, _ in contacts.requests if method == "POST"]
        assert len(keys) > len(set(keys))


@pytest.mark.parametrize("drops", [0.2, 0.6])
async def test_r6_updates_and_deletes_happen_once_as_well(tmp_path: Path, drops: float):
    async with contacts_api(drops=drops, idempotent=True) as (contacts, url):
        bench, people = Bench(tmp_path, url), range(60)
        await until_done(bench, KEYED, rows(*people))
        await until_done(bench, KEYED, rows(*people, age=1))
        assert contacts.counted("update") == {f"p{number}": 1 for number in people}
        for _ in range(30):
            try:
                await bench.write(KEYED, rows(), gone=[(f"p{number}",) for number in people])
                break
            except WriteError:
                continue
        assert contacts.counted("delete") == {f"p{number}": 1 for number in people}
        assert contacts.records == {}


@pytest.mark.parametrize("into", [MATCHED, BATCHED_MATCHED], ids=["single", "batches"])
async def test_r7_without_idempotency_the_record_is_looked_up_before_anything_is_sent_again(
    tmp_path: Path, into: dict[str, Any]
):
    async with contacts_api(drops=0.2, refuse=not_like(7)) as (contacts, url):
        bench, people = Bench(tmp_path, url), range(200)
        await until_done(bench, into, rows(*people[:100]), rows(*people[100:]))
        assert_once(contacts, people, without=(7,))
        assert contacts.dropped >= 3
        await until_done(bench, into, rows(*people, age=1))
        assert contacts.counted("update") == {f"p{number}": 1 for number in people if number != 7}
        assert await bench.outbox() == []


async def test_r7_graphql_is_looked_up_as_well(tmp_path: Path):
    async with contacts_api(drops=0.2, refuse=not_like(7)) as (contacts, url):
        bench, people = Bench(tmp_path, f"{url}/graphql", kind=GraphQLApi), range(60)
        await until_done(bench, MUTATIONS, rows(*people))
        assert_once(contacts, people, without=(7,))
        assert [(letter.path, letter.reason) for letter in await bench.letters()] == [
            ("email", "has already been taken")
        ]


@pytest.mark.parametrize("struck", ["html", "malformed", "empty", "cut"])
async def test_r7_a_mutation_is_not_believed_done_for_its_status(tmp_path: Path, struck: str):
    async with contacts_api() as (contacts, url):
        bench = Bench(tmp_path, f"{url}/graphql", kind=GraphQLApi)
        await bench.write(MUTATIONS, rows(1))
        contacts.strike(faults()[struck]())
        (written,) = await bench.write(MUTATIONS, rows(1, age=1))
        assert (written.written, written.in_doubt) == (1, 0)
        assert [record["age"] for record in contacts.records.values()] == [1]
        assert contacts.counted("update") == {"p1": 1}


async def test_r7_what_nobody_can_find_out_is_in_doubt_and_never_sent_again(tmp_path: Path):
    async with contacts_api(drops=0.2) as (contacts, url):
        bench, people = Bench(tmp_path, url), range(100)
        (written,) = await bench.write(INTO, rows(*people))
        assert written.in_doubt == contacts.dropped > 5
        assert written.written == 100 - written.in_doubt
        doubts = await bench.outbox()
        assert {doubt.outcome for doubt in doubts} == {"in_doubt"}
        assert len(doubts) == written.in_doubt
        assert all(doubt.passed and doubt.record and doubt.reason for doubt in doubts)
        assert await bench.page() == (None, 1)
        (again,) = await bench.write(INTO, rows(*people))
        assert (again.written, again.unchanged, again.in_doubt) == (0, written.written, written.in_doubt)
        assert_once(contacts, people)
        assert await bench.letters() == []


async def test_r7_a_later_change_of_a_record_in_doubt_is_not_sent_over_it(tmp_path: Path):
    async with contacts_api(drops=1.0) as (contacts, url):
        bench = Bench(tmp_path, url)
        (written,) = await bench.write(INTO, rows(1))
        assert written.in_doubt == 1
        contacts.drop(0.0)
        (changed,) = await bench.write(INTO, rows(1, age=1))
        assert (changed.written, len(changed.rejected)) == (0, 1)
        assert "in doubt" in changed.rejected[0].reason
        assert_once(contacts, range(1, 2))
        assert len(await bench.letters()) == 1


async def test_a_newer_update_makes_the_doubt_about_an_older_one_idle(tmp_path: Path):
    async with contacts_api() as (contacts, url):
        bench = Bench(tmp_path, url)
        await bench.write(INTO, rows(1))
        contacts.drop(1.0)
        (doubtful,) = await bench.write(INTO, rows(1, age=1))
        assert doubtful.in_doubt == 1
        contacts.drop(0.0)
        (newer,) = await bench.write(INTO, rows(1, age=2))
        assert newer.written == 1
        assert await bench.outbox() == []
        assert next(iter(contacts.records.values()))["age"] == 2


async def test_a_lookup_written_later_settles_what_was_in_doubt(tmp_path: Path):
    async with contacts_api(drops=0.5) as (contacts, url):
        bench, people = Bench(tmp_path, url), range(30)
        (written,) = await bench.write(INTO, rows(*people))
        assert written.in_doubt > 5
        contacts.drop(0.0)
        (again,) = await bench.write(MATCHED, rows(*people))
        assert (again.written, again.unchanged, again.in_doubt) == (0, 30, 0)
        assert_once(contacts, people)
        assert await bench.outbox() == []


async def test_operations_that_do_no_harm_twice_are_sent_again(tmp_path: Path):
    async with contacts_api(drops=0.4) as (contacts, url):
        bench, people = Bench(tmp_path, url), range(30)
        await until_done(bench, {**MATCHED, "repeatable": "update"}, rows(*people))
        lookups = sum(method == "GET" for method, _, _, _ in contacts.requests)
        await until_done(bench, {**MATCHED, "repeatable": "update"}, rows(*people, age=3))
        assert sum(method == "GET" for method, _, _, _ in contacts.requests) == lookups
        assert {record["age"] for record in contacts.records.values()} == {3}


async def test_a_key_that_is_at_work_still_is_waited_for(tmp_path: Path):
    """409 for a repeat that comes before the first one is done: Stripe, and the IETF's draft on the header."""
    async with contacts_api(idempotent=True) as (contacts, url):
        turns = iter([True, True])

        def act(call: Any, body: Any) -> Any:
            if call.method == "POST" and next(turns, False):
                return 409, {"error": {"code": "idempotency_key_in_use", "message": "another request is in progress"}}
            return Contacts._act(contacts, call, body)

        contacts._act = act  # type: ignore[method-assign]
        contacts.idempotent = False
        bench = Bench(tmp_path, url)
        (written,) = await bench.write(KEYED, rows(1))
        assert written.written == 1
        keys = {headers["Idempotency-Key"] for method, _, headers, _ in contacts.requests if method == "POST"}
        assert len(keys) == 1
        assert len(contacts.requests) == 3


async def test_while_nothing_answers_the_run_ends_and_the_next_one_finds_out(tmp_path: Path):
    async with contacts_api(drops=1.0, idempotent=True) as (contacts, url):
        bench = Bench(tmp_path, url)
        with pytest.raises(WriteError) as told:
            await bench.write(KEYED, rows(1, 2))
        assert told.value.exit_code == 7
        assert {effect.outcome for effect in await bench.outbox()} == {"sent"}
        assert await bench.page() == (None, None)
        contacts.drop(0.0)
        (written,) = await bench.write(KEYED, rows(1, 2))
        assert (written.written, written.unchanged) == (0, 2)
        assert_once(contacts, range(1, 3))
        assert await bench.outbox() == []


async def test_a_key_that_the_api_has_forgotten_is_no_protection_any_more(tmp_path: Path):
    async with contacts_api(drops=1.0, idempotent=True) as (contacts, url):
        bench = Bench(tmp_path, url, retry={"attempts": 2, "budget": "100%"})
        with pytest.raises(WriteError):
            await bench.write(KEYED, rows(1))
        contacts.drop(0.0)
        contacts._answers.clear()
        bench.clock.advance(25 * 3600)
        (written,) = await bench.write(KEYED, rows(1))
        assert (written.written, written.in_doubt) == (0, 1)
        assert_once(contacts, range(1, 2))
        (doubt,) = await bench.outbox()
        assert doubt.record == dict(zip(rows(1).columns, rows(1).rows[0], strict=True))


async def test_what_ends_a_divided_batch_does_not_forget_its_first_half(tmp_path: Path):
    into = {**ONLY_BATCHES, "write": "append", "create": None, "batch_update": None}
    async with contacts_api(idempotent=True) as (contacts, url):
        whole = contacts._batch
        calls = iter(range(100))

        def act(method: str, body: Any) -> Any:
            call = next(calls)
            return (422, {"message": "one is bad"}) if call == 0 else (401, {}) if call == 2 else whole(method, body)

        contacts._batch = act  # type: ignore[method-assign]
        bench = Bench(tmp_path, url)
        with pytest.raises(SynclineError) as told:
            await bench.write(into, rows(*range(8)))
        assert told.value.exit_code == 4
        assert sorted(effect.outcome for effect in await bench.outbox()) == ["confirmed"] * 4 + ["sent"] * 4
        (written,) = await bench.write(into, rows(*range(8)))
        assert written.written == 8
        assert_once(contacts, range(8))


async def test_a_record_that_cannot_be_made_anew_is_kept(tmp_path: Path):
    into = {**KEYED, "on_missing": "recreate", "create": "POST /contacts?name={name}"}
    async with contacts_api(idempotent=True) as (contacts, url):
        bench = Bench(tmp_path, url)
        await bench.write(into, rows(1))
        contacts.records.clear()
        (written,) = await bench.write(into, rows(1, name=""))
        assert [reject.reason for reject in written.rejected] == ["the API answered 404: no such contact"]
