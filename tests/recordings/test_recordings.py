"""Answers kept once, without secrets, and played again offline against what is expected of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from syncline.cli import main
from syncline.model import decode_json
from syncline.recordings import Exchange, Expected, Recording, record, replay
from syncline.rehearsal.simulator.wire import Answer, Call, answered
from syncline.spec import load
from tests.cli.conftest import Answering

CANARY = "canary-5d1e77aa"
FILE = """\
name: books
source:
  kind: rest
  base_url: ${BOOKS_URL}/v1
  auth: {kind: bearer, token: "${BOOKS_TOKEN}"}
  params: {version: "${BOOKS_TOKEN}"}
  retry: {attempts: 1, max_wait: 1m}
streams:
  - name: books
    path: /books
    params: {shelf: "${BOOKS_TOKEN}"}
    records: data
    primary_key: id
    pagination: {kind: next_url, next: next}
    mapping:
      id: {source: id, required: true}
      title: {source: title, required: true, transform: trim}
      price: price
destination: {kind: sql, url: "sqlite:///books.db"}
"""
BOOKS = [
    {"id": 9007199254740993, "title": " Dune ", "price": 12.50, "access_token": "from-the-api-itself"},
    {"id": 2, "title": None, "price": 1},
    {"id": 3, "title": f"echoes {CANARY}", "price": 2},
]


@pytest.fixture
def books(tmp_path: Path, answering: Answering, monkeypatch: pytest.MonkeyPatch) -> Path:
    def answer(call: Call) -> Answer:
        page = 2 if "page=2" in call.url else 1
        body: dict[str, Any] = {"data": BOOKS[:2] if page == 1 else BOOKS[2:], "next": None}
        if page == 1:
            body["next"] = f"http://{call.headers['Host']}/v1/books?page=2"
        return answered(body, headers={"X-Echo": CANARY, "Set-Cookie": "a=b", "X-RateLimit-Limit": "9"})

    url = answering(answer)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "books.yaml").write_text(FILE)
    (tmp_path / ".env").write_text(f"BOOKS_URL={url}\nBOOKS_TOKEN={CANARY}\n")
    assert main(["test", "books.yaml", "--record"]) == 0
    return tmp_path / "recordings/books/books.json"


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_s9_a_recording_has_no_secret_in_it(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = books.read_text()
    assert CANARY not in text + capsys.readouterr().out
    assert "from-the-api-itself" not in text
    assert "127.0.0.1" not in text
    recording = decode_json(text)
    assert recording["exchanges"][0]["request"] == "GET /books?shelf=%2A%2A%2A"
    assert set(recording["exchanges"][0]["headers"]) == {"Content-Type", "Date", "X-RateLimit-Limit"}


def test_it_is_played_again_offline_without_credentials(
    books: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").unlink()
    (done,) = told(capsys, "test", "books.yaml", code=0)["recordings"]
    assert done["account"] == {"read": 3, "written": 2, "rejected": 1}
    assert done["pages"] >= 2
    expected = decode_json(books.read_bytes())["expect"]
    assert expected["rows"][0] == {"id": 9007199254740993, "title": "Dune", "price": decode_json("12.5")}
    assert expected["rejected"][0]["path"] == "title"
    assert not Path("books.db").exists()


def test_a_mapping_that_gives_something_else_is_told_field_by_field(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(Path("books.yaml"), "price: price", "price: {source: price, transform: cents}")
    (done,) = told(capsys, "test", "books.yaml", code=1)["recordings"]
    assert done["differences"] == ["rows[0].price: expected 12.5, got 1250", "rows[1].price: expected 2, got 200"]
    assert main(["test", "books.yaml"]) == 1
    assert "✗ books" in capsys.readouterr().out
    assert main(["test", "books.yaml", "--update"]) == 0
    assert main(["test", "books.yaml"]) == 0


def test_an_expectation_can_be_edited(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(books, '"title": "Dune"', '"title": "Emma"')
    (done,) = told(capsys, "test", "books.yaml", code=1)["recordings"]
    assert done["differences"] == ['rows[0].title: expected "Emma", got "Dune"']


def test_a_request_that_was_not_recorded_is_said(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(Path("books.yaml"), "path: /books", "path: /novels")
    (done,) = told(capsys, "test", "books.yaml", code=1)["recordings"]
    assert "GET /novels?shelf=%2A%2A%2A was not recorded" in done["error"]["what"]


def test_a_wrong_record_path_fails(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(Path("books.yaml"), "records: data", "records: items")
    (done,) = told(capsys, "test", "books.yaml", code=1)["recordings"]
    assert not done["passed"]


def test_without_recordings_it_says_how_to_make_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "books.yaml").write_text(FILE)
    assert main(["test", str(tmp_path / "books.yaml")]) == 2
    assert "--record" in capsys.readouterr().err


def test_what_is_no_recording_is_said(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    books.write_text("{")
    assert main(["test", "books.yaml"]) == 2
    assert "is not a recording" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("paging", "line", "sized"),
    [
        ("{kind: offset}", "GET /books?offset=0&limit=2", 2),
        ("{kind: page, size_param: n}", "GET /books?page=1&n=2", 2),
        ("{kind: cursor, next: next, param: after}", "GET /books", None),
    ],
)
async def test_small_pages_are_asked_for_where_that_can_be(
    tmp_path: Path,
    answering: Answering,
    paging: str,
    line: str,
    sized: int | None,
) -> None:
    url = answering(lambda call: answered({"data": [{"id": 1, "title": "a"}], "next": None}))
    text = FILE.replace("{kind: next_url, next: next}", paging).replace(
        'params: {shelf: "${BOOKS_TOKEN}"}', "params: {}"
    )
    (tmp_path / "books.yaml").write_text(text)
    environment = {"BOOKS_URL": url, "BOOKS_TOKEN": CANARY}
    ((path, recording),) = await record(tmp_path / "books.yaml", records=2, environment=environment)
    assert path == tmp_path / "recordings/books/books.json"
    assert (recording.exchanges[0].request, recording.page_size) == (line, sized)
    done = await replay(load(tmp_path / "books.yaml"), recording)
    assert done.passed
    assert done.outcome.account == {"read": 1, "written": 1}


async def test_true_is_not_one(tmp_path: Path) -> None:
    (tmp_path / "books.yaml").write_text(FILE.replace('params: {shelf: "${BOOKS_TOKEN}"}', "params: {}"))
    answer = {"data": [{"id": 1, "title": "a", "price": True}], "next": None}
    recording = Recording(
        about="",
        stream="books",
        base_url="https://recorded.example/v1",
        exchanges=[Exchange(request="GET /books", answer=answer)],
        expect=Expected(account={"read": 1, "written": 1}, rows=[{"id": 1, "title": "a", "price": 1}]),
    )
    done = await replay(load(tmp_path / "books.yaml"), recording)
    assert done.differences == ["rows[0].price: expected 1, got true"]
