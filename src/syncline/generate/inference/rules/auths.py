"""How requests are authorised."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from syncline.auth import Combined
from syncline.auth.auth import Auth
from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.known import Known, Scheme
from syncline.generate.inference.operation import Operation
from syncline.generate.inference.rules.credentials import of_parameters, of_prose
from syncline.generate.inference.rules.naming import variable_prefix
from syncline.generate.inference.rules.schemes import of_scheme
from syncline.generate.inference.rules.words import words


def find_auth(known: Known, name: str, operations: Sequence[Operation]) -> tuple[Guess[Auth], ...]:
    """The ways to authorise these operations, the most usual first; at least one guess."""
    prefix = variable_prefix(name)
    asked: Counter[tuple[str, ...]] = Counter()
    for operation in operations:
        for alternative in (operation.security if operation.security is not None else known.security) or ():
            asked[tuple(sorted(alternative))] += 1
    required = _Required({scheme.name: scheme for scheme in known.schemes}, prefix, len(operations), known.base_url)
    found = [
        guess
        for names, count in asked.most_common(8)
        if names and (guess := required.together(names, count)) is not None
    ]
    if found:
        return tuple(found)
    open_to_all = all(not names for names in asked) and asked[()] * 2 >= max(len(operations), 1)
    defined = [
        Guess(guess.value, min(guess.confidence or 0, 0.75), (*guess.evidence, "no operation says that it needs it"))
        for scheme in known.schemes
        if (guess := of_scheme(scheme, prefix, known.base_url)) is not None
    ]
    if open_to_all:
        sure = 0.6 if defined else 0.85
        return (Guess(None, sure, ("the document says that no operation needs authentication",)), *defined)
    taken = of_parameters(operations, prefix)
    together = required.complements()
    described = [*together, *taken, *defined] or of_prose(known.description, prefix)
    if described:
        return tuple(sorted(described, key=lambda guess: -(guess.confidence or 0)))
    return (unknown("no security scheme is described, and no parameter looks like a credential"),)


_IDENTITY = re.compile(r"id|email|user(name)?|host|account|login", re.I)


class _Required(msgspec.Struct, frozen=True):
    """What turns names of schemes that are needed together into a guess."""

    schemes: dict[str, Scheme]
    prefix: str
    operations: int
    base_url: str | None

    def together(self, names: tuple[str, ...], count: int) -> Guess[Auth] | None:
        """The guess for schemes that `count` operations ask for; None where one of them is not understood."""
        parts = [self.schemes[name] for name in names if name in self.schemes]
        several = len(parts) > 1
        found = (of_scheme(scheme, self.prefix, self.base_url, several=several) for scheme in parts)
        guesses = [guess for guess in found if guess is not None and guess.value is not None]
        if not guesses or len(guesses) < len(names):
            return None
        total = self.operations
        share = f"{count} of {total} operations ask for it" if count < total else "every operation asks for it"
        # what few ask for, most requests can do without
        sure = min(guess.confidence or 0 for guess in guesses) - (0.0 if count * 2 >= total else 0.1)
        evidence = tuple(line for guess in guesses for line in guess.evidence)
        if not several:
            return Guess(guesses[0].value, round(sure, 2), (*evidence, share))
        auths = tuple(guess.value for guess in guesses if guess.value is not None)
        if sum(auth.needs_token for auth in auths) > 1:
            return None
        return Guess(Combined(auths=auths), round(sure, 2), (*evidence, f"they are needed together; {share}"))

    def complements(self) -> list[Guess[Auth]]:
        """Keys that make sense together only, where no operation says which it needs: a key and whose it is (app_id, app_key)."""
        keys = [scheme for scheme in self.schemes.values() if scheme.kind == "apikey"]
        identities = [scheme for scheme in keys if words(scheme.key) and _IDENTITY.fullmatch(words(scheme.key)[-1])]
        if len(keys) < 2 or len(keys) != len(self.schemes) or len(identities) != len(keys) - 1:
            return []
        found = self.together(tuple(scheme.name for scheme in keys), 0)
        told = "one of them names who asks, the other proves it; no operation says that it needs them"
        return [] if found is None else [Guess(found.value, 0.76, (*found.evidence[:-1], told))]
