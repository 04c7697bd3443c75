"""From `${…}` to values, for a whole tree of parts at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from syncline.errors import AuthError, Mistake, SpecError
from syncline.model import Reference, Request, Secret
from syncline.model.names import did_you_mean
from syncline.model.text import REFERENCE
from syncline.secrets.managers import Missing, Step, Surroundings, schemes
from syncline.secrets.redactor import Redactor, redactor

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?/?")
"""An API's bare address is no secret, and without it no error about the API could be understood."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

T = TypeVar("T")


def resolve(part: T, environment: Mapping[str, str], folder: Path, *, known: Redactor = redactor) -> T:
    """`resolving`, where no reference needs the network; one that does is told as missing."""
    steps = resolving(part, environment, folder, known=known)
    try:
        step = next(steps)
        while True:
            try:
                if isinstance(step, Request):
                    raise Missing(f"{step.origin} was not asked", "resolve it where the network may be used")
                answer = step()
            except Missing as missing:
                step = steps.throw(missing)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


def resolving(
    part: T, environment: Mapping[str, str], folder: Path, *, known: Redactor = redactor
) -> Generator[Step, Any, T]:
    """The same tree with a Secret in place of every Reference, or plain text where only bare addresses were put in.

    What has no reference is returned as it is. Yields what managers need: Requests to be sent, or functions that block, and is
    sent what came of them (or has it raised here: RequestError, Missing). `folder` is where the integration file lies: its
    `.env` and relative `${file:…}` paths are found there. Values are taken as they are: a `${…}` within one stays text. Every
    value but a bare address becomes known to the redactor, and so does every credential on the way to it.
    Raises SpecError for references that cannot be meant, and AuthError naming everything that has no value.
    """
    lookup = _Lookup(Surroundings(environment, folder), known)
    for path, reference in references(part):
        for name in reference.names():
            yield from lookup.find(name, path)
    lookup.complain()
    for value in lookup.values.values():
        if not _ORIGIN.fullmatch(value):
            known.add(value)

    def reveal(reference: Reference) -> Secret | str:
        text = REFERENCE.sub(lambda match: lookup.values[match[1]], reference.text)
        return text if all(_ORIGIN.fullmatch(lookup.values[name]) for name in reference.names()) else Secret(text)

    return _replace(part, reveal)  # type: ignore[no-any-return]


def references(value: Any, path: str = "") -> Iterator[tuple[str, Reference]]:
    """Every reference in a tree of parts, with the path of the field that holds it."""
    if isinstance(value, Reference):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from references(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from references(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from references(inner, f"{path}[{number}]")


class _Lookup:
    """Values by what stands between the braces, and what went wrong on the way."""

    def __init__(self, around: Surroundings, known: Redactor) -> None:
        self.around, self.known = around, known
        self.values: dict[str, str] = {}
        self.mistakes: list[Mistake] = []
        self.missing: dict[str, tuple[Missing, list[str]]] = {}

    def find(self, name: str, path: str) -> Generator[Step, Any, None]:
        if name in self.missing:
            self.missing[name][1].append(path)
        elif name not in self.values:
            try:
                self.values[name] = yield from self._value(name, path)
            except Missing as missing:
                self.missing[name] = (missing, [path])

    def _value(self, name: str, path: str) -> Generator[Step, Any, str]:
        scheme, colon, rest = name.partition(":")
        if not colon:
            scheme, rest = "env", name
        managers = schemes()
        if scheme not in managers:
            self._mistake(path, f"${{{name}}}: {_unknown_scheme(scheme)}")
        elif not rest or (scheme == "env" and not _NAME.fullmatch(rest)):
            self._mistake(path, f"${{{name}}} is not a reference; write ${{NAME}}, ${{env:NAME}} or ${{file:/path}}")
        else:
            found = managers[scheme](rest, self.around)
            return found if isinstance(found, str) else (yield from self._watched(found))
        return ""

    def _watched(self, steps: Generator[Step, Any, str]) -> Generator[Step, Any, str]:
        """The same steps; the credentials in their requests become known before anybody can show them."""
        try:
            step = next(steps)
            while True:
                if isinstance(step, Request):
                    for secret in _credentials(step):
                        self.known.add(secret)
                try:
                    answer = yield step
                except Exception as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            return str(done.value)
        except Missing as missing:
            raise Missing(self.known.text(missing.what), missing.fix) from None

    def _mistake(self, path: str, what: str) -> None:
        self.mistakes.append(Mistake("", 0, 0, path, what))

    def complain(self) -> None:
        if self.mistakes:
            what = "; ".join(f"{mistake.path}: {mistake.what}" for mistake in self.mistakes)
            raise SpecError(what, hint="use the environment (${NAME}) or a file (${file:/run/secrets/name})")
        if self.missing:
            what = "; ".join(f"{missing.what} (used in {_places(used)})" for missing, used in self.missing.values())
            fixes = list(dict.fromkeys(missing.fix for missing, _ in self.missing.values()))
            raise AuthError(f"{_count(len(self.missing))}: {what}", hint=self._hint(fixes))

    def _hint(self, fixes: list[str]) -> str:
        if len(fixes) == 1:
            return fixes[0]
        names = [name.removeprefix("env:") for name in self.missing if ":" not in name or name.startswith("env:")]
        if len(names) == len(self.missing):
            lines = " ".join(f"{name}=…" for name in names)
            return f"export {lines}, or write them as lines into {self.around.folder / '.env'}"
        return "; ".join(fixes)


def _credentials(request: Request) -> Iterator[Secret]:
    members = request.json.items() if isinstance(request.json, dict) else ()
    pairs = [*request.headers.items(), *request.params, *request.form, *members]
    for _, value in pairs:
        if isinstance(value, Secret):
            yield value
            yield Secret(value.reveal().rpartition(" ")[2])


def _unknown_scheme(scheme: str) -> str:
    known = schemes()
    return (
        f"there is no source of secrets called {scheme!r} (defaults are not supported); {did_you_mean(scheme, known)}"
    )


def _count(number: int) -> str:
    return "a secret has no value" if number == 1 else f"{number} secrets have no value"


def _places(paths: list[str]) -> str:
    return ", ".join(paths[:2]) + (f" and {len(paths) - 2} more places" if len(paths) > 2 else "")


def _replace(value: Any, reveal: Callable[[Reference], Secret | str]) -> Any:
    """The value with its references revealed; the very same object where there are none."""
    if isinstance(value, Reference):
        return reveal(value)
    if isinstance(value, BaseModel):
        old = {name: getattr(value, name) for name in type(value).model_fields}
        new = {name: _replace(inner, reveal) for name, inner in old.items()}
        changed = {name: inner for name, inner in new.items() if inner is not old[name]}
        if not changed:
            return value
        copy = value.model_copy(update=changed)
        for name in set(copy.__dict__) - set(new):  # cached properties, made from the references
            del copy.__dict__[name]
        return copy
    if isinstance(value, dict):
        revealed = {key: _replace(inner, reveal) for key, inner in value.items()}
        return revealed if any(revealed[key] is not value[key] for key in value) else value
    if isinstance(value, list | tuple):
        items = [_replace(inner, reveal) for inner in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value
