"""Connections that clients share: with whom, for how long, and what each is told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import CertificateError
from syncline.events import CredentialEnding, Event, listening
from syncline.http import Connection
from syncline.http.pools import IDLE, OLDEST, Pools
from syncline.model import Secret
from tests.http.authority import DAY, Authority, tls_server
from tests.http.raw import http, raw_server
from tests.support.clock import SimulatedClock

ALIVE = http(b"{}", "Connection: keep-alive")


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    async with Pools() as pools:
        yield pools


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def ask(pools: Pools, address: str, clock: SimulatedClock | None = None, **configuration: Any) -> None:
    """One client's whole life: it comes, asks once and leaves."""
    connection = Connection.model_validate({"base_url": address, **configuration})
    async with connection.connect(pools=pools, clock=clock) as client:
        assert (await client.send(client.request("GET", "/x"))).status == 200


def mtls(certificate: tuple[Path, Path]) -> dict[str, Any]:
    return {"kind": "mtls", "certificate": str(certificate[0]), "key": str(certificate[1])}


async def test_clients_that_come_one_after_the_other_share_a_connection(pools: Pools) -> None:
    async with raw_server(ALIVE) as server:
        for _ in range(5):
            await ask(pools, server.address)
        assert (server.connections, len(pools)) == (1, 1)
        await ask(pools, server.address, timeout={"total": "3s"})
        assert (server.connections, len(pools)) == (2, 2)


async def test_a_pool_that_nobody_uses_is_closed(pools: Pools) -> None:
    clock = SimulatedClock()
    async with raw_server(ALIVE) as server:
        await ask(pools, server.address, clock)
        clock.advance(IDLE + 1)
        await ask(pools, server.address, clock, connections=7)
        assert len(pools) == 1
        await ask(pools, server.address, clock)
        assert (server.connections, len(pools)) == (3, 2)


async def test_an_old_pool_takes_no_more_clients_and_keeps_those_that_it_has(pools: Pools) -> None:
    clock = SimulatedClock()
    async with raw_server(ALIVE) as server:
        async with Connection(base_url=server.address).connect(pools=pools, clock=clock) as early:
            for _ in range(int(OLDEST / IDLE) + 2):
                await ask(pools, server.address, clock)
                clock.advance(IDLE)
            assert len(pools) == 2
            assert (await early.send(early.request("GET", "/x"))).status == 200
        await ask(pools, server.address, clock)
        assert (server.connections, len(pools)) == (2, 1)


async def test_s1_a_connection_belongs_to_whom_its_certificate_names(pools: Pools, authority: Authority) -> None:
    one, other = authority.issue("one.test"), authority.issue("other.test")
    settings: dict[str, Any] = {"tls": {"ca": str(authority.certificate)}}
    with tls_server(authority.issue("127.0.0.1"), clients=authority.certificate) as server:
        for certificate in (one, other, one, other):
            await ask(pools, server.address, auth=mtls(certificate), **settings)
        assert server.connections == 2
        for old, new in zip(one, authority.issue("one.test"), strict=True):  # renewed in its place
            new.replace(old)
        await ask(pools, server.address, auth=mtls(one), **settings)
        assert server.connections == 3


async def test_s5_who_trusts_others_shares_nothing(pools: Pools, authority: Authority, tmp_path: Path) -> None:
    tmp_path.joinpath("other").mkdir()
    other = Authority(tmp_path / "other", "Other Authority")
    with tls_server(authority.issue("127.0.0.1")) as server:
        await ask(pools, server.address, tls={"ca": Secret(authority.certificate.read_text())})
        with pytest.raises(CertificateError):
            await ask(pools, server.address, tls={"ca": Secret(other.certificate.read_text())}, retry={"attempts": 1})


async def test_each_client_is_told_of_an_end_that_is_near(pools: Pools, authority: Authority) -> None:
    heard: list[str] = []

    def listen(scope: object, event: Event) -> None:
        if isinstance(event, CredentialEnding):
            heard.append(event.credential)

    ours = authority.issue("client.test", starts=-80 * DAY, ends=5 * DAY)
    theirs = authority.issue("127.0.0.1", starts=-80 * DAY, ends=timedelta(days=3))
    with tls_server(theirs, clients=authority.certificate) as server, listening(listen):
        for _ in range(2):
            await ask(pools, server.address, auth=mtls(ours), tls={"ca": str(authority.certificate)})
    assert server.connections == 1
    assert heard == ["client certificate", "certificate of 127.0.0.1"] * 2
