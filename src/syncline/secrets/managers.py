"""Where the value of a `${scheme:name}` comes from; one function a scheme, entered in a register.

A manager is handed the name behind the colon. One that has the value at hand returns it. One that must ask for it is a
generator: it yields a Request and is sent the Response (or has the RequestError raised there), or yields a function that
blocks, and is sent what that returned; it returns the value. So managers send nothing and wait for nothing themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from syncline.model import Request
from syncline.secrets.dotenv import read_dotenv

MAX_BYTES = 65_536

Step = Request | Callable[[], Any]
Steps = Generator[Step, Any, str]


class Missing(LookupError):
    """A manager has no such value. `what` says so in a few words; `fix` is what can be done or run."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


class Surroundings:
    """What managers may look at: the process's environment, the folder of the integration file, and the time.

    `memo` lives as long as one resolution: what was asked for once (a token, a secret with many fields) is not asked again.
    """

    def __init__(
        self, environment: Mapping[str, str], folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.environment = environment
        self.folder = folder
        self.now = now
        self.memo: dict[str, Any] = {}

    @cached_property
    def dotenv(self) -> dict[str, str]:
        return read_dotenv(self.folder / ".env")

    def get(self, name: str) -> str | None:
        """A variable of the environment, or a line of the `.env`; None where it is empty."""
        return self.environment.get(name) or self.dotenv.get(name) or None

    def home(self, path: str) -> Path:
        """A file below the user's own folder."""
        home = self.environment.get("HOME") or self.environment.get("USERPROFILE")
        return (Path(home) if home else Path.home()) / path


Manager = Callable[[str, Surroundings], str | Steps]

_managers: dict[str, Manager] = {}


def manager(scheme: str) -> Callable[[Manager], Manager]:
    """Make a source of values known under a scheme; it takes the name behind the colon and raises Missing."""

    def enter(function: Manager) -> Manager:
        _managers[scheme] = function
        return function

    return enter


def schemes() -> Mapping[str, Manager]:
    """Every known scheme and its manager."""
    return dict(sorted(_managers.items()))


@manager("env")
def from_environment(name: str, around: Surroundings) -> str:
    """The environment's variable, or the line of the `.env` beside the file."""
    value = around.environment.get(name)
    if value is None:
        value = around.dotenv.get(name)
    if value is None:
        raise Missing(f"{name} is not set", f"export {name}=…, or a line {name}=… in {around.folder / '.env'}")
    if not value:
        raise Missing(f"{name} is empty", f"export {name}=…, or a line {name}=… in {around.folder / '.env'}")
    return value


@manager("file")
def from_file(name: str, around: Surroundings) -> str:
    """A small text file, as container platforms mount secrets; one newline at its end is no part of the value."""
    path = around.folder / name
    try:
        if not path.is_file():
            raise Missing(f"there is no file {path}", f"put the value into {path}")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise Missing(f"{path} cannot be read: {reason}", f"check the permissions of {path}") from None
    return one_value(content, str(path), f"put the value into {path}")


def one_value(content: bytes, place: str, fix: str) -> str:
    """The text of a file or of a command's output, without one newline at its end. Raises Missing."""
    if len(content) > MAX_BYTES:
        raise Missing(f"{place} is larger than {MAX_BYTES:,} bytes", "name what holds this one value")
    try:
        value = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Missing(f"{place} is not UTF-8 text", "store the value as text (base64 for bytes)") from None
    if not value:
        raise Missing(f"{place} is empty", fix)
    return value


def _late(scheme: str, module: str) -> None:
    """A manager in a module of its own, imported when it is first asked."""

    @manager(scheme)
    def ask(name: str, around: Surroundings) -> str | Steps:
        found: Manager = import_module(module).read
        return found(name, around)


for _scheme, _module in {
    "aws-sm": "aws",
    "azure-kv": "azure",
    "cmd": "command",
    "gcp-sm": "gcp",
    "keyring": "keyring",
    "vault": "vault",
}.items():
    _late(_scheme, f"syncline.secrets.{_module}")
