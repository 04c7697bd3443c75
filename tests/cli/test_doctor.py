"""The doctor: every check, well and in trouble, each with its fix."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sqlite3
import ssl
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from syncline.auth import Certificate
from syncline.cli.doctor import CHECKS, Finding, credentials, machine, network, storage
from syncline.cli.verbs.doctor import examine
from syncline.databases.sqlite import SqliteDatabase
from syncline.engine.tokens import TokenStatus
from syncline.http.trust import Tls
from syncline.model import Secret, SystemClock
from syncline.spec import loads
from syncline.state import Owner, StreamState
from syncline.state.ledger import Ledger
from syncline.state.schema import prepare
from tests.cli.conftest import PLAIN, syncline

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CANARY = "canary-0123456789"
BOOK = """    primary_key: id
    mapping: {id: id}
    into: {create: POST /people, write: append, idempotency_header: Idempotency-Key}
destination:
  kind: rest
  base_url: http://127.0.0.1:9
  auth:
    kind: oauth2
    grant: authorization_code
    client_id: app
    authorize_url: http://127.0.0.1:9/authorize
    token_url: http://127.0.0.1:9/token
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file whose API is nowhere."""
    monkeypatch.chdir(tmp_path)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "PLAIN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "plain.yaml"
    path.write_text("schedule: every 15 minutes\n" + PLAIN.format(url="http://127.0.0.1:9"))
    env = tmp_path / ".env"
    env.write_text(f"PLAIN_TOKEN={CANARY}\n")
    env.chmod(0o600)
    return path


async def checked(file: Path, *, offline: bool = True) -> dict[str, Finding]:
    """What is found about a file, and the machine, by the check's name."""
    found = await examine([file], SystemClock(), offline=offline)
    return {one.check: one for part in found for one in part.checks}


async def test_u13_at_most_twenty_checks_each_once_and_each_with_its_fix(file: Path) -> None:
    assert len(CHECKS) <= 20
    (alone,) = await examine([], SystemClock(), offline=True)
    assert {one.check for one in alone.checks} < set(CHECKS)
    found = [one for part in await examine([file], SystemClock(), offline=False) for one in part.checks]
    assert [one.check for one in found] == list(CHECKS)
    assert {one.check for one in found if one.level == "bad"} == {"clock"}
    assert all(bool(one.fix) == (one.level in ("warn", "bad")) for one in found)


class TestMachine:
    def test_u13_an_old_python(self) -> None:
        assert machine.python((3, 10, 4)).level == "bad"
        assert machine.python((3, 14, 0)).level == "ok"

    def test_u13_libraries_that_do_not_fit(self) -> None:
        needs = ["aiohttp>=3.12,<4", "pydantic[email]>=2.11", "keyring>=25; extra == 'keyring'"]
        versions: dict[str, str] = {"aiohttp": "3.11.9", "pydantic": "2.11"}
        found = machine.libraries(needs, versions.get)
        assert (found.level, found.fix) == ("bad", "pip install 'aiohttp>=3.12,<4'")
        assert machine.libraries(needs, {**versions, "aiohttp": "4.0"}.get).level == "bad"
        assert machine.libraries(needs, {**versions, "aiohttp": "3.12.0rc1"}.get).level == "ok"
        assert "pydantic is not installed" in machine.libraries(needs, {"aiohttp": "3.13"}.get).said
        assert machine.libraries().level == "ok"

    def test_u13_extras_that_are_missing_or_old(self) -> None:
        needs = ["aiohttp>=3", "keyring>=25; extra == 'keyring'", "cryptography>=43; extra == 'crypto'"]
        assert "not installed: keyring, crypto" in machine.extras(needs, lambda _: None).said
        found = machine.extras(needs, {"cryptography": "41.0", "keyring": "25.6"}.get)
        assert (found.level, found.fix) == ("warn", "pip install --upgrade 'syncline[crypto]'")

    def test_u13_no_time_zones(self) -> None:
        def nothing(_: str) -> object:
            raise LookupError

        assert machine.time_zones(nothing).fix == "pip install tzdata"
        assert machine.time_zones().level == "ok"

    def test_u13_proxy_variables_are_seen_and_their_values_are_not_shown(self) -> None:
        environment = {"HTTPS_PROXY": f"http://user:{CANARY}@proxy:3128", "https_proxy": ""}
        found = machine.proxies(environment)
        assert (found.level, found.said) == ("warn", "HTTPS_PROXY set, and ignored")
        assert machine.proxies(environment, used=True).level == "ok"
        assert machine.proxies({}).level == "ok"


class TestFile:
    async def test_u13_a_file_with_mistakes_ends_its_own_checks_alone(self, file: Path) -> None:
        bad = file.with_name("bad.yaml")
        bad.write_text(file.read_text().replace("primary_key", "primarykey"))
        _, first, second = await examine([bad, file], SystemClock(), offline=True)
        assert [(one.check, one.level) for one in first.checks] == [("file", "bad")]
        assert "primarykey" in first.checks[0].said
        assert second.checks[0].level == "ok"

    async def test_u13_references_without_values(self, file: Path) -> None:
        (file.parent / ".env").unlink()
        found = await checked(file)
        assert found["references"].level == "bad"
        assert "PLAIN_TOKEN is not set" in found["references"].said
        assert found["tokens"].level == "skip"
        assert found["dns"].said == "not looked at (--offline)"

    async def test_u13_managers_are_not_asked_offline(self, file: Path) -> None:
        file.write_text(file.read_text().replace("${PLAIN_TOKEN}", "${vault:secret/shop#token}"))
        assert "1 at secrets managers not asked" in (await checked(file))["references"].said
        assert (await checked(file, offline=False))["references"].level == "bad"

    @pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
    async def test_u13_files_that_others_can_read(self, file: Path) -> None:
        assert (await checked(file))["private files"].level == "ok"
        file.write_text(file.read_text().replace("${PLAIN_TOKEN}", "${file:token.txt}"))
        for name in ("token.txt", ".syncline/tokens/plain.token"):
            path = file.parent / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
            path.chmod(0o640)
            found = (await checked(file))["private files"]
            assert found.level == "warn"
            assert found.fix == f"chmod 600 {path if name == 'token.txt' else name}"
            path.chmod(0o600)
        (file.parent / ".env").chmod(0o604)
        assert "can read" in (await checked(file))["private files"].said

    async def test_s9_no_value_is_in_any_finding(self, file: Path) -> None:
        env = file.parent / ".env"
        env.write_text(env.read_text() + f"A={CANARY}\nB={CANARY}\n")
        text = file.read_text().replace("${PLAIN_TOKEN}", "${A}${cmd:no-such-program}")
        file.write_text(text)
        found = await checked(file, offline=False)
        assert CANARY not in repr(found)
        assert "no-such-program" in found["references"].said


class Made(NamedTuple):
    """A certificate and its key, in one file."""

    path: Path
    certificate: x509.Certificate


def certificate(folder: Path, start: datetime, end: datetime, host: str = "localhost") -> Made:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}-{end:%Y%m%d%H%M}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return Made(path, made)


@asynccontextmanager
async def serving(made: Made) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.path)

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


class TestNetwork:
    async def test_u13_a_name_that_does_not_resolve(self) -> None:
        found = await network.dns("https://no-such-host.invalid/v1")
        assert found.level == "bad"
        assert "no-such-host.invalid cannot be resolved" in found.said
        assert (await network.dns("http://127.0.0.1:9")).level == "ok"

    @pytest.mark.parametrize(
        ("days", "level", "said"),
        [(90, "ok", "holds for 90 days"), (5, "warn", "runs out in 5 days"), (-1, "bad", "certificate has expired")],
    )
    async def test_u13_the_certificate_of_the_api(self, tmp_path: Path, days: int, level: str, said: str) -> None:
        now = datetime.now(UTC)
        made = certificate(tmp_path, now - timedelta(days=30), now + timedelta(days=days, hours=1))
        async with serving(made) as url:
            found = await network.tls(url, Tls(ca=str(made.path)), now)
        assert (found.level, said in found.said) == (level, True), found

    async def test_u13_a_certificate_that_nobody_vouches_for(self, tmp_path: Path) -> None:
        now = datetime.now(UTC)
        async with serving(certificate(tmp_path, now, now + timedelta(days=90))) as url:
            found = await network.tls(url, Tls(), now)
        assert found.level == "bad"
        assert "not trusted" in found.said

    async def test_u13_plain_http_closed_ports_and_no_tls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert (await network.tls("http://api.example", Tls(), NOW)).level == "warn"
        assert (await network.tls("http://127.0.0.1:9", Tls(), NOW)).level == "skip"
        assert "does not answer" in (await network.tls("https://127.0.0.1:9", Tls(), NOW)).said
        monkeypatch.setenv("SYNCLINE_INSECURE_TLS", "api.example")
        assert "not verified" in (await network.tls("https://api.example", Tls(), NOW)).said

    @pytest.mark.parametrize(
        ("ahead", "level"),
        [(0, "ok"), (25, "ok"), (-25, "ok"), (40, "warn"), (-40, "warn"), (600, "warn"), (-600, "warn")],
    )
    async def test_r11_a_clock_more_than_thirty_seconds_off_is_told(self, file: Path, ahead: int, level: str) -> None:
        asked: list[dict[str, str]] = []

        async with Dated(lambda: datetime.now(UTC) - timedelta(seconds=ahead), asked) as address:
            file.write_text(file.read_text().replace("http://127.0.0.1:9", address))
            found = (await checked(file, offline=False))["clock"]
        assert found.level == level, found
        assert level == "ok" or ("ahead of" in found.said) == (ahead > 0)
        assert len(asked) == 1
        assert CANARY not in repr(asked)

    async def test_an_api_without_a_date(self, file: Path) -> None:
        async with Dated(lambda: None, []) as address:
            file.write_text(file.read_text().replace("http://127.0.0.1:9", address))
            assert (await checked(file, offline=False))["clock"].level == "skip"


class Dated:
    """An API whose clock says what it is told to."""

    def __init__(self, now: Callable[[], datetime | None], asked: list[dict[str, str]]) -> None:
        self.now, self.asked = now, asked

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append({"head": head.decode()})
        now = self.now()
        date = f"Date: {format_datetime(now, usegmt=True)}\r\n" if now else ""
        writer.write(f"HTTP/1.1 404 Not Found\r\n{date}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def __aenter__(self) -> str:
        self.server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await self.server.wait_closed()


class TestCredentials:
    @pytest.mark.parametrize(
        ("start", "end", "level"), [(-30, 90, "ok"), (-30, 5, "warn"), (-30, -1, "bad"), (1, 90, "bad")]
    )
    def test_u13_our_own_certificate(self, tmp_path: Path, start: int, end: int, level: str) -> None:
        made = certificate(tmp_path, NOW + timedelta(days=start), NOW + timedelta(days=end))
        by_path = Certificate(chain=Secret(str(made.path)))
        by_text = Certificate(chain=Secret(made.path.read_text().replace("\n", "\\n")))
        assert credentials.client_certificate(by_path, NOW).level == level
        assert credentials.client_certificate(by_text, NOW).level == level

    def test_u13_our_own_certificate_cannot_be_read(self, tmp_path: Path) -> None:
        assert credentials.client_certificate(None, NOW).level == "skip"
        for content in (None, b"no PEM"):
            path = tmp_path / "client.pem"
            if content:
                path.write_bytes(content)
            assert credentials.client_certificate(Certificate(chain=Secret(str(path))), NOW).level == "bad"

    @pytest.mark.parametrize(
        ("fields", "level", "said"),
        [
            ({"login": True}, "bad", "nobody has logged in yet"),
            ({"login": False}, "ok", "obtained when needed"),
            ({"login": True, "problem": "sealed with another key", "hint": "set the key"}, "bad", "another key"),
            ({"stored": True, "expires_at": NOW - timedelta(hours=2)}, "bad", "the token ran out 2 h ago"),
            ({"stored": True, "refreshable": True, "expires_at": NOW - timedelta(hours=2)}, "ok", "renewed by itself"),
            (
                {"stored": True, "refresh_expires_at": NOW - timedelta(days=3)},
                "bad",
                "refresh token ran out 3 days ago",
            ),
            ({"stored": True, "runs_out": NOW + timedelta(days=3)}, "warn", "runs out in 3 days"),
            ({"stored": True, "refreshable": True, "refresh_expires_at": NOW + timedelta(days=60)}, "ok", "60 days"),
            ({"stored": True, "expires_at": NOW + timedelta(days=60)}, "ok", "for 60 days"),
        ],
    )
    def test_u13_tokens(self, fields: dict[str, Any], level: str, said: str) -> None:
        status = TokenStatus(**{"grant": "authorization_code", "place": "there", "login": True, **fields})
        found = credentials.tokens(status, "syncline login shop.yaml", NOW)
        assert (found.level, said in found.said) == (level, True), found
        assert level == "ok" or found.fix in ("syncline login shop.yaml", "set the key")

    def test_no_token(self) -> None:
        assert credentials.tokens(None, "syncline login shop.yaml", NOW).level == "skip"

    async def test_u13_a_destination_that_is_an_api_needs_its_token_too(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SYNCLINE_KEY", base64.b64encode(bytes(32)).decode())
        before = "    primary_key: id\ndestination:\n  kind: sql\n  url: sqlite:///plain.db\n"
        assert before in file.read_text()
        file.write_text(file.read_text().replace(before, BOOK))
        found = await checked(file)
        assert found["tokens"].level == "bad"
        assert "destination: nobody has logged in yet" in found["tokens"].said
        assert found["tokens"].fix == f"syncline login {file} --destination"


class Free(NamedTuple):
    free: int


INTEGRATION = loads("schedule: every 15 minutes\n" + PLAIN.format(url="http://127.0.0.1:9"))
KEYS = {"plain": "things"}


class TestStorage:
    def test_u13_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        found = storage.write_access(tmp_path / "file", tmp_path / "file" / "state.db")
        assert found.level == "bad"
        assert found.fix
        assert storage.write_access(tmp_path, tmp_path / "state.db").level == "ok"
        (tmp_path / "taken.db").mkdir()
        assert storage.write_access(tmp_path, tmp_path / "taken.db").level == "bad"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken.db"]

    def test_u13_a_disk_that_is_nearly_full(self, tmp_path: Path) -> None:
        levels = [storage.disk(tmp_path, lambda _, free=free: Free(free)).level for free in (10**7, 10**8, 10**10)]
        assert levels == ["bad", "warn", "ok"]

    def test_u13_sqlite_is_old_or_has_no_write_ahead_log(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert storage.sqlite(tmp_path).level == "ok"
        assert "too old" in storage.sqlite(tmp_path, "3.31.1").said
        real = sqlite3.connect

        class WithoutSharedMemory(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                return super().execute(sql.replace("WAL", "DELETE"), *args)

        monkeypatch.setattr(sqlite3, "connect", lambda path: real(path, factory=WithoutSharedMemory))
        found = storage.sqlite(tmp_path)
        assert (found.level, "no write-ahead log (mode delete)" in found.said) == ("bad", True)
        assert list(tmp_path.iterdir()) == []

    def test_the_place_of_the_state(self) -> None:
        assert storage.place(INTEGRATION) == Path("plain.db")
        text = PLAIN.format(url="http://x").replace("kind: sql\n  url: sqlite:///plain.db", "kind: file\n  path: out")
        text = text.replace("primary_key: id", "into: {write: append}")
        assert storage.place(loads(text)) == storage.DEFAULT
        assert storage.place(loads(text + "state: sqlite:////var/lib/s.db\n")) == Path("/var/lib/s.db")
        assert [one.level for one in storage.on_disk(None)] == ["skip"] * 3

    def test_u13_leases_of_processes_that_are_gone(self) -> None:
        alive = StreamState(
            key="plain", status="running", owner=Owner.current(), lease_until=NOW + timedelta(minutes=1)
        )
        assert storage.leases([alive], KEYS, "plain.yaml", NOW).level == "ok"
        mine = Owner.current()
        dead = StreamState(
            key="plain", status="running", owner=Owner(host=mine.host, pid=2**22 + 1, place=mine.place, born="1")
        )
        found = storage.leases([dead], KEYS, "plain.yaml", NOW)
        assert (found.level, "syncline run plain.yaml" in str(found.fix)) == ("warn", True)
        elsewhere = Owner(host="other", pid=1, place="other")
        late = StreamState(key="plain", status="running", owner=elsewhere, lease_until=NOW - timedelta(minutes=1))
        assert storage.leases([late], KEYS, "plain.yaml", NOW).level == "warn"
        assert storage.leases([], KEYS, "plain.yaml", NOW).level == "ok"

    def test_u13_open_rejects(self) -> None:
        found = storage.open_rejects({"things": 12, "others": 0, "many": 1_000}, "plain.yaml")
        assert (found.level, found.said) == ("warn", "open: things: 12, many: 1,000+")
        assert storage.open_rejects({"things": 0}, "plain.yaml").level == "ok"

    @pytest.mark.parametrize(
        ("state", "level", "said"),
        [
            ({"last_sync_at": NOW - timedelta(minutes=20)}, "ok", "20 min ago"),
            ({"last_sync_at": NOW - timedelta(hours=1)}, "warn", "stale: things last came 60 min ago"),
            ({"last_sync_at": NOW, "status": "failed", "error": "the API is unwell"}, "bad", "the API is unwell"),
            ({}, "skip", "not synced yet: things"),
        ],
    )
    def test_u13_streams_that_are_stale_or_failed(self, state: dict[str, Any], level: str, said: str) -> None:
        found = storage.streams([StreamState(key="plain", **state)], KEYS, INTEGRATION, "plain.yaml", NOW)
        assert (found.level, said in found.said) == (level, True), found

    async def test_u13_a_damaged_state_is_told(self, file: Path) -> None:
        (file.parent / "plain.db").write_bytes(b"this is no database " * 100)
        found = await checked(file)
        assert found["leases"].level == "bad"
        assert found["rejects"].level == "skip"

    async def test_what_the_state_tells(self, file: Path) -> None:
        with closing(SqliteDatabase.open(file.parent / "plain.db")) as database:
            prepare(database)
            Ledger(database).acquire("plain", Owner.current("now"), datetime.now(UTC), 60.0)
        found = await checked(file)
        assert "things is being synced by process" in found["leases"].said
        assert found["rejects"].level == "ok"

    async def test_looking_leaves_nothing_behind(self, file: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in file.parent.rglob("*")}
        await checked(file, offline=False)
        assert {path: path.stat().st_mtime_ns for path in file.parent.rglob("*")} == before


@pytest.fixture
def unproxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    yield


@pytest.mark.slow
@pytest.mark.usefixtures("unproxied")
def test_the_verb_says_it_in_a_table_and_as_json(file: Path) -> None:
    well = syncline("doctor", "plain.yaml", "--offline", cwd=file.parent)
    assert well.returncode == 0, well.stdout + well.stderr
    assert "plain  plain.yaml" in well.stdout
    assert "✓ references" in well.stdout
    trouble = syncline("doctor", ".", cwd=file.parent)
    assert trouble.returncode == 1
    assert "✗ clock" in trouble.stdout
    assert "fix" in trouble.stdout
    as_data = syncline("doctor", "plain.yaml", "--json", cwd=file.parent)
    assert as_data.returncode == 1
    found = json.loads(as_data.stdout)
    assert (found["ok"], found["counts"]["bad"]) == (False, 1)
    assert [part["name"] for part in found["examined"]] == ["machine", "plain"]
    assert CANARY not in well.stdout + trouble.stdout + as_data.stdout
    assert syncline("doctor", cwd=file.parent).returncode == 0
    assert stat.S_IMODE((file.parent / ".env").stat().st_mode) == 0o600
