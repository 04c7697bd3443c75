"""`syncline new`: from answers and documents, of strangers too, to a project that runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from syncline.auth import ApiKey, Combined
from syncline.cli import main
from syncline.cli.wizard.asking import Wizard
from syncline.errors import UsageError
from syncline.generate.inference import Api, Entity, Guess, read
from syncline.generate.project import checked, compose, write_files
from syncline.generate.project.graphql import on_lines
from syncline.pagination import Cursor
from syncline.rehearsal.simulator.wire import Answer, Call, answered
from syncline.secrets import references
from syncline.sources import Incremental
from syncline.spec import load, loads
from tests.cli.conftest import Answering

KEY = "canary-b81f04"
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
DOCUMENTS = Path(__file__).parent / "documents"
SHOP = DOCUMENTS / "shop.yaml"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*words: str, code: int = 0) -> None:
    assert main(["new", *words, "--no-input"]) == code


def names_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_project_checks_and_passes_its_own_tests(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new("--from", str(SHOP), "--volume", "50k/day")
    assert names_in(here / "practice-shop") == [
        ".env.example",
        ".gitignore",
        "practice-shop.md",
        "practice-shop.yaml",
        "recordings/practice-shop/orders.json",
        "syncline.schema.json",
    ]
    assert "syncline rehearse practice-shop.yaml" in capsys.readouterr().out
    assert main(["check", "practice-shop"]) == 0
    assert main(["test", "practice-shop"]) == 0
    assert main(["doc", "practice-shop/practice-shop.yaml", "-o", "again.md"]) == 0
    assert Path("again.md").read_bytes() == Path("practice-shop/practice-shop.md").read_bytes()
    assert "PRACTICE_SHOP_CLIENT_SECRET=\n" in Path("practice-shop/.env.example").read_text()
    assert ".env" in Path("practice-shop/.gitignore").read_text().splitlines()


def test_every_guess_stands_in_the_file_with_its_evidence(here: Path) -> None:
    text = compose(read(SHOP), checked(entities="orders", volume="50000/day")).text
    assert "# primary_key: 98% sure: the records have 'id'" in text
    assert "# unknown: rate limit" in text
    assert "id: {source: id, required: true}  # integer" in text
    assert "note: note  # text, may be null" in text
    integration = loads(text)
    assert integration.volume == "50000 records/day"
    assert integration.streams[0].incremental is not None


def test_what_is_not_sure_asks_to_be_checked() -> None:
    guess = Guess(Cursor(next="next", param="after"), 0.5, ("a hunch",))
    entity = Entity(name="things", path="/things", pagination=guess)
    draft = compose(Api(name="x", entities=(entity,)), checked(entities="things"))
    assert "# pagination: please check: 50% sure: a hunch" in draft.text
    assert any("primary key of things" in line for line in draft.unknown)
    assert draft.integration.streams[0].into.write == "replace"


@pytest.mark.parametrize(
    ("destination", "mode"),
    [
        ("sqlite", "upsert"),
        ("csv", "append"),
        ("out/{stream}/{run}.jsonl", "append"),
        ("out/{stream}.jsonl", "replace"),
    ],
)
def test_what_changed_is_appended_to_files_where_each_run_has_its_own(destination: str, mode: str) -> None:
    why = ("seen",)
    entity = Entity(
        name="things",
        path="/things",
        primary_key=Guess(("id",), 0.9, why),
        incremental=Guess(Incremental(cursor="at", param="since"), 0.9, why),
    )
    draft = compose(Api(name="x", entities=(entity,)), checked(entities="things", destination=destination))
    (stream,) = draft.integration.streams
    assert stream.into.write == mode
    assert (stream.incremental is None) == (mode == "replace")


def test_one_file_is_no_place_for_streams() -> None:
    with pytest.raises(UsageError, match="each stream needs its own"):
        compose(Api(name="x", entities=(Entity(name="a", path="/a"),)), checked(entities="a", destination="a.csv"))


def test_six_answers_are_enough_without_any_document(here: Path) -> None:
    new(
        *("--source", "Acme CRM", "--entities", "contacts,deals", "--auth", "bearer", "--volume", "100/hour"),
        *("--destination", "csv", "--direction", "one-way"),
    )
    integration = load(here / "acme-crm/acme-crm.yaml")
    assert [stream.path for stream in integration.streams] == ["/contacts", "/deals"]
    assert {name for _, found in references(integration) for name in found.names()} == {
        "ACME_CRM_URL",
        "ACME_CRM_TOKEN",
    }


def test_answers_come_from_a_file_and_options_win(here: Path) -> None:
    (here / "answers.yaml").write_text(f"from: {SHOP}\ndestination: duckdb\nvolume: 10/day\n")
    new("--answers", "answers.yaml", "--volume", "20/day")
    integration = load(here / "practice-shop/practice-shop.yaml")
    assert integration.volume == "20 records/day"
    assert integration.destination.to_data()["url"] == "duckdb:///practice-shop.duckdb"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source", "x", "--entities", "a", "--auth", "oauth"], "did you mean 'oauth2'"),
        (["--source", "x", "--entities", "a", "--volume", "much"], "--volume 50000/day"),
        (["--source", "x", "--entities", "a", "--direction", "two-way"], "--direction one-way"),
        (["--source", "x", "--entities", "a", "--destination", "https://x.example"], "apis.md"),
        (["--source", "x", "--entities", "a", "--destination", "floppy"], "--destination sqlite"),
        (["--source", "x"], "--entities"),
        ([], "--source NAME"),
        (["--from", str(SHOP), "--entities", "ordrs"], "did you mean 'orders'"),
        (["--from", "nothing.yaml"], "cannot be read"),
        (["--source", "x", "--param", "a"], "NAME=VALUE"),
    ],
)
def test_an_answer_that_cannot_be_meant_is_said(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    new(*words, code=2)
    assert said in capsys.readouterr().err
    assert names_in(here) == []


def test_without_a_terminal_the_options_are_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new"]) == 2
    assert "--entities" in capsys.readouterr().err


def test_a_password_in_an_answer_is_in_no_file(here: Path) -> None:
    new("--from", str(SHOP), "--destination", "postgresql://me:canary-77@db.example/shop")
    assert not any(b"canary-77" in path.read_bytes() for path in here.rglob("*") if path.is_file())
    assert "DATABASE_URL=\n" in (here / "practice-shop/.env.example").read_text()


def test_nothing_is_overwritten_and_nothing_lost(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = here / "practice-shop"
    folder.mkdir()
    (folder / "practice-shop.yaml").write_text("mine")
    (folder / ".gitignore").write_text("mine\n")
    new("--from", str(SHOP), code=2)
    assert "--force" in capsys.readouterr().err
    assert names_in(folder) == [".gitignore", "practice-shop.yaml"]
    new("--from", str(SHOP), "--force")
    assert (folder / "practice-shop.yaml~").read_text() == "mine"
    assert (folder / ".gitignore").read_text().splitlines()[:2] == ["mine", ".env"]
    new("--from", str(SHOP))
    assert "practice-shop.yaml~2" not in names_in(folder)


@pytest.mark.parametrize("name", ["../x", "/tmp/x-syncline", "link/x", "a/../../x"])
def test_s16_no_file_is_written_outside_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "else").mkdir()
    (folder / "link").symlink_to(tmp_path / "else")
    with pytest.raises(UsageError, match="leads out of"):
        write_files(folder, {"fine": b"", name: b"x"})
    assert names_in(tmp_path) == []


NASTY = [
    "../../../tmp/evil",
    "'; import os; os.system('touch pwned') #",
    "${cmd:touch pwned}",
    "${AWS_SECRET_ACCESS_KEY}",
    "!!python/object/apply:os.system ['touch pwned']",
    "a\nname: evil\nsource: {kind: rest}",
    "a\u2028b\x85c\x1b[2Jd",
    "```\n# x | y <script>alert(1)</script>",
    "end\n    A->>D: lies",
    "&a [*a, *a]",
    "\x00",
    "x" * 5_000,
]


def nasty_document(bad: str) -> dict[str, Any]:
    record = {
        "type": "object",
        "description": bad,
        "properties": {
            "id": {"type": "integer", "description": bad},
            bad: {"type": "string", "enum": [bad[:500]] * 1_000},
            "inner": {"type": "object", "properties": {bad: {"type": "string"}}},
        },
    }
    answer = {"type": "object", "properties": {"data": {"type": "array", "items": record}, bad: {"type": "string"}}}
    operation = {
        "summary": bad,
        "operationId": bad,
        "parameters": [
            {"name": bad, "in": "query", "schema": {"type": "string", "default": bad}, "required": True},
            {"name": "page", "in": "query", "schema": {"type": "integer"}},
        ],
        "responses": {"200": {"description": bad, "content": {"application/json": {"schema": answer}}}},
    }
    return {
        "openapi": "3.0.3",
        "info": {"title": bad, "version": bad, "description": bad},
        "servers": [{"url": f"https://api.shop.example/{bad}"}],
        "security": [{bad: []}],
        "components": {
            "securitySchemes": {
                bad: {
                    "type": "oauth2",
                    "flows": {
                        "clientCredentials": {
                            "tokenUrl": f"https://api.shop.example/{bad}",
                            "scopes": {bad: bad},
                        }
                    },
                }
            }
        },
        "paths": {"/orders": {"get": operation}, f"/{bad}": {"get": operation}},
    }


@pytest.mark.parametrize("bad", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize("as_yaml", [False, True])
def test_s23_s24_a_hostile_document_gets_nothing(
    here: Path, bad: str, as_yaml: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a command ran"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    data = nasty_document(bad)
    Path("bad.txt").write_text(yaml.dump(data, Dumper=yaml.CSafeDumper) if as_yaml else json.dumps(data))
    folder = here / "project"
    code = main(["new", "--from", "bad.txt", "--entities", "orders", "--dir", str(folder), "--no-input"])
    if code:
        assert code == 2
    else:
        (file,) = folder.glob("*.yaml")
        for place, reference in references(load(file)):
            assert place.startswith("source."), place
            assert not reference.text.startswith("${cmd")
            assert "${AWS_SECRET_ACCESS_KEY}" not in reference.text
        assert main(["check", str(folder)]) == 0
        assert main(["test", str(folder)]) in (0, 2)
        markdown = next(folder.glob("*.md")).read_text()
        inline = [child for token in MARKDOWN.parse(markdown) for child in token.children or ()]
        assert {child.content for child in inline if child.type == "html_inline"} <= {"<!-- -->"}
        assert markdown.count("```mermaid") == 1
        for path in folder.rglob("*"):
            assert path.name.isascii()
            if path.is_file() and path.suffix in (".yaml", ".md"):
                assert "\x1b" not in path.read_text()
    outside = [name for name in names_in(here) if not name.startswith("project/") and name != "bad.txt"]
    assert outside == []
    assert "\x1b" not in capsys.readouterr().out
    assert "canary" not in "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_s23_a_million_values_are_one_field(here: Path) -> None:
    data = nasty_document("x")
    schema = data["paths"]["/orders"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    schema["properties"]["data"]["items"]["properties"]["kind"] = {"type": "string", "enum": ["v"] * 1_000_000}
    Path("big.json").write_text(json.dumps(data))
    new("--from", "big.json", "--entities", "orders", "--param", "x=1", "--dir", "project")
    assert (
        sum(path.stat().st_size for path in (here / "project").rglob("*") if path.suffix in (".yaml", ".md")) < 100_000
    )


def answering(*answers: str) -> Callable[[str], str]:
    left = iter(answers)
    return lambda _: next(left)


def test_the_wizard_asks_six_questions_and_again_where_it_must(capsys: pytest.CaptureFixture[str]) -> None:
    wizard = Wizard({}, [], answering(str(SHOP), "ordrs", "", "floppy", "csv", "", "", "much", "50k/day"))
    learned, said = wizard.ask()
    assert learned.api.title == "Practice Shop"
    assert said == {
        "entities": "orders",
        "destination": "csv",
        "direction": "one-way",
        "auth": "oauth2",
        "volume": "50k/day",
        "params": {},
    }
    shown = capsys.readouterr().out
    assert all(f"  {number} " in shown for number in range(1, 7))
    assert "did you mean 'orders'" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_wizard_does_not_ask_what_an_option_said() -> None:
    said = {"entities": "orders", "destination": "csv", "direction": "one-way", "auth": "oauth2", "volume": "1/day"}
    assert Wizard(said, [str(SHOP)], answering()).ask()[1] == {**said, "params": {}}


def test_what_only_a_person_knows_is_asked() -> None:
    entity = Entity(name="things", path="/shops/{shop}/things", asks=("shop",), worth=Guess(True, 0.9))
    api = Api(name="x", entities=(entity,))
    with pytest.raises(UsageError, match="things needs a value for shop") as caught:
        compose(api, checked(entities="things"))
    assert caught.value.hint == "--param shop=VALUE"
    assert (
        compose(api, checked(entities="things", params={"shop": "7"})).integration.streams[0].path == "/shops/7/things"
    )


PEOPLE = [{"uid": f"u{number}", "name": f"N{number}", "pin": KEY} for number in range(40)]


@pytest.fixture
def people(answering: Answering) -> str:
    """An API of numbered pages that shows nothing without its key."""

    def answer(call: Call) -> Answer:
        if call.path != "/api/people":
            return answered({}, 404)
        if call.headers.get("X-Token") != KEY:
            return answered({}, 401)
        page, size = int(call.params.get("page", 1)), min(int(call.params.get("per_page", 10)), 20)
        return answered({"people": PEOPLE[(page - 1) * size : page * size], "page": page, "total": len(PEOPLE)})

    return answering(answer)


WITH_KEY = ["--auth", "api_key=X-Token:${PEOPLE_TOKEN}"]


@pytest.mark.parametrize("words", [["--source", "{url}/api/people"], ["--from", "{url}/api/people"],
                                   ["--source", "{url}/api", "--entities", "people"]])  # fmt: skip
def test_a_live_api_is_asked_with_credentials_by_reference(
    here: Path, people: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(".env").write_text(f"PEOPLE_TOKEN={KEY}\n")
    new(*(word.format(url=people) for word in words), *WITH_KEY, "--dir", "project")
    (file,) = (here / "project").glob("*.yaml")
    stream = load(file).streams[0]
    assert (stream.path, stream.records, stream.primary_key) == ("/people", "people", ("uid",))
    assert 'key: "${PEOPLE_TOKEN}"' in file.read_text()
    assert "PEOPLE_TOKEN=\n" in (here / "project/.env.example").read_text()
    assert "What the API answered" in (here / "project/recordings/api/people.json").read_text()
    assert main(["test", "project"]) == 0
    written = "".join(path.read_text() for path in (here / "project").rglob("*") if path.is_file())
    assert KEY not in written + capsys.readouterr().out


@pytest.mark.parametrize("words", [["--source", "{url}/api/people"], ["--source", "{url}/api", "--entities", "people"],
                                   ["--source", "{url}/nothing", "--entities", "people"],
                                   ["--source", "http://127.0.0.1:1/api", "--entities", "people"]])  # fmt: skip
def test_what_cannot_be_asked_stops_nothing(
    here: Path, people: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    new(*(word.format(url=people) for word in words), "--dir", "project")
    shown = capsys.readouterr().out
    assert "what the API itself shows" in shown
    assert main(["check", "project"]) == 0
    (file,) = (here / "project").glob("*.yaml")
    assert load(file).streams[0].path == "/people"


def test_the_wizard_asks_for_the_key_and_looks_again(
    here: Path, people: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def waiting(_: str) -> str:
        answer = next(left)
        if answer == "now":
            Path(".env").write_text(f"PEOPLE_TOKEN={KEY}\n")
        return "" if answer == "now" else answer

    address = f"{people}/api/people"
    left = iter(["People", address, "api_key", "PEOPLE_TOKEN", "X-Token", "now", "", "", "", "1/day"])
    learned, said = Wizard({}, [], waiting).ask()
    assert learned.live
    assert said["auth"] == {"kind": "api_key", "key": "${PEOPLE_TOKEN}", "name": "X-Token"}
    assert learned.api.entities[0].primary_key.value == ("uid",)


def test_a_secret_on_the_command_line_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new("--source", "x", "--entities", "a", "--header", "X-Token: s3cret", code=2)
    new("--source", "x", "--entities", "a", "--auth", "bearer=s3cret", code=2)
    (here / "answers.yaml").write_text("source: x\nentities: a\nheaders: {X-Token: s3cret}\n")
    new("--answers", "answers.yaml", code=2)
    assert "s3cret" not in capsys.readouterr().out


GRAPHQL = """
scalar DateTime
type PageInfo { hasNextPage: Boolean! endCursor: String }
type Order { id: ID! number: String! updatedAt: DateTime! customer: Customer }
type Customer { id: ID! email: String }
type OrderConnection { nodes: [Order!]! pageInfo: PageInfo! }
type Query { orders(first: Int, after: String, updatedSince: DateTime): OrderConnection! }
"""


def test_a_graphql_schema_becomes_a_query_on_lines(here: Path) -> None:
    Path("schema.graphql").write_text(GRAPHQL)
    new(
        "--from",
        "schema.graphql",
        "--source",
        "https://api.shop.example/graphql",
        "--auth",
        "bearer",
        "--dir",
        "project",
    )
    (file,) = (here / "project").glob("*.yaml")
    stream = load(file).streams[0]
    assert stream.query is not None
    assert "    nodes {\n      id\n      number\n      updatedAt\n      customer {\n        id\n" in stream.query
    assert "\n  orders(first: $first, after: $after, updatedSince: $updatedSince) {\n" in stream.query
    assert main(["test", "project"]) == 0
    assert stream.mapping is not None
    required = {field.target for field in stream.mapping.fields if field.required}
    assert required == {"id", "number", "updated_at"}, "an order without a customer has no customer_id"


@pytest.mark.parametrize("query", ["{ a { b } }", "query X($a: Int) { x: a(b: $a) { ... on Y { z } } }"])
def test_lines_change_no_query(query: str) -> None:
    assert on_lines(query).split() == query.replace("{", " { ").replace("}", " } ").split()


def test_what_a_few_answers_had_is_not_required(here: Path) -> None:
    answer = json.dumps({"items": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]})
    request = {"method": "GET", "url": "https://api.shop.example/v2/items", "headers": [
        {"name": "Authorization", "value": f"Bearer {KEY}"}], "queryString": []}  # fmt: skip
    content = {"mimeType": "application/json", "text": answer}
    response = {"status": 200, "headers": [{"name": "Content-Type", "value": "application/json"}], "content": content}
    Path("shop.har").write_text(
        json.dumps({"log": {"version": "1.2", "entries": [{"request": request, "response": response}]}})
    )
    new("--from", "shop.har", "--dir", "project")
    (file,) = (here / "project").glob("*.yaml")
    mapping = load(file).streams[0].mapping
    assert mapping is not None
    assert {field.target: field.required for field in mapping.fields} == {"id": True, "name": False}
    assert not any(KEY in path.read_text() for path in (here / "project").rglob("*") if path.is_file())


def test_a_curl_command_is_a_document(here: Path) -> None:
    new("--from", f"curl https://api.shop.example/v2/people -H 'X-Api-Key: {KEY}'", "--dir", "project")
    (file,) = (here / "project").glob("*.yaml")
    assert "key: ${SHOP_API_KEY}" in file.read_text().replace('"', "")
    assert KEY not in file.read_text()


def test_credentials_that_belong_together_stay_together() -> None:
    auths = (
        ApiKey.model_validate({"key": "${X_APP_ID}", "name": "X-App"}),
        ApiKey.model_validate({"key": "${X_API_KEY}", "name": "X-Key"}),
    )
    guess = Guess(Combined(auths=auths), 0.9, ("both are needed",))
    api = Api(name="x", auth=(guess,), entities=(Entity(name="things", path="/things", worth=Guess(True, 0.9)),))
    draft = compose(api, checked(auth=None))
    assert draft.integration.source.to_data()["auth"] == [auth.to_data() for auth in auths]
