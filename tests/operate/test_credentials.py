"""Whoever serves integrations hears in time of the certificates and tokens that run out, at every run."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from syncline import events
from syncline.http.pools import Pools
from syncline.model import SystemClock
from syncline.operate.alerts.troubles import Trouble, troubles_of
from syncline.operate.monitor import Live, Monitor
from syncline.operate.served import Served
from syncline.operate.server import run_file
from syncline.spec import load
from tests.http.authority import DAY, Authority, tls_server

FILE = """\
name: bank
source:
  kind: rest
  base_url: {url}
  tls: {{ca: {ca}}}
  auth: {{kind: mtls, certificate: {certificate}, key: {key}}}
  retry: {{attempts: 1}}
streams: [{{name: things, path: /things, single: true, into: {{write: append}}}}]
destination: {{kind: sql, url: "sqlite:///{folder}/bank.db"}}
"""


@pytest.mark.parametrize(
    ("ends", "title"),
    [(5 * DAY + timedelta(hours=1), "runs out in 5 days"), (-2 * DAY, "ran out 2 days ago"), (60 * DAY, "")],
)
async def test_a_client_certificate_that_runs_out_is_a_trouble_after_every_run(
    tmp_path: Path, ends: timedelta, title: str
) -> None:
    authority, clock = Authority(tmp_path), SystemClock()
    certificate, key = authority.issue("client.test", starts=-90 * DAY, ends=ends)
    monitor, path = Monitor(clock), tmp_path / "bank.yaml"
    with tls_server(authority.issue("127.0.0.1"), clients=authority.certificate) as server:
        text = FILE.format(
            url=server.address, ca=authority.certificate, certificate=certificate, key=key, folder=tmp_path
        )
        path.write_text(text)
        async with Pools() as pools:
            with events.listening(monitor):
                for _ in range(2):
                    one = Served(path=path, integration=load(path), label="bank")
                    one.done(await run_file(path, asyncio.Event(), clock, pools), clock.now())
                    found = [
                        trouble
                        for trouble in troubles_of(one, monitor.of("bank"), clock.now(), clock.now())
                        if trouble.kind == "credentials"
                    ]
                    assert [trouble.title for trouble in found] == (
                        [f"the client certificate {title}"] if title else []
                    )
                    assert all("put it where certificate points" in trouble.hint for trouble in found)
        connections = server.connections
    assert connections == (1 if ends > timedelta() else 2), "the second run met no handshake of its own"


@pytest.mark.parametrize(
    ("credential", "hint"),
    [
        ("token", "syncline login shop.yaml"),
        ("refresh token", "syncline login shop.yaml"),
        ("certificate of api.shop.example", "ask the provider to renew it"),
    ],
)
def test_each_credential_has_its_own_advice(credential: str, hint: str) -> None:
    now = SystemClock().now()
    live = Live(credential=credential, ends_at=now + timedelta(days=2))
    (trouble,) = troubles_of(Served(path=Path("shop.yaml")), live, now, now)
    assert isinstance(trouble, Trouble) and trouble.hint == hint


def test_of_several_the_first_to_run_out_is_told() -> None:
    now, monitor = SystemClock().now(), Monitor()
    for credential, days in (("certificate of api.shop.example", 9), ("client certificate", 3), ("token", 6)):
        event = events.CredentialEnding(credential=credential, ends_at=now + timedelta(days=days))
        monitor(events.Scope(integration="shop"), event)
    assert monitor.of("shop").credential == "client certificate"
