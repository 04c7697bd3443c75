"""Whatever is broken, a person gets one clear block: at most twelve lines, with what, where and what to do; and an exit code."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from syncline.cli import main
from syncline.rehearsal.simulator.wire import Answer, Call, answered
from tests.cli.conftest import PLAIN, Answering, ShopProcess, write_files
from tests.http.authority import Authority, tls_server

CANARY = "canary-7f3a91c2"
JSON = {"Content-Type": "application/json"}
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)

IN_THE_FILE = {
    "unknown key": ("records: data", "record: data", "did you mean 'records'?"),
    "unknown key inside": ("limit_param:", "limitparam:", "did you mean 'limit_param'?"),
    "wrong type": ("limit: 100", "limit: many", "a whole number is expected"),
    "unknown kind": ("kind: cursor", "kind: cursr", "did you mean 'cursor'?"),
    "unknown transform": ("transform: cents", "transform: cent", "did you mean 'cents'?"),
    "literal secret": ("${SHOP_CLIENT_SECRET}", CANARY, "move it to the environment"),
    "no duration": ("lookback: 5m", "lookback: soon", "write 30s, 5m, 2h or 1d"),
    "broken syntax": ("  - name: orders", "  - name: orders: x", "a ':' stands where no value can begin"),
    "a tab": ("    path:", "\tpath:", "a tab stands here; indent with spaces"),
    "twice": ("schedule:", "name: again\nschedule:", "'name' stands here twice; the first is on line"),
}
HOSTILE = {
    "no UTF-8": (b"\x00\xff\xfe" * 100, "save the file as UTF-8"),
    "a bomb": (BOMB.encode(), "the aliases stand for more than 10,000 values"),
    "a tag": (b"run: !!python/object/apply:os.system [ls]\n", "is not allowed"),
    "deep": (b"[" * 100_000, "levels deep"),
    "nothing": (b"", "the file is empty"),
    "a list": (b"- a\n- b\n", "a block of 'name: value' lines is expected"),
}
OF_THE_SHOP = {
    "wrong record path": ("records: data", "records: dta", 1, "did you mean records: data?"),
    "wrong path": ("path: /orders", "path: /ordes", 1, "check base_url and the stream's path"),
    "wrong cursor path": ("next: meta.next_cursor", "next: meta.nxt", 5, "mend the pagination block"),
    "wrong mapping path": (
        "source: customer.email, req",
        "source: customer.mail, req",
        5,
        "syncline rejects list FILE",
    ),
    "wrong token address": ("/oauth/token", "/oauth/tokn", 4, "check token_url"),
}
CURSOR = "    primary_key: id\n    records: data\n    pagination: {kind: cursor, next: next, param: c}\n"
NEXT = "    primary_key: id\n    records: data\n    pagination: {kind: next_url, next: next}\n"
OF_A_LIAR = {
    "HTML": (200, {"Content-Type": "text/html"}, b"<html><h1>Log in</h1></html>", 1, "open the address in a browser"),
    "nothing": (200, JSON, b"", 1, "on_status"),
    "null": (200, JSON, b"null", 1, "null_is_empty: true"),
    "an object": (200, JSON, b'{"items": [{"id": 1}], "n": 1}', 1, "did you mean records: items?"),
    "numbers": (200, JSON, b"[1, 2, 3]", 5, "syncline rejects list FILE"),
    "half": (200, JSON, b'[{"id": 1}, {"id"', 1, "check the stream's path and format"),
    "deep": (200, JSON, b"[" * 6_000 + b"]" * 6_000, 1, "no honest API nests so deep"),
    "no gzip": (200, {**JSON, "Content-Encoding": "gzip"}, b"plain", 1, "compresses wrongly"),
    "a bomb": (200, {**JSON, "Content-Encoding": "gzip"}, gzip.compress(b" " * 50_000_000), 1, "raise max_ratio"),
    "401": (401, JSON, b'{"error": "no such token"}', 4, "check that the credentials are right"),
    "403": (403, JSON, b'{"message": "you lack orders.read"}', 4, "ask for the missing scope or permission"),
    "404": (404, JSON, b'{"message": "nope"}', 1, "check base_url and the stream's path"),
    "400": (400, JSON, b'{"message": "foo is required"}', 1, "compare the request's parameters"),
    "500": (500, {"X-Request-Id": "req-77"}, b"oops", 1, "run again later, the checkpoint is kept"),
    "429": (429, {"Retry-After": "86400"}, b"", 6, "run again then, the checkpoint is kept"),
    "a redirect": (302, {"Location": "http://127.0.0.2:1/x"}, b"", 1, "allow_hosts: [127.0.0.2:1]"),
}


Told = Callable[..., str]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Run a verb, look at its exit code and at its block's form, and return the block as one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLAIN_TOKEN", CANARY)

    def tell(code: int, *words: str) -> str:
        assert main([*words, "--json"]) == code
        as_data = capsys.readouterr()
        assert main(list(words)) == code
        out, err = capsys.readouterr()
        block = err.strip("\n")
        lines = block.splitlines()
        assert 0 < len(lines) <= 12, err
        assert max(len(line) for line in lines) <= 220
        assert re.match(r"[a-z_]+: ", block), "it begins with a code and what happened"
        shown = out + err + as_data.out + as_data.err
        assert CANARY not in shown
        assert "Traceback" not in shown
        assert "object at 0x" not in shown
        data = json.loads(as_data.out)
        assert data["exit_code"] == code
        assert data["error"]["what"] and data["error"]["code"] == block.partition(":")[0]
        return " ".join(block.split())

    return tell


@pytest.mark.parametrize("case", IN_THE_FILE)
def test_a_mistake_in_the_file_is_told_with_its_place(case: str, told: Told, folder: Path) -> None:
    old, new, words = IN_THE_FILE[case]
    file = folder / "shop.yaml"
    file.write_text(file.read_text().replace(old, new, 1))
    block = told(2, "run", "shop.yaml")
    assert words in block
    assert re.search(r"shop\.yaml:[1-9]\d*:[1-9]\d*: ", block)
    assert not (folder / "shop.db").exists()


@pytest.mark.parametrize("case", HOSTILE)
def test_s11_a_hostile_file_is_told_with_its_place(case: str, told: Told, tmp_path: Path) -> None:
    content, words = HOSTILE[case]
    (tmp_path / "shop.yaml").write_bytes(content)
    block = told(2, "run", "shop.yaml")
    assert words in block and re.search(r"shop\.yaml:[1-9]\d*:[1-9]\d*: ", block)


@pytest.mark.parametrize("case", OF_THE_SHOP)
def test_a_file_that_does_not_fit_the_api_is_told(case: str, told: Told, folder: Path) -> None:
    old, new, code, words = OF_THE_SHOP[case]
    file = folder / "shop.yaml"
    file.write_text(file.read_text().replace(old, new, 1))
    block = told(code, "run", "shop.yaml", "--no-progress", "--full")
    assert words in block and "stream orders" in block and "***" not in block


def test_wrong_and_missing_credentials_are_told(told: Told, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_CLIENT_SECRET", CANARY)
    assert "invalid_client" in told(4, "run", "shop.yaml", "--no-progress")
    file = folder / "shop.yaml"
    file.write_text(file.read_text().replace("SHOP_CLIENT_SECRET", "SET_NOWHERE"))
    assert "export SET_NOWHERE=" in told(4, "run", "shop.yaml", "--no-progress")


@pytest.mark.parametrize("case", OF_A_LIAR)
def test_r18_a_server_that_lies_is_told(case: str, told: Told, tmp_path: Path, answering: Answering) -> None:
    status, headers, body, code, words = OF_A_LIAR[case]
    url = answering(lambda call: Answer(status=status, headers=tuple(headers.items()), body=body))
    (tmp_path / "plain.yaml").write_text(PLAIN.format(url=url))
    block = told(code, "run", "plain.yaml", "--no-progress")
    assert words in block
    assert "integration plain · stream things" in block


@pytest.mark.parametrize(
    "case",
    [
        (CURSOR, ["same"], "gives the same cursor again and again"),
        (CURSOR, ["a", "b"], "go round in a circle"),
        (NEXT, ["http://evil.example/x"], "nothing was sent there"),
    ],
)
def test_r21_a_list_without_end_or_that_leads_away_is_told(
    case: tuple[str, list[str], str], told: Told, tmp_path: Path, answering: Answering
) -> None:
    lists, following, words = case
    asked: list[int] = []

    def answer(call: Call) -> Answer:
        asked.append(1)
        return answered({"data": [{"id": len(asked)}], "next": following[len(asked) % len(following)]})

    text = PLAIN.format(url=answering(answer)).replace("    primary_key: id\n", lists)
    (tmp_path / "plain.yaml").write_text(text)
    assert words in told(1, "run", "plain.yaml", "--no-progress", "--full")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9", "check base_url's host and port"),
        ("https://nothing.invalid", "check base_url's host name"),
        ("http://169.254.169.254", "169.254.169.254"),
        ("htp://example", "base_url"),
    ],
)
def test_a_server_that_cannot_be_reached_is_told(url: str, words: str, told: Told, tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(PLAIN.format(url=url))
    assert words in told(2 if url.startswith("htp:") else 1, "run", "plain.yaml", "--no-progress")


def test_s5_a_server_without_tls_or_with_a_strange_certificate_is_told(
    told: Told, tmp_path: Path, shop: ShopProcess
) -> None:
    (tmp_path / "plain.yaml").write_text(PLAIN.format(url=shop.ready["url"].replace("http:", "https:")))
    assert "does not speak TLS" in told(1, "run", "plain.yaml", "--no-progress")

    with tls_server(Authority(tmp_path).issue("localhost", by_itself=True)) as server:
        address = server.address.replace("127.0.0.1", "localhost")
        (tmp_path / "plain.yaml").write_text(PLAIN.format(url=address))
        assert "certificate" in told(1, "run", "plain.yaml", "--no-progress")


def test_u18_7_a_destination_that_is_none_is_told(told: Told, tmp_path: Path, shop: ShopProcess) -> None:
    write_files(tmp_path, shop.ready)
    (tmp_path / "shop.db").mkdir()
    assert "shop.db" in told(7, "run", "shop.yaml", "--no-progress")
