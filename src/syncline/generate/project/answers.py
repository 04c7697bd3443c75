"""The six answers that only a person has, however they were given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from syncline.errors import UsageError
from syncline.model.names import did_you_mean
from syncline.spec.yaml_text import read

DIRECTIONS = ("one-way",)
AUTHS = ("none", "api_key", "bearer", "basic", "oauth2", "jwt", "hmac", "aws_sigv4", "digest", "oauth1", "session")
_VOLUME = re.compile(r"([1-9][\d_]*)([kM]?)\s*(?:records?)?\s*(?:/|per|a)\s*(hour|day|week|month)")
_TIMES = {"": 1, "k": 1_000, "M": 1_000_000}


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered; None and empty where nobody was asked, so that what was found out counts.

    `source` is a name or an address, `entities` are names of lists, `auth` a kind or a whole block, `headers` go with every request
    (secrets by reference), `volume` is such as `50000 records/day`, `params` are values of parameters that only a person knows.
    """

    source: str | None = None
    destination: str | None = None
    entities: tuple[str, ...] = ()
    direction: str = "one-way"
    auth: str | dict[str, Any] | None = None
    headers: dict[str, str] = {}
    volume: str | None = None
    schedule: str | None = None
    params: dict[str, str] = {}


def checked(**given: Any) -> Answers:
    """Answers as people write them, each brought into its form. Raises UsageError naming the answer that cannot be meant."""
    known = Answers.__struct_fields__
    for name in given:
        if name not in known:
            raise UsageError(
                f"there is no question {name!r}; {did_you_mean(name, known)}", hint=f"there is: {', '.join(known)}"
            )
    said = {name: value for name, value in given.items() if value not in (None, (), [], {}, "")}
    if "entities" in said:
        names = said["entities"].split(",") if isinstance(said["entities"], str) else said["entities"]
        said["entities"] = tuple(name for each in names if (name := str(each).strip()))
    if "volume" in said:
        said["volume"] = volume(str(said["volume"]))
    if said.get("direction", "one-way") not in DIRECTIONS:
        raise UsageError(
            f"{said['direction']!r} is not in this version of Syncline",
            hint="--direction one-way: source to destination",
        )
    kind = said["auth"].get("kind") if isinstance(said.get("auth"), dict) else said.get("auth", "none")
    if kind not in AUTHS:
        raise UsageError(
            f"there is no auth kind {kind!r}; {did_you_mean(str(kind), AUTHS)}", hint=f"--auth {'|'.join(AUTHS)}"
        )
    try:
        return msgspec.convert(said, Answers)
    except msgspec.ValidationError as error:
        raise UsageError(f"an answer is not of the right form: {error}") from None


def answers_in(file: Path) -> dict[str, Any]:
    """The answers in a YAML or JSON file, as they stand there. Raises SpecError and UsageError."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint="--answers FILE") from None
    data = read(text, str(file)).data
    if not isinstance(data, dict):
        raise UsageError(f"{file} holds no answers", hint=f"write lines of {', '.join(Answers.__struct_fields__)}")
    return data


def volume(text: str) -> str:
    """`50000/day`, `50k records/day` → `50000 records/day`. Raises UsageError."""
    match = _VOLUME.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"not a volume: {text!r}", hint="--volume 50000/day")
    return f"{int(match[1].replace('_', '')) * _TIMES[match[2]]} records/{match[3]}"
