"""The npm packages that the tests need, installed beside them from the lock file on first use."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
REQUIRED = os.environ.get("SYNCLINE_REQUIRE_SERVICES") == "1"


def need(program: str) -> str:
    """Where the program is; without it the test is skipped, or fails where services are required."""
    found = shutil.which(program)
    return found or cannot(f"{program} is not installed on this machine")


def cannot(reason: str) -> str:
    if REQUIRED:
        pytest.fail(f"{reason} (SYNCLINE_REQUIRE_SERVICES=1)", pytrace=False)
    pytest.skip(reason)


def package(name: str) -> Path:
    """The folder of one package, installed first where the lock file and what is there differ."""
    npm = need("npm")
    with _alone():
        if _installed() != _locked():
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            outcome = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300)
            if outcome.returncode:
                cannot(f"npm ci failed, is there a registry? {outcome.stderr.strip()[-400:]}")
    return MODULES / name


def _locked() -> dict[str, Any]:
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    return {path: facts["integrity"] for path, facts in packages.items() if path}


def _installed() -> dict[str, Any]:
    try:
        packages = json.loads((MODULES / ".package-lock.json").read_text())["packages"]
    except (OSError, ValueError):
        return {}
    return {path: facts.get("integrity") for path, facts in packages.items()}


@contextmanager
def _alone() -> Iterator[None]:
    """One installation at a time, however many test processes there are."""
    folder = os.open(HERE, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
