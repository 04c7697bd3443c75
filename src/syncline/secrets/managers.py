"""Where the value of a `${scheme:name}` comes from; one function a scheme, entered in a register."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from syncline.secrets.dotenv import read_dotenv

MAX_BYTES = 65_536
PLANNED = ("vault", "keyring", "aws-sm", "gcp-sm", "cmd")


class Missing(LookupError):
    """A manager has no such value. `what` says so in a few words; `fix` is what can be done or run."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


class Surroundings:
    """What managers may look at: the process's environment and the folder of the integration file."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = environment
        self.folder = folder

    @cached_property
    def dotenv(self) -> dict[str, str]:
        return read_dotenv(self.folder / ".env")


Manager = Callable[[str, Surroundings], str]

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
    if len(content) > MAX_BYTES:
        raise Missing(f"{path} is larger than {MAX_BYTES:,} bytes", "name the file that holds this one value")
    try:
        value = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Missing(f"{path} is not UTF-8 text", "store the value as text (base64 for bytes)") from None
    if not value:
        raise Missing(f"{path} is empty", f"put the value into {path}")
    return value
