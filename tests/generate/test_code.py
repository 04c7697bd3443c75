"""`syncline export`: a package that equals the file, passes its own tests and the checkers, and holds nobody else's code."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from syncline.cli import main
from syncline.generate.code import package_files
from syncline.generate.code.checking import UnexpectedCode, check_declarations
from syncline.generate.code.layout import lay_out, literal
from syncline.spec import Integration, load
from tests.generate.test_project import NASTY, SHOP

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def tool(folder: Path, *words: str) -> None:
    done = subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_package_is_the_same_integration(example: Path, tmp_path: Path) -> None:
    assert main(["export", str(example), "-o", str(tmp_path / "out")]) == 0
    (file,) = (tmp_path / "out/src").glob("*/integration.py")
    assert load(file) == load(example)
    assert main(["check", "--lint", str(file)]) == 0
    tool(tmp_path / "out", "ruff", "check", ".")
    tool(tmp_path / "out", "ruff", "format", "--check", ".")


@pytest.mark.slow
def test_a_new_package_passes_its_tests_and_the_type_checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "--from", str(SHOP), "--no-input", "--code", "--dir", "out"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *(
            ".dockerignore",
            ".env.example",
            ".gitignore",
            "Dockerfile",
            "README.md",
            "practice-shop.md",
            "pyproject.toml",
        ),
        *("recordings", "src", "tests"),
    }
    tool(tmp_path / "out", "ruff", "check", ".")
    tool(tmp_path / "out", "ruff", "format", "--check", ".")
    tool(tmp_path / "out", "mypy")
    done = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd="out", capture_output=True, text=True)
    assert "3 passed" in done.stdout


def nasty(bad: str) -> Integration:
    return Integration.model_validate(
        {
            "name": "import",
            "description": bad,
            "source": {"kind": "rest", "base_url": "https://api.shop.example", "headers": {"X-A": bad}},
            "streams": [
                {
                    "name": "class",
                    "path": f"/{bad}",
                    "params": {bad: bad, "n": 1, "b": True},
                    "body": {bad: [bad, None, 1.5]},
                    "method": "POST",
                    "repeatable": True,
                    "primary_key": "id",
                    "mapping": {"id": "id", bad[:200]: {"value": bad}},
                    "into": {"table": bad},
                }
            ],
            "destination": {"kind": "sql", "url": "sqlite:///x.db"},
        }
    )


@pytest.mark.parametrize("bad", [text for text in NASTY if "${" not in text], ids=range(10))
def test_s23_names_and_values_of_strangers_are_literals(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.system", lambda _: pytest.fail("a command ran"))
    integration = nasty(bad)
    files = package_files(integration, {})
    for path, content in files.items():
        assert path.isascii()
        assert not path.startswith(("/", "..")) and "/../" not in path
        if path.endswith(".py"):
            ast.parse(content)
    assert "src/import_sync/integration.py" in files


@pytest.mark.parametrize(
    "source",
    ["import os", "from os import system", "x = __import__('os')", "x = a.b", "x = [i for i in y]", "def f(): pass",
     "x = lambda: 1", "from . import x", "x = f'{y}'"],
)  # fmt: skip
def test_s24_nothing_but_declarations_is_written(source: str) -> None:
    with pytest.raises(UnexpectedCode):
        check_declarations(source, "x.py", {"syncline"})
    check_declarations('from syncline import Rest\nx = Rest(base_url="a", n=-1)\n', "x.py", {"syncline"})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4) | st.tuples(inner),
)


@given(values)
def test_s23_a_literal_reads_back_as_its_value(value: Any) -> None:
    assert ast.literal_eval(lay_out(literal(value))) == value


def test_a_file_of_a_package_is_loaded_as_the_module_it_is(tmp_path: Path) -> None:
    integration = nasty("x")
    before = set(sys.modules)
    for path, content in package_files(integration, {}).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    assert load(tmp_path / "src/import_sync/integration.py") == integration
    assert not {name for name in set(sys.modules) - before if name.startswith("import_sync")}
