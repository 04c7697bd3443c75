"""The Dockerfile without Docker: its steps, run as they stand, and a sandbox that gives a process what a container would have."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.tools import DEPLOY, FOLDER, ROOT
from tests.support.services import cannot

DOCKERFILE = DEPLOY / "docker/Dockerfile"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc")
PATH = f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Step:
    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """Of an instruction that has them as JSON, after its options."""
        return list(json.loads(self.text[self.text.index("[") :]))


def steps() -> tuple[list[Step], list[Step]]:
    """What the Dockerfile does to build, and to make the image that is shipped."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.M).replace("\\\n", " ")
    found = [Step(*line.split(None, 1)) for line in text.splitlines() if line.strip()]
    second = [number for number, step in enumerate(found) if step.name == "FROM"][1]
    return found[:second], found[second:]


def last(name: str) -> Step:
    """The instruction that counts in the image that is shipped."""
    return [step for step in steps()[1] if step.name == name][-1]


def variables_of_the_image() -> Iterator[tuple[str, str]]:
    """All that ENV sets but PATH, which the base image has a part in."""
    for pair in shlex.split(last("ENV").text):
        name, _, value = pair.partition("=")
        if name != "PATH":
            yield name, value


@dataclass(frozen=True)
class Image:
    """A root file system: the one that was built, or this machine's programs with what the steps made beside them."""

    mounts: tuple[str, ...]

    def run(self, script: str, work: Path, integrations: Path) -> subprocess.CompletedProcess[str]:
        """A shell script as nobody in particular, in a network of its own; only `work` (as /work) and /tmp can be written."""
        user, group = map(int, last("USER").text.split(":"))
        os.chown(work, user, group)
        places = f"--bind {work} /work --ro-bind {integrations} /integrations --tmpfs /tmp --proc /proc --dev /dev"
        apart = "--remount-ro / --chdir /work --unshare-net --unshare-pid --unshare-ipc"
        command = [
            *sandbox(),
            *self.mounts,
            *places.split(),
            *apart.split(),
            *becoming(user, group),
            "sh",
            "-c",
            script,
        ]
        variables = {"PATH": f"/opt/syncline/bin:{PATH}", "HOME": "/work"} | dict(variables_of_the_image())
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)


def becoming(user: int, group: int) -> list[str]:
    """Somebody else, with no right of root's, for good."""
    who = f"setpriv --reuid={user} --regid={group} --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs --"
    return who.split()


def sandbox() -> list[str]:
    program = shutil.which("bwrap") or cannot("bwrap is not installed (Debian package bubblewrap)")
    if os.geteuid() != 0:
        cannot("only root can become another user")
    return [program, "--die-with-parent", "--cap-add", "ALL"]


def this_machine() -> tuple[str, ...]:
    """Its programs and its Python, which take the place of the base image's."""
    above = ["/opt", *(str(place) for place in reversed(Path(sys.base_prefix).parents))]
    ways = [word for place in above for word in ("--perms", "0755", "--dir", place)]  # left alone, only root may enter
    return (*ways, *(word for place in (*SYSTEM, sys.base_prefix) for word in ("--ro-bind-try", place, place)))


def built_by_steps(folder: Path) -> Image:
    """What the steps make of this machine's Python."""
    build, _ = steps()
    made, source = folder / "made", folder / "source"
    made.mkdir()
    for step in build:
        if step.name == "COPY":
            *names, target = step.text.split()
            for name in names:
                copy(ROOT / name, source / target)
    extras = next(step.text.partition("=")[2] for step in build if step.name == "ARG")
    inside = ["--bind", str(made), "/opt/syncline", "--bind", str(source), "/source", "--chdir", "/source"]
    for step in build:
        if step.name == "RUN":
            places = ["--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"]
            command = [*sandbox(), *this_machine(), *inside, *places, "sh", "-c", step.text]
            known = os.environ | {"PATH": PATH, "EXTRAS": extras, "HOME": "/tmp"}
            call(*command, environment=known)
    return Image((*this_machine(), "--ro-bind", str(made), "/opt/syncline"))


def built_by_buildah(folder: Path) -> Image:
    """What buildah makes of the Dockerfile, on a Debian with Python 3.13 in the place of the base image, which a registry has."""
    for program in ("buildah", "debootstrap"):
        shutil.which(program) or cannot(f"{program} is not installed (Debian package {program})")
    settings, root = folder / "storage.conf", folder / "root"
    settings.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/run"\n')
    script = f"""set -e
base=$(buildah from scratch); buildah add -q $base {base_system(FOLDER / "base")} /
buildah commit -q $base docker.io/library/{steps()[0][0].text.split()[0]}; buildah rm $base
buildah bud -q --format docker --network host --pull-never $BINDS -t syncline -f {DOCKERFILE} {ROOT}
made=$(buildah from --pull-never localhost/syncline); cp -a $(buildah mount $made) {root}; buildah rm $made"""
    own = [
        path for path in ("/etc/pip.conf", "/etc/ssl/certs") if Path(path).exists()
    ]  # this machine's way to the packages
    known = {"CONTAINERS_STORAGE_CONF": str(settings), "BUILDAH_ISOLATION": "chroot"}
    known["BINDS"] = " ".join(f"-v {path}:{path}:ro" for path in own)
    call("sh", "-c", script, environment=os.environ | known)
    return Image(("--ro-bind", str(root), "/"))


def base_system(folder: Path) -> Path:
    """A Debian with a Python where the base image has it; kept, since it takes minutes."""
    if not folder.exists():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        call("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "trixie", str(part))
        for name in ("python", "python3"):
            part.joinpath("usr/local/bin", name).symlink_to("/usr/bin/python3")
        part.rename(folder)
    return folder


def call(*words: str, environment: Mapping[str, str] = os.environ) -> None:
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
