"""Getting the next token: stored before it is used, and found again after crashes, lost answers and full disks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from syncline.auth import OAuth2
from syncline.errors import AuthError, StateError, TransportError
from syncline.events import Noticed, TokenObtained, listening
from syncline.http import Connection
from syncline.http.tokens import Kept, OvertakenError, SealedStore
from syncline.http.tokens.folder import Folder
from syncline.http.tokens.identity import identity_of
from syncline.model import Clock, Request, Response, Secret, SystemClock, Token
from tests.http.servers import answer
from tests.http.timeline import Timeline
from tests.http.token_helpers import KEY, oauth2

BASE = "https://api.test/v1"


class Vendor:
    """An API whose refresh tokens serve once. `grace` says whether it takes the one before, too."""

    def __init__(self, clock: Clock, *, grace: bool = False, rotates: bool = True) -> None:
        self.clock, self.grace, self.rotates = clock, grace, rotates
        self.number = 0
        self.asked: list[str] = []
        self.loses: int = 0
        self.refused = 0
        self.revoked = False
        self.lifetime = 3_600

    async def __call__(self, request: Request) -> Response:
        await self.clock.sleep(0.05)
        if "login.test" in request.url:
            return self._token(dict(parse_qsl((request.content or b"").decode())))
        shown = request.headers["Authorization"]
        assert isinstance(shown, Secret)
        if shown.reveal() != f"Bearer canary-access-{self.number}" or self.revoked:
            self.refused += 1
            return answer(401, body=b"{}")
        return answer(200, body=b"[]")

    def _token(self, form: dict[str, str]) -> Response:
        self.asked.append(form["refresh_token"])
        known = [f"canary-refresh-{self.number}"]
        if self.grace and self.number:
            known.append(f"canary-refresh-{self.number - 1}")
        if form["refresh_token"] not in known:
            return answer(400, body=b'{"error": "invalid_grant", "error_description": "used before"}')
        if self.rotates:
            self.number += 1
        document: dict[str, Any] = {"access_token": f"canary-access-{self.number}", "expires_in": self.lifetime}
        if self.rotates:
            document["refresh_token"] = f"canary-refresh-{self.number}"
        if self.loses:
            self.loses -= 1
            raise TransportError("the connection broke", sent=True)
        return answer(200, body=json.dumps(document).encode())


def store_of(tmp_path: Path, clock: Clock, auth: OAuth2 | None = None) -> SealedStore:
    identity = identity_of("shop", auth or oauth2())
    place = Folder(tmp_path / "tokens", identity.name)
    place.prepare()
    return SealedStore(place, identity, [KEY], clock)


@asynccontextmanager
async def connected(vendor: Vendor, store: SealedStore | None, **options: Any) -> AsyncIterator[Any]:
    connection = Connection(base_url=BASE, retry={"attempts": 1, "max_wait": "1m"})
    connection = connection.model_copy(update={"auth": oauth2()})
    async with connection.connect(clock=vendor.clock, transport=vendor, tokens=store, **options) as client:
        yield client


async def use(vendor: Vendor, store: SealedStore | None, requests: int = 1, **options: Any) -> list[Any]:
    async with connected(vendor, store, **options) as client:
        work = (client.send(client.request("GET", "/x")) for _ in range(requests))
        return await asyncio.gather(*work, return_exceptions=True)


@pytest.fixture
def clock() -> Timeline:
    return Timeline()


def statuses(results: list[Any]) -> list[Any]:
    return [result.status if isinstance(result, Response) else result for result in results]


async def test_r9_a_rotated_refresh_token_is_stored_before_it_is_used(clock: Timeline, tmp_path: Path) -> None:
    vendor, store = Vendor(clock), store_of(tmp_path, clock)
    stored: list[Secret | None] = []

    async def watching(request: Request) -> Response:
        if "login.test" not in request.url:
            kept = await store.load()
            stored.append(kept.token.refresh if kept.token else None)
        return await vendor(request)

    watching.clock = clock  # type: ignore[attr-defined]
    assert statuses(await clock.run(use(watching, store))) == [200]  # type: ignore[arg-type]
    assert stored == [Secret("canary-refresh-1")]


async def test_the_next_process_goes_on_with_what_is_stored(clock: Timeline, tmp_path: Path) -> None:
    vendor = Vendor(clock)
    for _ in range(3):
        assert statuses(await clock.run(use(vendor, store_of(tmp_path, clock), 5))) == [200] * 5
    assert vendor.asked == ["canary-refresh-0"]
    await clock.run(clock.sleep(4_000))
    assert statuses(await clock.run(use(vendor, store_of(tmp_path, clock), 5))) == [200] * 5
    assert vendor.asked == ["canary-refresh-0", "canary-refresh-1"]


async def test_without_a_store_a_rotation_is_lost_with_the_process(clock: Timeline) -> None:
    vendor = Vendor(clock)
    assert statuses(await clock.run(use(vendor, None))) == [200]
    (error,) = await clock.run(use(vendor, None))
    assert isinstance(error, AuthError), "this is what the store is for"


async def test_r10_a_revoked_token_is_renewed_once_and_the_request_repeated_once(
    clock: Timeline, tmp_path: Path
) -> None:
    vendor, store = Vendor(clock), store_of(tmp_path, clock)

    async def work() -> None:
        async with connected(vendor, store) as client:
            await client.send(client.request("GET", "/x"))
            vendor.number += 1  # every token given out so far is worthless, but the refresh token is good
            kept = await store.load()
            assert kept.token is not None
            good = msgspec.structs.replace(kept.token, refresh=Secret(f"canary-refresh-{vendor.number}"))
            await store.save(msgspec.structs.replace(kept, token=good))
            results = await asyncio.gather(*(client.send(client.request("GET", "/x")) for _ in range(20)))
            assert statuses(list(results)) == [200] * 20
            assert vendor.refused == 20
            vendor.revoked = True
            with pytest.raises(AuthError, match="the renewed ones too") as caught:
                await client.send(client.request("GET", "/x"))
            assert caught.value.exit_code == 4

    await clock.run(work())
    assert len(vendor.asked) == 3


async def _killed_between_answer_and_save(vendor: Vendor, store: SealedStore) -> None:
    """As after kill -9: the server has rotated, the store has the note that somebody was asking, and no new token."""
    kept = await store.save(Kept(token=Token(access=Secret("old"), refresh=Secret("canary-refresh-0"), expires_at=0.0)))
    await store.save(msgspec.structs.replace(kept, asked_at=vendor.clock.now()))
    vendor.number = 1


async def test_after_a_crash_a_server_with_a_grace_period_lets_us_in(clock: Timeline, tmp_path: Path) -> None:
    vendor, store = Vendor(clock, grace=True), store_of(tmp_path, clock)

    async def work() -> list[Any]:
        await _killed_between_answer_and_save(vendor, store)
        return await use(vendor, store)

    assert statuses(await clock.run(work())) == [200]
    assert (await store.load()).asked_at is None


async def test_after_a_crash_a_strict_server_does_not_and_the_error_says_why(clock: Timeline, tmp_path: Path) -> None:
    vendor, store = Vendor(clock), store_of(tmp_path, clock)

    async def work() -> list[Any]:
        await _killed_between_answer_and_save(vendor, store)
        return await use(vendor, store)

    (error,) = await clock.run(work())
    assert isinstance(error, AuthError)
    assert "a process died, or an answer was lost" in str(error.cause)
    assert (await store.load()).asked_at is None, "said once: the next refusal has another reason"


async def test_a_server_that_forgot_its_rotation_takes_the_refresh_token_before(
    clock: Timeline, tmp_path: Path
) -> None:
    vendor, store = Vendor(clock), store_of(tmp_path, clock)

    async def work() -> list[Any]:
        await use(vendor, store)
        await clock.sleep(4_000)
        await use(vendor, store)
        vendor.number = 1  # restored from a backup
        await clock.sleep(4_000)
        return await use(vendor, store)

    assert statuses(await clock.run(work())) == [200]
    assert vendor.asked[2:] == ["canary-refresh-2", "canary-refresh-0", "canary-refresh-1"]


async def test_a_store_that_cannot_be_written_stops_before_the_refresh_token_is_spent(
    clock: Timeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor, store = Vendor(clock), store_of(tmp_path, clock)

    async def full(*_: Any) -> int:
        raise StateError("no room left")

    monkeypatch.setattr(Folder, "swap", full)
    (error,) = await clock.run(use(vendor, store))
    assert isinstance(error, StateError)
    assert vendor.asked == []


async def test_a_lost_answer_is_remembered(clock: Timeline, tmp_path: Path) -> None:
    vendor, store = Vendor(clock), store_of(tmp_path, clock)
    vendor.loses = 1
    (error,) = await clock.run(use(vendor, store))
    assert isinstance(error, TransportError)
    assert (await store.load()).asked_at is not None
    (error,) = await clock.run(use(vendor, store))
    assert isinstance(error, AuthError)
    assert "an answer was lost" in str(error.cause)


async def test_a_run_that_is_cancelled_still_saves_the_answer_to_a_spent_token(tmp_path: Path) -> None:
    # real time: the server answers after 50 ms, and closing must wait for that
    vendor, store = Vendor(SystemClock()), store_of(tmp_path, SystemClock())
    under_way = asyncio.Event()

    async def watching(request: Request) -> Response:
        under_way.set()
        return await vendor(request)

    watching.clock = vendor.clock  # type: ignore[attr-defined]
    async with connected(watching, store) as client:  # type: ignore[arg-type]
        sending = asyncio.ensure_future(client.send(client.request("GET", "/x")))
        await under_way.wait()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    kept = await store.load()
    assert kept.token is not None
    assert kept.token.refresh == Secret("canary-refresh-1")


async def test_where_the_lock_does_not_hold_the_later_token_is_kept_and_said(
    clock: Timeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor, store = Vendor(clock), store_of(tmp_path, clock)
    swap, calls = Folder.swap, []

    async def overtaken(self: Folder, revision: int, sealed: bytes) -> int:
        calls.append(revision)
        if len(calls) == 2:
            raise OvertakenError
        return await swap(self, revision, sealed)

    monkeypatch.setattr(Folder, "swap", overtaken)
    heard: list[Any] = []
    with listening(lambda scope, event: heard.append(event)):
        assert statuses(await clock.run(use(vendor, store))) == [200]
    assert any(isinstance(event, Noticed) and "another process" in event.what for event in heard)


async def test_s9_the_redactor_hears_of_every_token_before_it_is_used(clock: Timeline, tmp_path: Path) -> None:
    vendor, told = Vendor(clock), list[Secret]()
    await clock.run(use(vendor, store_of(tmp_path, clock), on_secret=told.append))
    assert set(told) == {Secret("canary-access-1"), Secret("canary-refresh-1")}
    told.clear()
    await clock.run(use(vendor, store_of(tmp_path, clock), on_secret=told.append))
    assert set(told) == {Secret("canary-access-1"), Secret("canary-refresh-1")}, (
        "found in the store, and known all the same"
    )


async def test_a_run_says_that_the_refresh_token_ends_soon(clock: Timeline, tmp_path: Path) -> None:
    vendor, store = Vendor(clock), store_of(tmp_path, clock)
    now = clock.now()
    ending = Token(
        access=Secret("canary-access-0"),
        refresh=Secret("canary-refresh-0"),
        obtained_at=now.replace(month=1),
        extra={"refresh_expires_at": now.timestamp() + 2 * 86_400},
    )
    await store.save(Kept(token=ending))
    heard: list[Any] = []
    with listening(lambda scope, event: heard.append(event)):
        await clock.run(use(vendor, store, 3))
    (notice,) = [event for event in heard if isinstance(event, Noticed)]
    assert "the refresh token runs out on 2026-11-24" in notice.what
    assert notice.hint is not None and "syncline login FILE" in notice.hint
    assert [event for event in heard if isinstance(event, TokenObtained)] == []


async def test_the_end_of_a_refresh_token_that_stays_is_remembered(clock: Timeline, tmp_path: Path) -> None:
    vendor, store = Vendor(clock, rotates=False), store_of(tmp_path, clock)
    old = Token(
        access=Secret("x"), refresh=Secret("canary-refresh-0"), expires_at=0.0, extra={"refresh_expires_at": 2e9}
    )
    await store.save(Kept(token=old))
    await clock.run(use(vendor, store))
    kept = await store.load()
    assert kept.token is not None
    assert kept.token.extra == {"refresh_expires_at": 2e9, "expires_in": 3_600.0}
