"""What the token store keeps, from whom, and how it comes back."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from syncline.errors import AuthError, PlanError, StateError
from syncline.http.tokens import Kept, OvertakenError, find_keys, make_key, runs_out, token_store
from syncline.http.tokens.folder import Folder
from syncline.http.tokens.identity import identity_of
from syncline.http.tokens.keys import Key
from syncline.http.tokens.postgres import Postgres
from syncline.http.tokens.store import Place, SealedStore
from syncline.model import Secret, Token
from tests.http.token_helpers import KEY, KEY_TEXT, database, oauth2, store_in, token
from tests.support.clock import SimulatedClock

TEN_MINUTES = 600.0


def folder_place(path: Path, name: str = "") -> Folder:
    place = Folder(path / "tokens", name or identity_of("shop", oauth2()).name)
    place.prepare()
    return place


@pytest.fixture(params=["folder", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "folder":
        yield folder_place(tmp_path)
        return
    with database() as url:
        yield Postgres(Secret(url), identity_of("shop", oauth2()).name)


class Skewed(SimulatedClock):
    """A process of its own: its wall clock is off, its monotonic clock began elsewhere."""

    def __init__(self, skew: float, began: float = 77.0) -> None:
        super().__init__()
        self.start += timedelta(seconds=skew)
        self.began = began

    def monotonic(self) -> float:
        return self.began + self.elapsed


async def test_a_token_comes_back_as_it_was(place: Place) -> None:
    store = store_in(place)
    assert await store.load() == Kept()
    kept = Kept(token=token(extra={"expires_in": 3600.0, "tenant": "de-1"}), previous=Secret("canary-refresh-0"))
    saved = await store.save(kept)
    assert saved.revision == 1
    back = await store.load()
    assert back.token is not None and kept.token is not None
    assert back.token.expires_at == pytest.approx(kept.token.expires_at, abs=5)
    assert msgspec.structs.replace(back, token=msgspec.structs.replace(back.token, expires_at=4_600.0)) == saved
    assert await store.forget()
    assert not await store.forget()
    assert await store.load() == Kept()


async def test_compare_and_swap(place: Place) -> None:
    mine, other = store_in(place), store_in(place)
    seen = await mine.load()
    await other.save(Kept(token=token(2)))
    with pytest.raises(OvertakenError):
        await mine.save(msgspec.structs.replace(seen, token=token(3)))
    there = await mine.load()
    await mine.save(msgspec.structs.replace(there, token=token(3)))
    with pytest.raises(OvertakenError):
        await other.save(msgspec.structs.replace(there, token=token(4)))
    last = await other.load()
    assert last.revision == 2
    assert last.token is not None
    assert last.token.access == Secret("canary-access-3")


async def test_one_holds_it_at_a_time(place: Place) -> None:
    holders: list[int] = []
    most = 0

    async def hold(number: int) -> None:
        nonlocal most
        async with store_in(place).alone():
            holders.append(number)
            most = max(most, len(holders))
            await asyncio.sleep(0.02)  # the lock waits in real time
            holders.remove(number)

    await asyncio.gather(*(hold(number) for number in range(5)))
    assert most == 1


# S7, S28: at rest


async def test_s7_s28_tokens_at_rest_are_encrypted_and_nobody_elses(tmp_path: Path) -> None:
    store = store_in(folder_place(tmp_path))
    async with store.alone():
        await store.save(Kept(token=token(), previous=Secret("canary-refresh-0"), asked_at=SimulatedClock().now()))
    folder = tmp_path / "tokens"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert {path.suffix for path in files} == {".token", ".lock"}
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes()
        for word in (b"canary", b"practice", b"refresh", b"login.test"):
            assert word not in content
            assert word not in path.name.encode()


async def test_s7_in_postgresql_too() -> None:
    with database() as url:
        place = Postgres(Secret(url), identity_of("shop", oauth2()).name)
        await store_in(place).save(Kept(token=token()))
        found = await place.read()
        assert found is not None
        assert b"canary" not in found[1]


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701])
async def test_s28_a_folder_that_others_can_enter_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "tokens").mkdir(mode=0o700)
    (tmp_path / "tokens").chmod(mode)
    with pytest.raises(StateError, match="open to others") as caught:
        folder_place(tmp_path)
    assert "chmod 700" in str(caught.value.hint)


async def test_s28_a_changed_byte_another_name_or_another_key_opens_nothing(tmp_path: Path) -> None:
    place = folder_place(tmp_path)
    await store_in(place).save(Kept(token=token()))
    found = await place.read()
    assert found is not None
    revision, sealed = found
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        revision = await place.swap(revision, bytes(changed))
        with pytest.raises(AuthError):
            await store_in(place).load()
    other = folder_place(tmp_path, "another-name")
    await other.swap(0, sealed)
    elsewhere = SealedStore(
        other, msgspec.structs.replace(identity_of("shop", oauth2()), name="another-name"), [KEY], SimulatedClock()
    )
    with pytest.raises(AuthError, match="damaged, or belongs to another integration"):
        await elsewhere.load()
    stranger = SealedStore(
        place, identity_of("shop", oauth2()), [Key(value=b"x" * 32, place="there")], SimulatedClock()
    )
    await place.swap(revision, sealed)
    with pytest.raises(AuthError, match="another key") as caught:
        await stranger.load()
    assert KEY.id in str(caught.value.evidence)
    forgiving = SealedStore(
        place, identity_of("shop", oauth2()), [Key(value=b"x" * 32, place="there")], SimulatedClock(), forgiving=True
    )
    assert (await forgiving.load()).token is None


async def test_a_new_key_seals_and_the_old_one_still_opens(tmp_path: Path) -> None:
    place, identity = folder_place(tmp_path), identity_of("shop", oauth2())
    await store_in(place).save(Kept(token=token()))
    new = Key(value=b"n" * 32, place="the new one")
    both = SealedStore(place, identity, [new, KEY], SimulatedClock())
    kept = await both.load()
    await both.save(kept)
    assert (await SealedStore(place, identity, [new], SimulatedClock()).load()).token is not None


async def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    place = folder_place(tmp_path)
    left_over = place.path.with_name(f"{place.path.name}.0badcafe.tmp")
    left_over.write_bytes(b"half")
    await store_in(place).save(Kept(token=token()))
    assert not left_over.exists()


# R11: clocks


@pytest.mark.parametrize("skew", [-TEN_MINUTES, 0.0, TEN_MINUTES])
async def test_r11_a_wrong_wall_clock_never_stretches_a_token(tmp_path: Path, skew: float) -> None:
    writer = SimulatedClock()
    life = 3_600.0
    obtained = token(expires_at=writer.monotonic() + life, extra={"expires_in": life}, obtained_at=writer.now())
    place = folder_place(tmp_path)
    await store_in(place, writer).save(Kept(token=obtained))
    writer.advance(60)

    reader = Skewed(skew + 60)
    kept = await store_in(place, reader).load()
    assert kept.token is not None and kept.token.expires_at is not None
    left = kept.token.expires_at - reader.monotonic()
    assert left == pytest.approx(min(life, life - 60 - skew))


async def test_r11_in_one_process_wall_time_does_not_matter(tmp_path: Path) -> None:
    clock, place = SimulatedClock(), folder_place(tmp_path)
    store = store_in(place, clock)
    await store.save(Kept(token=token(expires_at=clock.monotonic() + 100)))
    clock.advance(30)
    kept = await store.load()
    assert kept.token is not None
    assert kept.token.expires_at == pytest.approx(clock.monotonic() + 70)


async def test_r11_machines_of_one_database_go_by_its_clock() -> None:
    with database() as url:
        name = identity_of("shop", oauth2()).name
        early, late = Skewed(-TEN_MINUTES, 5.0), Skewed(TEN_MINUTES, 900.0)
        obtained = token(expires_at=early.monotonic() + 3_600, extra={"expires_in": 3_600.0})
        await store_in(Postgres(Secret(url), name), early).save(Kept(token=obtained))
        kept = await store_in(Postgres(Secret(url), name), late).load()
        assert kept.token is not None and kept.token.expires_at is not None
        assert kept.token.expires_at - late.monotonic() == pytest.approx(3_600, abs=10)


# Whose token


def test_what_somebody_agreed_to_outlives_a_new_client_secret() -> None:
    fields = {"grant": "authorization_code", "authorize_url": "https://login.test/authorize", "scopes": ["a"]}
    first = identity_of("shop", oauth2(**fields))
    assert identity_of("shop", oauth2(**fields, client_secret=Secret("renewed"), early="2m")) == first
    assert identity_of("other", oauth2(**fields)).name != first.name
    assert identity_of("shop", oauth2(**{**fields, "scopes": ["a", "b"]})).name != first.name


def test_a_refresh_token_renewed_by_hand_replaces_what_is_stored() -> None:
    first, renewed = oauth2(), oauth2(refresh_token=Secret("canary-refresh-new"))
    assert identity_of("shop", first).name == identity_of("shop", renewed).name
    assert identity_of("shop", first).fingerprint != identity_of("shop", renewed).fingerprint
    assert identity_of("shop", first) == identity_of("shop", oauth2(client_secret=Secret("renewed")))


async def test_tokens_of_other_credentials_do_not_serve(tmp_path: Path) -> None:
    place = folder_place(tmp_path)
    await store_in(place).save(Kept(token=token()))
    other = SealedStore(place, identity_of("shop", oauth2(refresh_token=Secret("new"))), [KEY], SimulatedClock())
    assert await other.load() == Kept(revision=1)


# Where the key is


def test_the_key_from_the_environment() -> None:
    (key,) = find_keys({"SYNCLINE_KEY": KEY_TEXT})
    assert key.value == KEY.value
    assert find_keys({"SYNCLINE_KEY": KEY.value.hex()})[0].value == KEY.value
    assert [key.value for key in find_keys({"SYNCLINE_KEY": f"{'00' * 32},{KEY_TEXT}"})] == [bytes(32), KEY.value]
    assert KEY_TEXT not in repr(key)


@pytest.mark.parametrize("text", ["short", "x" * 44, "A" * 43 + "é", ","])
def test_what_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(AuthError) as caught:
        find_keys({"SYNCLINE_KEY": text})
    assert text.strip(",") not in caught.value.block() or text == ","
    assert "openssl rand" in str(caught.value.hint)


def test_s28_a_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    assert find_keys(environment) == []
    key = make_key(environment)
    path = tmp_path / ".config/syncline/key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert make_key(environment) == key == find_keys(environment)[0]
    assert [one.name for one in path.parent.iterdir()] == ["key"]
    path.chmod(0o644)
    with pytest.raises(AuthError, match="read by others"):
        find_keys(environment)


def _make(home: str) -> str:
    return make_key({"HOME": home}).id


@pytest.mark.slow
def test_processes_that_make_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(8) as pool:
        assert len(set(pool.map(_make, [str(tmp_path)] * 16))) == 1


def test_the_key_in_the_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = pytest.importorskip("keyring")
    held: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(keyring, "get_password", lambda service, user: held.get((service, user)))
    monkeypatch.setattr(keyring, "set_password", lambda service, user, text: held.update({(service, user): text}))
    environment = {"HOME": str(tmp_path)}
    key = make_key(environment, keyring=True)
    assert (tmp_path / ".config/syncline/key").read_text() == "keyring"
    assert find_keys(environment) == [key] == find_keys({"SYNCLINE_KEY": "keyring"})
    assert len(held) == 1


# Which store


def choose(
    auth: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str | None = None, **env: str
) -> SealedStore | None:
    monkeypatch.chdir(tmp_path)
    return token_store(where, "shop", auth, SimulatedClock(), {"HOME": str(tmp_path), **env})  # type: ignore[arg-type]


def test_what_is_stored_and_what_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = oauth2(grant="client_credentials")
    assert choose(None, tmp_path, monkeypatch) is None
    assert choose(own, tmp_path, monkeypatch) is None, "no key: a token of one request is not worth making one"
    assert not (tmp_path / ".config").exists()
    assert choose(own, tmp_path, monkeypatch, SYNCLINE_KEY=KEY_TEXT) is not None
    assert choose(own, tmp_path, monkeypatch, "memory", SYNCLINE_KEY=KEY_TEXT) is None
    assert choose(oauth2(), tmp_path, monkeypatch) is not None, "a rotated refresh token is worth a key"
    assert (tmp_path / ".config/syncline/key").exists()
    assert choose(own, tmp_path, monkeypatch, str(tmp_path / "elsewhere")) is not None
    assert (tmp_path / "elsewhere").is_dir()


def test_what_cannot_be_stored_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    login = oauth2(grant="authorization_code", authorize_url="https://login.test/authorize")
    with pytest.raises(AuthError, match="nobody has logged in here"):
        choose(login, tmp_path, monkeypatch)
    with pytest.raises(PlanError, match="cannot keep"):
        choose(login, tmp_path, monkeypatch, "memory")
    with pytest.raises(PlanError, match="neither a folder"):
        choose(login, tmp_path, monkeypatch, "mysql://there", SYNCLINE_KEY=KEY_TEXT)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_costs_a_notice_where_the_token_can_be_had_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o500)
    assert choose(oauth2(), tmp_path, monkeypatch, SYNCLINE_KEY=KEY_TEXT) is None


# Running out


@pytest.mark.parametrize(
    ("life", "left", "warned"),
    [(60, 8, False), (60, 6, True), (1, 0.9, False), (1, 0.2, True), (60, -1, True)],
)
def test_somebody_is_warned_before_they_are_needed(life: float, left: float, warned: bool) -> None:
    clock = SimulatedClock()
    end = clock.now() + timedelta(days=left)
    extra = {"refresh_expires_at": end.timestamp()}
    one = token(obtained_at=end - timedelta(days=life), extra=extra)
    assert runs_out(one, clock.now(), clock.monotonic()) == (end if warned else None)
    alone = Token(
        access=Secret("a"), expires_at=clock.monotonic() + left * 86_400, obtained_at=end - timedelta(days=life)
    )
    assert (runs_out(alone, clock.now(), clock.monotonic()) is not None) is warned
    assert runs_out(token(), clock.now(), clock.monotonic()) is None
