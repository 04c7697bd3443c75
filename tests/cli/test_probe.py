"""`syncline probe`: findings for people and programs, secrets by reference, exit codes as documented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from syncline.cli import main
from tests.cli.conftest import ShopProcess, syncline

DOCUMENT = """
openapi: 3.0.3
info: {title: "Shop \\e[31m", version: "1"}
paths:
  /orders:
    get:
      parameters: [{name: page, in: query, schema: {type: integer}}]
      responses:
        "200":
          content: {application/json: {schema: {type: array, items: {type: object, properties: {id: {type: integer}}}}}}
"""


@pytest.fixture
def document(tmp_path: Path) -> str:
    path = tmp_path / "openapi.yaml"
    path.write_text(DOCUMENT)
    return str(path)


def test_findings_stand_beside_their_evidence(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", document]) == 0
    shown = capsys.readouterr().out
    assert "● orders  GET /orders" in shown
    assert "the parameter 'page' takes the number of a page" in shown
    assert "unknown" in shown
    assert "\x1b" not in shown


def test_programs_get_everything(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", document, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["entities"][0]["primary_key"]["value"] == ["id"]
    assert found["entities"][0]["pagination"]["value"]["kind"] == "page"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing-like-it.yaml"], "cannot be read"),
        (["http://127.0.0.1:9/x", "--auth", "bearer=abc"], "a secret stands in the file"),
        (["http://127.0.0.1:9/x", "--header", "X-API-Key: abc"], "holds a secret"),
        (["http://127.0.0.1:9/x", "--header", "nonsense"], "is no header"),
        (["http://127.0.0.1:9/x", "--auth", "{kind: beare}"], "did you mean 'bearer'"),
    ],
)
def test_words_that_cannot_be_meant_end_with_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", *words]) == 2
    assert said in capsys.readouterr().err


def test_a_document_that_is_none_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "shopping.yaml"
    path.write_text("milk: 2\n")
    assert main(["probe", str(path)]) == 2
    assert "is no description of an" in " ".join(capsys.readouterr().err.split())


def test_nobody_there_ends_with_1_and_no_credentials_with_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "http://127.0.0.1:9/orders", "--rate", "1000/s"]) == 1
    assert main(["probe", "http://127.0.0.1:9/orders", "--auth", "bearer=${NOT_SET_ANYWHERE}"]) == 4
    assert "NOT_SET_ANYWHERE" in capsys.readouterr().err


def test_s9_the_practice_shop_is_understood_and_no_secret_is_shown(shop: ShopProcess, tmp_path: Path) -> None:
    url, names = shop.ready["url"], {"SHOP_CLIENT_ID": "client_id", "SHOP_CLIENT_SECRET": "client_secret"}
    secrets = {name: shop.ready[key] for name, key in names.items()}
    block = (
        f"{{kind: oauth2, grant: client_credentials, token_url: '{url.removesuffix('/v2')}/oauth/token', "
        "client_id: '${SHOP_CLIENT_ID}', client_secret: '${SHOP_CLIENT_SECRET}'}"
    )
    base = url if url.endswith("/v2") else f"{url}/v2"
    done = syncline("probe", f"{base}/orders", "--auth", block, "--rate", "1000/s", "--json", cwd=tmp_path, **secrets)
    assert done.returncode == 0, done.stdout + done.stderr
    (entity,) = json.loads(done.stdout)["entities"]
    assert entity["pagination"]["value"]["kind"] == "cursor"
    assert entity["incremental"]["value"] == {"cursor": "updated_at", "param": "updated_since"}
    assert entity["primary_key"]["value"] == ["id"]
    assert not [secret for secret in secrets.values() if secret in done.stdout + done.stderr]
