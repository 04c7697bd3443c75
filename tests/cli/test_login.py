"""Logging in: what the browser is sent, what may come back, and what is kept."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from syncline.auth import OAuth2
from syncline.cli.login.flow import LogIn
from syncline.cli.login.loopback import Loopback, Said, listening
from syncline.cli.login.page import page
from syncline.errors import AuthError, SpecError, UsageError
from syncline.model import Secret, SystemClock
from syncline.spec import load
from tests.cli.authority import INTEGRATION, Authority
from tests.cli.conftest import command, environment, syncline

SECRET = "canary-client-secret"


@pytest.fixture
def authority() -> Iterator[Authority]:
    running = Authority()
    yield running
    running.close()


@pytest.fixture
def folder(tmp_path: Path, authority: Authority) -> Path:
    (tmp_path / "practice.yaml").write_text(INTEGRATION.format(url=authority.url, grant="authorization_code"))
    return tmp_path


def known(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "PRACTICE_SECRET": SECRET, "XDG_CONFIG_HOME": "", "SYNCLINE_KEY": ""}


def begin(folder: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("login", "practice.yaml", "--no-browser", "--json", *words),
        cwd=folder,
        env=environment(**known(folder), **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: subprocess.Popen[str], event: str) -> dict[str, Any]:
    assert process.stderr is not None
    for line in process.stderr:
        said: dict[str, Any] = json.loads(line)
        if said["event"] == event:
            return said
    raise AssertionError(process.communicate())


def get(url: str, *, method: str = "GET", host: str | None = None) -> tuple[int, dict[str, str], str]:
    """As a browser would, but with any Host; blocking."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.putrequest(method, f"{parts.path}?{parts.query}", skip_host=True)
        connection.putheader("Host", host if host is not None else parts.netloc)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    out, _ = process.communicate(timeout=30)
    return process.returncode, json.loads(out)


# The whole way, in processes


@pytest.mark.slow
def test_log_in_run_and_forget(folder: Path, authority: Authority) -> None:
    login = begin(folder)
    assert told(login, "key_made")["place"].endswith(".config/syncline/key")
    status, headers, body = get(authority.agree(told(login, "open")["url"]))
    code, result = ended(login)
    assert (status, code) == (200, 0)
    assert "Logged in" in body
    assert headers["Server"] == "Syncline"
    assert result["token"]["stored"] is True
    assert result["token"]["refreshable"] is True
    run = syncline("run", "practice.yaml", "--json", cwd=folder, **known(folder))
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["conduct"]["tokens"] == 0, "the token of the log-in was used"
    for path in folder.rglob("*"):
        if path.is_file():
            assert b"canary" not in path.read_bytes(), path
    shown = syncline("login", "practice.yaml", "--status", cwd=folder, **known(folder))
    assert "holds until" in shown.stdout
    assert "canary" not in shown.stdout + run.stdout + run.stderr
    forgotten = syncline("login", "practice.yaml", "--forget", cwd=folder, **known(folder))
    assert "forgotten" in forgotten.stdout
    again = syncline("run", "practice.yaml", cwd=folder, **known(folder))
    assert again.returncode == 4
    assert "syncline login FILE" in again.stderr


@pytest.mark.slow
def test_r10_revoked_mid_run_then_nobody_comes_in(folder: Path, authority: Authority) -> None:
    login = begin(folder)
    get(authority.agree(told(login, "open")["url"]))
    assert ended(login)[0] == 0
    authority.good.clear()
    run = syncline("run", "practice.yaml", "--json", cwd=folder, **known(folder))
    report = json.loads(run.stdout)
    assert run.returncode == 0, run.stdout
    assert report["account"]["written"] == 3
    assert report["conduct"]["tokens"] == 1, "one refresh, one retry"
    authority.good.clear()
    authority.refuses = "invalid_grant"
    run = syncline("run", "practice.yaml", "--full", cwd=folder, **known(folder))
    assert run.returncode == 4
    assert "invalid_grant" in run.stderr
    assert "canary" not in run.stdout + run.stderr


@pytest.mark.slow
def test_log_in_on_another_device(folder: Path, authority: Authority) -> None:
    (folder / "practice.yaml").write_text(INTEGRATION.format(url=authority.url, grant="device_code"))
    login = begin(folder)
    shown = told(login, "code")
    assert shown["user_code"] == "WDJB-MJHT"
    assert shown["url"] == f"{authority.url}/activate"
    code, result = ended(login)
    assert code == 0, result
    assert len(authority.asked) == 3, "two pending answers, then the token"
    assert syncline("run", "practice.yaml", cwd=folder, **known(folder)).returncode == 0


@pytest.mark.slow
def test_u18_the_exit_codes_of_a_log_in(folder: Path, authority: Authority) -> None:
    late = begin(folder, "--timeout", "1s")
    code, result = ended(late)
    assert code == 4
    assert "nobody came back" in result["error"]["what"]

    refused = begin(folder)
    query = parse_qs(urlsplit(told(refused, "open")["url"]).query)
    no = urlencode({"error": "access_denied", "state": query["state"][0]})
    status, _, body = get(f"{query['redirect_uri'][0]}?{no}")
    code, result = ended(refused)
    assert (code, status) == (4, 400)
    assert "Nobody agreed" in body

    taken = begin(folder, "--port", str(urlsplit(authority.url).port))
    assert ended(taken)[0] == 2

    (folder / "practice.yaml").write_text(
        INTEGRATION.format(url=authority.url, grant="client_credentials").replace(
            f"    device_url: {authority.url}/device\n", ""
        )
    )
    wrong = syncline("login", "practice.yaml", cwd=folder, **known(folder))
    assert wrong.returncode == 2
    assert "needs nobody to log in" in wrong.stderr


@pytest.mark.slow
def test_an_interrupted_log_in_leaves_with_130(folder: Path) -> None:
    import signal

    login = begin(folder)
    told(login, "open")
    login.send_signal(signal.SIGINT)
    code, result = ended(login)
    assert (code, result["exit_code"]) == (130, 130)


# S18 and S19, piece by piece


@asynccontextmanager
async def open_loopback(state: str = "s" * 43, **where: Any) -> AsyncIterator[Loopback]:
    async with listening(where.get("redirect_uri"), where.get("port"), state) as loopback:
        yield loopback


async def ask(url: str, **how: Any) -> tuple[int, dict[str, str], str]:
    return await asyncio.to_thread(lambda: get(url, **how))


def back(loopback: Loopback, **params: str) -> str:
    return f"{loopback.redirect_uri}?{urlencode({'code': 'the-code', 'state': 's' * 43, **params})}"


async def test_s18_the_redirect_leads_to_127_0_0_1_and_nothing_else_listens() -> None:
    async with open_loopback() as loopback:
        parts = urlsplit(loopback.redirect_uri)
        assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/callback")
        assert parts.port
        port = parts.port
    with pytest.raises(ConnectionRefusedError):
        await ask(f"http://127.0.0.1:{port}/callback")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda url: url.replace("/callback", "/callback/"), 404),
        (lambda url: url.replace("/callback", "/Callback"), 404),
        (lambda url: url.replace("/callback", "/"), 404),
        (lambda url: url.replace("/callback", "/favicon.ico"), 404),
        (lambda url: url.replace("s" * 43, "s" * 42 + "t"), 400),
        (lambda url: url.replace("s" * 43, ""), 400),
        (lambda url: url + "&state=" + "s" * 43, 400),
        (lambda url: url + "&code=another", 400),
        (lambda url: url.partition("?")[0], 400),
        (lambda url: url + "&x=" + "y" * 8_050, 400),
    ],
)
async def test_s18_only_the_exact_redirect_with_its_state_is_taken(change: Callable[[str], str], status: int) -> None:
    async with open_loopback() as loopback:
        found, headers, _ = await ask(change(back(loopback)))
        assert found == status
        if "Content-Security-Policy" in headers:
            assert headers["Cache-Control"] == "no-store"
        assert not loopback._arrived.done()


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost:{port}", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}"]
)
async def test_s18_another_host_is_turned_away(host: str) -> None:
    async with open_loopback() as loopback:
        port = urlsplit(loopback.redirect_uri).port
        status, _, _ = await ask(back(loopback), host=host.format(port=port))
        assert status == 421
        assert not loopback._arrived.done()


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS"])
async def test_s18_only_a_plain_redirect_is_taken(method: str) -> None:
    async with open_loopback() as loopback:
        assert (await ask(back(loopback), method=method))[0] == 405
        assert not loopback._arrived.done()


async def test_s18_one_redirect_is_taken_and_no_second() -> None:
    async with open_loopback() as loopback:
        first = asyncio.ensure_future(ask(back(loopback)))
        params = await loopback.redirect(10.0)
        assert params == {"code": "the-code", "state": "s" * 43}
        status, _, body = await ask(back(loopback, code="another"))
        assert status == 410
        assert "Already done" in body
        await loopback.tell(Said("good", "Logged in", "Close this."))
        assert (await first)[0] == 200
        assert (await loopback.redirect(10.0))["code"] == "the-code"


async def test_s18_nobody_waits_for_ever() -> None:
    async with open_loopback() as loopback:
        with pytest.raises(AuthError, match="nobody came back"):
            await loopback.redirect(0.05)


async def test_s18_a_registered_redirect_is_kept_to_the_letter() -> None:
    async with open_loopback() as free:
        port = urlsplit(free.redirect_uri).port
    registered = f"http://127.0.0.1:{port}/oauth/done"
    async with open_loopback(redirect_uri=registered) as loopback:
        assert loopback.redirect_uri == registered
        assert (await ask(back(loopback).replace("/oauth/done", "/callback")))[0] == 404
        with pytest.raises(UsageError, match="cannot listen"):
            async with open_loopback(redirect_uri=registered):
                pass


class _Seen:
    """A teller that remembers, and a token keeper that follows nobody."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.entered: list[Any] = []

    def open_page(self, url: str, redirect_uri: str, seconds: float) -> None:
        self.urls.append(url)

    def enter_code(self, url: str, code: str, whole: str | None, seconds: float) -> None:
        raise AssertionError

    async def enter(self, steps: Any) -> Any:
        self.entered.append(next(steps))
        raise AuthError("the token endpoint refused", evidence="<img src=x onerror=alert(1)>", hint="try again")


def practice(url: str = "https://login.test", **fields: Any) -> OAuth2:
    return OAuth2.model_validate(
        {
            "grant": "authorization_code",
            "authorize_url": f"{url}/authorize",
            "token_url": f"{url}/token",
            "client_id": "practice",
            "client_secret": Secret(SECRET),
            **fields,
        }
    )


async def log_in_once(seen: _Seen, auth: OAuth2, **callback: str) -> tuple[int, str, str]:
    """Start a log-in, come back with these parameters (and the right state); status, page and what was raised."""
    log_in = LogIn(name="practice", auth=auth, tokens=seen, send=seen, clock=SystemClock(), teller=seen)  # type: ignore[arg-type]
    working = asyncio.ensure_future(log_in.token(port=None, seconds=20.0))
    while not seen.urls:  # noqa: ASYNC110 – until the page is shown
        await asyncio.sleep(0.005)
    query = parse_qs(urlsplit(seen.urls[-1]).query)
    params = {"state": query["state"][0], **callback}
    status, _, body = await ask(f"{query['redirect_uri'][0]}?{urlencode(params)}")
    with pytest.raises(AuthError) as caught:
        await working
    return status, body, caught.value.what


async def test_s18_pkce_s256_and_a_state_that_is_never_the_same() -> None:
    states, challenges = set(), set()
    for _ in range(3):
        seen = _Seen()
        await log_in_once(seen, practice(), code="c")
        query = parse_qs(urlsplit(seen.urls[0]).query)
        assert query["code_challenge_method"] == ["S256"]
        states.add(query["state"][0])
        challenges.add(query["code_challenge"][0])
        (sent,) = seen.entered
        form = dict(sent.form)
        assert form["redirect_uri"] == query["redirect_uri"][0]
        verifier = form["code_verifier"].reveal()
        assert 43 <= len(verifier) <= 128
        assert verifier not in seen.urls[0]
    assert len(states) == len(challenges) == 3
    assert min(map(len, states)) >= 43


async def test_s18_the_issuer_is_checked_before_the_code_is_sent_anywhere() -> None:
    seen = _Seen()
    status, body, what = await log_in_once(
        seen, practice(issuer="https://login.test"), code="c", iss="https://evil.test"
    )
    assert status == 400
    assert "configured issuer" in what
    assert seen.entered == []
    assert "https://evil.test" in body


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><script>", "&lt;b&gt;"]
)
async def test_s18_what_strangers_say_is_escaped(hostile: str) -> None:
    seen = _Seen()
    _, body, _ = await log_in_once(seen, practice(), error=hostile, error_description=hostile)
    shown = _Tags()
    shown.feed(body)
    assert shown.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "svg",
        "circle",
        "path",
        "h1",
        "p",
        "dl",
        "dt",
        "dd",
        "footer",
    }
    assert not any(name.startswith("on") or name in ("src", "href") for name in shown.attributes)
    assert hostile not in body


async def test_s18_the_page_runs_nothing_loads_nothing_and_tells_nobody() -> None:
    async with open_loopback() as loopback:
        _, headers, body = await ask(back(loopback, state="wrong"))
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<script|<link|<img|https?://", body)
    assert "the-code" not in body


def test_s18_the_page_says_what_happened() -> None:
    text = page("bad", "That did not work", "Because.", {"Seen": "a & b", "Try": ""})
    assert "<dd>a &amp; b</dd>" in text
    assert "Try" not in text


@pytest.mark.parametrize("field", ["token_url", "authorize_url", "device_url", "refresh_url"])
def test_s19_endpoints_are_https_except_on_this_machine(folder: Path, field: str) -> None:
    text = (folder / "practice.yaml").read_text()
    line = f"    {field}: http://login.example/x\n"
    kept = "".join(one + "\n" for one in text.splitlines() if not one.startswith(f"    {field}:"))
    (folder / "practice.yaml").write_text(kept.replace("    client_id", f"{line}    client_id"))
    with pytest.raises(SpecError) as caught:
        load(folder / "practice.yaml")
    assert any(f"{field} must begin with https://" in mistake.what for mistake in caught.value.mistakes)


def test_the_page_that_documents_the_log_in_is_true(folder: Path) -> None:
    shown = syncline("login", "--help", cwd=folder).stdout
    for word in ("--no-browser", "--port", "--timeout", "--keyring", "--status", "--forget"):
        assert word in shown
        assert word in (Path(__file__).parents[2] / "docs/how-to/login.md").read_text()


@pytest.mark.parametrize("words", [(), ("--keyring",)])
def test_s7_without_a_place_for_the_key_nobody_is_sent_to_log_in(folder: Path, words: tuple[str, ...]) -> None:
    (folder / "file").write_text("")
    config = {"XDG_CONFIG_HOME": str(folder / "file"), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    done = subprocess.run(
        command("login", "practice.yaml", "--no-browser", *words),
        cwd=folder,
        env=environment(**{**known(folder), **config}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 4
    assert "openssl rand -base64 32" in done.stderr or "syncline[keyring]" in done.stderr
    assert "Open this page" not in done.stdout
    assert not (folder / ".syncline").exists(), "nothing was begun"
