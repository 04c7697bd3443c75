"""How right guesses are: an unknown is never right, and what is wrong though it was sure counts twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from syncline.auth import ApiKey
from syncline.generate.inference import Api, Entity, Guess
from syncline.model import kind_of
from tests.generate.inference.corpus import Label, ListLabel

What = Literal["list", "records", "primary_key", "pagination", "auth"]
WHATS: tuple[What, ...] = ("pagination", "records", "primary_key", "auth", "list")
TARGETS: dict[What, float] = {"pagination": 0.95, "records": 0.9, "primary_key": 0.9, "auth": 0.9}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One guess beside what is right."""

    what: What
    place: str
    right: frozenset[str]
    guessed: str | None
    sure: bool

    @property
    def good(self) -> bool:
        return self.guessed in self.right


class Score(msgspec.Struct, kw_only=True):
    """Sums of verdicts. `sure` are those among the wrong that were sure."""

    good: int = 0
    wrong: int = 0
    sure: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        return self.good + self.wrong + self.unknown

    @property
    def precision(self) -> float:
        return self.good / max(self.good + self.wrong, 1)

    @property
    def recall(self) -> float:
        return self.good / max(self.total, 1)

    @property
    def score(self) -> float:
        return self.good / max(self.total + self.sure, 1)


def verdicts(api: Api, label: Label) -> Iterator[Verdict]:
    """Everything that the label says about this document."""
    if label.auth:
        best = api.auth[0]
        guessed = spelled_auth(best) if best.known else None
        right = frozenset(text.lower() if " header " in text else text for text in label.auth)
        yield Verdict(what="auth", place=label.document, right=right, guessed=guessed, sure=best.likely)
    entities = {entity.path: entity for entity in api.entities}
    by_original = {_same(path): entity for path, entity in entities.items()}
    for path in label.no_lists:
        entity = by_original.get(_same(path))
        guessed = "a list" if entity is not None else "no list"
        sure = entity is not None and entity.records.likely
        place = f"{label.document} {path}"
        yield Verdict(what="list", place=place, right=frozenset({"no list"}), guessed=guessed, sure=sure)
    for wanted in label.lists:
        yield from _of_list(by_original.get(_same(wanted.path)), wanted, f"{label.document} {wanted.path}")


def _same(path: str) -> str:
    return "".join(character for character in path if character.isalnum() or character in "/{}")


def _of_list(entity: Entity | None, wanted: ListLabel, place: str) -> Iterator[Verdict]:
    guessed = "a list" if entity is not None else "no list"
    yield Verdict(what="list", place=place, right=frozenset({"a list"}), guessed=guessed, sure=False)
    for what, right in (
        ("records", wanted.records),
        ("primary_key", wanted.primary_key),
        ("pagination", wanted.pagination),
    ):
        if right:
            guess: Guess[Any] = getattr(entity, what) if entity is not None else Guess()
            known = spelled(what, guess) if guess.known else None
            yield Verdict(what=what, place=place, right=right, guessed=known, sure=guess.likely)  # type: ignore[arg-type]


def spelled(what: str, guess: Guess[Any]) -> str:
    """A guess as labels spell it."""
    if what == "pagination":
        return kind_of(type(guess.value))
    if what == "primary_key":
        return "+".join(guess.value)
    return str(guess.value)


def spelled_auth(guess: Guess[Any]) -> str:
    if guess.value is None:
        return "none"
    kind = kind_of(type(guess.value))
    if isinstance(guess.value, ApiKey):
        name = guess.value.name.lower() if guess.value.in_ == "header" else guess.value.name
        return f"{kind} {guess.value.in_} {name}"
    return kind


def scores(found: Iterable[Verdict]) -> dict[What, Score]:
    """Scores by what was guessed."""
    sums = {what: Score() for what in WHATS}
    for verdict in found:
        score = sums[verdict.what]
        if verdict.guessed is None:
            score.unknown += 1
        elif verdict.good:
            score.good += 1
        else:
            score.wrong += 1
            score.sure += verdict.sure
    return sums
