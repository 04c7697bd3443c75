"""From references to values."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from syncline.errors import AuthError, SpecError
from syncline.model import Part, Reference, Secret, SecretText, Text, reveal
from syncline.secrets import Missing, Redactor, Surroundings, manager, references, resolve, schemes
from syncline.secrets.managers import _managers


class Key(Part):
    key: SecretText = Field(description="The key")
    name: Text = Field(default="X-Key", description="The header")

    @cached_property
    def shown(self) -> str:
        return str(self.key)


class Api(Part):
    url: Text = Field(description="Where")
    auth: Key | None = Field(default=None, description="How")
    headers: dict[str, Text] = Field(default={}, description="Headers")
    more: tuple[Key, ...] = Field(default=(), description="More")
    body: Any = Field(default=None, description="Anything")


def make(**fields: Any) -> Api:
    return Api.model_validate({"url": "https://api.example", **fields})


def test_every_reference_of_a_tree_becomes_a_secret(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("from a file\n")
    api = make(
        auth={"key": "${A}"}, headers={"Authorization": "Token ${env:B}:${A}", "Accept": "json"}, more=[{"key": "${file:key.txt}"}]
    )  # fmt: skip
    done = resolve(api, {"A": "first", "B": "second"}, tmp_path, known=Redactor())
    assert done.auth is not None
    assert reveal(done.auth.key) == "first"
    assert reveal(done.headers["Authorization"]) == "Token second:first"
    assert done.headers["Accept"] == "json"
    assert reveal(done.more[0].key) == "from a file"
    assert list(references(done)) == []
    assert "first" not in repr(done)
    assert api.auth is not None
    assert isinstance(api.auth.key, Reference)


def test_a_tree_without_references_is_the_same_object(tmp_path: Path) -> None:
    api = make(headers={"Accept": "json"}, body={"text": "${NOT_A_REFERENCE}"})
    assert resolve(api, {}, tmp_path) is api


def test_a_resolved_value_stays_text(tmp_path: Path) -> None:
    done = resolve(make(auth={"key": "${A}"}), {"A": "${B}", "B": "never"}, tmp_path, known=Redactor())
    assert done.auth is not None
    assert reveal(done.auth.key) == "${B}"


def test_what_a_part_had_worked_out_from_a_reference_is_forgotten(tmp_path: Path) -> None:
    key = Key.model_validate({"key": "${A}"})
    assert key.shown == "${A}"
    assert resolve(key, {"A": "value"}, tmp_path, known=Redactor()).shown == "***"


def test_the_environment_comes_before_the_dotenv_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=of the file\nB=of the file\n")
    done = resolve(make(headers={"a": "${A}", "b": "${B}"}), {"A": "of the shell"}, tmp_path, known=Redactor())
    assert [reveal(value) for value in done.headers.values()] == ["of the shell", "of the file"]


def test_u7_everything_missing_is_named_at_once_with_its_fix(tmp_path: Path) -> None:
    api = make(auth={"key": "${SHOP_KEY}"}, headers={"x": "${SHOP_KEY}", "y": "${env:OTHER}"})
    with pytest.raises(AuthError) as caught:
        resolve(api, {"OTHER": ""}, tmp_path)
    assert caught.value.exit_code == 4
    assert "2 secrets have no value" in caught.value.what
    assert "SHOP_KEY is not set (used in auth.key, headers.x)" in caught.value.what
    assert "OTHER is empty (used in headers.y)" in caught.value.what
    assert "export SHOP_KEY=… OTHER=…" in str(caught.value.hint)
    assert str(tmp_path / ".env") in str(caught.value.hint)
    assert len(caught.value.block().splitlines()) <= 12


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("${vualt:kv/shop}", "no source of secrets called 'vualt' (defaults are not supported); did you mean 'vault'?"),
        ("${SHOP:-default}", "no source of secrets called 'SHOP'"),
        ("${my name}", "is not a reference"),
        ("${}", "is not a reference"),
        ("${env:}", "is not a reference"),
    ],
)
def test_references_that_cannot_be_meant_are_mistakes_of_the_file(reference: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        resolve(make(auth={"key": reference}), {"SHOP": "x"}, tmp_path)
    assert words in caught.value.what
    assert "auth.key" in caught.value.what
    assert caught.value.exit_code == 2


def test_files_are_small_text_files(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("x" * 70_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "two").write_text("a\n\n")
    for name, words in {
        "large": "larger",
        "binary": "not UTF-8",
        "empty": "is empty",
        "absent": "no file",
        ".": "no file",
    }.items():
        with pytest.raises(AuthError, match=words):
            resolve(make(auth={"key": f"${{file:{name}}}"}), {}, tmp_path)
    done = resolve(make(auth={"key": f"${{file:{tmp_path / 'two'}}}"}), {}, tmp_path, known=Redactor())
    assert done.auth is not None
    assert reveal(done.auth.key) == "a\n"


def test_a_manager_can_be_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncline.secrets.managers._managers", dict(_managers))

    @manager("upper")
    def upper(name: str, around: Surroundings) -> str:
        if name == "nothing":
            raise Missing("upper has nothing", "ask for something")
        return name.upper()

    assert {"env", "file", "upper"} < set(schemes())
    done = resolve(make(auth={"key": "${upper:abc}"}), {}, tmp_path, known=Redactor())
    assert done.auth == Key.model_construct(key=Secret("ABC"), name="X-Key")
    with pytest.raises(AuthError, match="upper has nothing") as caught:
        resolve(make(auth={"key": "${upper:nothing}"}), {}, tmp_path)
    assert caught.value.hint == "ask for something"


def test_values_become_known_to_the_redactor_but_bare_addresses_do_not(tmp_path: Path) -> None:
    known = Redactor()
    values = {"HOST": "http://127.0.0.1:8080", "KEY": "canary-value", "HOOK": "https://hooks.example/T0/canary"}
    api = make(url="${HOST}/v2", auth={"key": "Token ${KEY}"}, headers={"hook": "${HOOK}"})
    done = resolve(api, values, tmp_path, known=known)
    assert reveal(done.url) == "http://127.0.0.1:8080/v2"
    assert known.text("http://127.0.0.1:8080/v2 canary-value") == "http://127.0.0.1:8080/v2 ***"
    assert known.text("POST https://hooks.example/T0/canary") == "POST ***"
