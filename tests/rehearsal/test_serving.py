"""The simulator on loopback: what is simulated under a run really happens to one over the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline.engine import Report, arun
from syncline.rehearsal.acting import Act
from syncline.rehearsal.serving import serving
from syncline.rehearsal.simulator.faults import Fault, faults
from syncline.rehearsal.simulator.seen import Seen
from syncline.secrets.dotenv import read_dotenv
from syncline.spec import loads
from tests.rehearsal.acts import PLAIN, RENEWED
from tests.support.landed import rows

QUICK = "retry: {base: 10ms, max_wait: 5s}\n  timeout: {read: 200ms, total: 2s}\n  base_url:"


async def _run(text: str, folder: Path, *struck: Fault) -> tuple[Report, list[Seen]]:
    integration = loads(text.replace("base_url:", QUICK))
    act = Act(name="served", seed=3, sizes={stream.name: 25 for stream in integration.streams}, faults=struck)
    seen: list[Seen] = []
    async with serving(integration, act, folder, watch=seen.append) as file:
        return await arun(file, environment=read_dotenv(folder / ".env")), seen


@pytest.mark.parametrize("name", ["reset-after", "cut", "malformed", "empty", "html", "500", "timeout-after"])
async def test_what_breaks_really_breaks_and_is_survived(name: str, tmp_path: Path) -> None:
    report, seen = await _run(PLAIN, tmp_path, faults()[name](at=2))
    assert report.status == "done"
    assert report.conduct.retries == 1
    assert [one.fault for one in seen if one.fault] == [name]
    assert len(rows(tmp_path / "rows.sqlite", "things")) == 25


async def test_several_addresses_and_tokens_that_are_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    text = RENEWED.replace("https://api.notes.example/token", "https://login.notes.example/token")
    report, seen = await _run(text, tmp_path, faults()["token-revoked"](at=2))
    assert report.status == "done"
    assert sum(one.kind == "token" for one in seen) == 2
    assert len(rows(tmp_path / "rows.sqlite", "notes")) == 25
    assert not (tmp_path / "config").exists()  # nothing is left behind, no key either


async def test_nobody_else_can_read_the_secrets_that_were_made_up(tmp_path: Path) -> None:
    await _run(PLAIN, tmp_path)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
