"""Effects and links, on every database that can hold the state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from syncline.errors import LeaseError
from syncline.model import Checkpoint, Rejected
from syncline.state import Effect, Lease, Link, Owner, StateStore
from syncline.state.store import open_state
from tests.destinations.conformance import DATABASES, MAKERS

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY = "crm.people"


@pytest.fixture(params=DATABASES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StateStore]:
    async with opened(request.param, tmp_path) as store:
        yield store


@asynccontextmanager
async def opened(name: str, folder: Path) -> AsyncIterator[StateStore]:
    bench = MAKERS[name](folder)
    try:
        async with open_state(bench.destination.address()) as store:  # type: ignore[attr-defined]
            yield store
    finally:
        bench.drop()


async def lease_of(store: StateStore, run_id: str = "r1", seconds: float = 0) -> Lease:
    now = NOW + timedelta(seconds=seconds)
    return await store.acquire(KEY, Owner(host="h", pid=1, run_id=run_id, place="p", born="b"), now, 60)


def effect(number: int, **changes: Any) -> Effect:
    made = Effect(
        id=f"{number:032x}",
        key=KEY,
        source_key=f'["p{number}"]',
        operation="create",
        content='{"n":1.10,"t":"\\\\u0000"}',
        digest="d" * 64,
        request="POST /contacts",
        call=f"call{number}",
        idempotency_key="k",
        run_id="r1",
        created=NOW,
    )
    return msgspec.structs.replace(made, **changes)


async def test_what_is_kept_reads_back_and_changes_in_place(store: StateStore):
    lease, box = await lease_of(store), store.outbox
    effects = [effect(1), effect(2, letter=7, place=1, call="call1"), effect(3, operation="delete", remote_id=2**70)]
    await box.keep(lease, effects, now=NOW)
    assert await box.effects(KEY) == effects
    changed = effect(
        1,
        outcome="in_doubt",
        remote_id="a",
        path="p",
        reason="r",
        record={"x": Decimal("1.10"), "y": "\ud800"},
        call="c9",
    )
    await box.keep(lease, [changed], removed=[effects[2].id], now=NOW)
    assert await box.effects(KEY) == [changed, effects[1]]
    assert await box.effects(KEY, ("in_doubt",)) == [changed]
    assert await box.effects(KEY, ("sent", "in_doubt"), 1) == [changed]
    assert await box.count(KEY, "in_doubt") == 1
    assert await box.effects("another") == []


async def test_the_checkpoint_moves_past_effects_and_only_doubts_stay(store: StateStore):
    lease, box = await lease_of(store), store.outbox
    kept = [effect(1, outcome="confirmed"), effect(2, outcome="rejected"), effect(3, outcome="in_doubt"), effect(4)]
    await box.keep(lease, kept, now=NOW)
    letter = Rejected(path="email", reason="no", record={"id": 2})
    passed = [one.id for one in kept[:3]]
    await store.commit(lease, Checkpoint(cursor=1), now=NOW, written=1, rejected=[letter], passed=passed)
    left = await box.effects(KEY)
    assert [(one.id, one.passed) for one in left] == [(kept[2].id, True), (kept[3].id, False)]
    assert (await store.load(KEY)).checkpoint.cursor == 1
    assert len(await store.dead_letters.list(KEY)) == 1


async def test_a_fenced_out_holder_keeps_nothing(store: StateStore):
    old, box = await lease_of(store), store.outbox
    new = await lease_of(store, "r2", 61)
    with pytest.raises(LeaseError):
        await box.keep(old, [effect(1)], links=[Link(source_key="k", remote_id=1)], now=NOW)
    with pytest.raises(LeaseError):
        await box.see(old, ["k"], "pass")
    assert (await box.effects(KEY), await box.links(KEY, ["k"])) == ([], {})
    await box.keep(new, [effect(1)], now=NOW)


async def test_links_are_made_changed_seen_and_removed(store: StateStore):
    lease, box = await lease_of(store), store.outbox
    keys = [f'["p{number}"]' for number in range(450)]
    await box.keep(lease, [], links=[Link(source_key=key, remote_id=key[2:-2], digest="d") for key in keys], now=NOW)
    assert len(await box.links(KEY, [*keys, "never"])) == 450
    await box.see(lease, keys[:400], "pass 1")
    assert (await box.count_links(KEY), await box.count_links(KEY, "pass 1")) == (450, 50)
    assert {link.source_key for link in await box.unseen(KEY, "pass 1", 100)} == set(keys[400:])
    await box.keep(lease, [], links=[Link(source_key=keys[0], remote_id=5, digest="e")], unlinked=keys[400:], now=NOW)
    assert (await box.links(KEY, keys[:1]))[keys[0]] == Link(source_key=keys[0], remote_id=5, digest="e")
    assert (await box.count_links(KEY), await box.count_links(KEY, "pass 1")) == (400, 0)
    assert await box.links("another", keys) == {}


@pytest.mark.parametrize("name", DATABASES)
async def test_keys_are_told_apart_as_they_are(name: str, tmp_path: Path):
    """Case, trailing spaces and accents, which some databases take for the same."""
    keys = ['["a"]', '["A"]', '["a "]', '["á"]', '["ａ"]', "[1]", '["1"]', "[1.0]", '["\\\\u0000"]', '["\\\\ud800"]']
    async with opened(name, tmp_path) as store:
        lease = await lease_of(store)
        links = [Link(source_key=key, remote_id=number) for number, key in enumerate(keys)]
        await store.outbox.keep(lease, [], links=links, now=NOW)
        assert await store.outbox.links(KEY, keys) == {link.source_key: link for link in links}


CHANGES = st.lists(
    st.tuples(st.sampled_from(["put", "remove", "see"]), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=20
)


@given(CHANGES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_links_are_a_dictionary(tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int, int]]):
    model: dict[str, Link] = {}
    async with opened("sqlite", tmp_path_factory.mktemp("links")) as store:
        lease = await lease_of(store)
        for what, key, value in changes:
            name = str(key)
            if what == "put":
                model[name] = Link(source_key=name, remote_id=value, digest=str(value))
                await store.outbox.keep(lease, [], links=[model[name]], now=NOW)
            elif what == "remove":
                model.pop(name, None)
                await store.outbox.keep(lease, [], unlinked=[name], now=NOW)
            else:
                await store.outbox.see(lease, [name], str(value))
            assert await store.outbox.links(KEY, [str(number) for number in range(5)]) == model
