"""`syncline login` against oidc-provider: a process, a browser, and the run that follows."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import command, environment, syncline
from tests.real.oidc import Browser, Oidc

pytestmark = [pytest.mark.real, pytest.mark.slow]

FILE = """\
name: orders
source:
  kind: rest
  base_url: {url}
  auth:
    kind: oauth2
    grant: {grant}
    authorize_url: {url}/auth
    device_url: {url}/device/auth
    token_url: {url}/token
    client_id: {client}
    client_auth: none
    issuer: {url}
    scopes: [openid, offline_access]
    authorize_params: {{prompt: consent}}
streams:
  - name: orders
    path: /orders
    into: {{write: append}}
destination: {{kind: file, path: out}}
"""


def known(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "XDG_CONFIG_HOME": "", "SYNCLINE_KEY": ""}


def begin(folder: Path, event: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A log-in under way, and what it asks somebody to do."""
    process = subprocess.Popen(
        command("login", "orders.yaml", "--no-browser", "--json"),
        cwd=folder,
        env=environment(**known(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        said: dict[str, Any] = json.loads(line)
        if said["event"] == event:
            return process, said
    raise AssertionError(process.communicate())


def written(folder: Path, oidc: Oidc, grant: str, client: str) -> None:
    (folder / "orders.yaml").write_text(FILE.format(url=oidc.url, grant=grant, client=client))


def test_s18_a_log_in_through_the_browser_of_a_certified_server(oidc: Oidc, tmp_path: Path) -> None:
    written(tmp_path, oidc, "authorization_code", "native")
    process, said = begin(tmp_path, "open")
    redirect = Browser().agree(said["url"], until=said["redirect_uri"])
    assert "Logged in" in Browser().agree(redirect, until="never")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err
    token = json.loads(out)["token"]
    assert (token["stored"], token["refreshable"]) == (True, True)
    _run(tmp_path, oidc)


def test_a_log_in_on_another_device_of_a_certified_server(oidc: Oidc, tmp_path: Path) -> None:
    written(tmp_path, oidc, "device_code", "tv")
    process, said = begin(tmp_path, "code")
    page = Browser().agree(said["url"], until="never", user_code=said["user_code"])
    assert "Sign-in Success" in page
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err
    _run(tmp_path, oidc)


def _run(folder: Path, oidc: Oidc) -> None:
    before = oidc.grants()
    run = syncline("run", "orders.yaml", "--json", cwd=folder, **known(folder))
    assert run.returncode == 0, run.stdout + run.stderr
    assert oidc.grants() == before, "the token of the log-in was used"
