"""What refusals and headers tell of credentials and limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from syncline.auth import Basic, Bearer, Digest
from syncline.auth.auth import Auth
from syncline.generate.inference.guess import Guess, unknown
from syncline.generate.inference.probing.asking import Look
from syncline.generate.inference.rules.schemes import of_key
from syncline.http.snippets import api_message
from syncline.model import Reference
from syncline.resilience import Limits, read_limits

_HEADER_NAMED = re.compile(r"\b(x-[a-z0-9-]*(?:key|token)|api-key|apikey)\b", re.I)
_PARAM_NAMED = re.compile(r"[`'\"?&]((?:api_?key|access_token|token|key|app_id))[`'\"=]", re.I)


def auth_of_refusal(look: Look, prefix: str) -> tuple[Guess[Auth], ...]:
    """What a 401 or 403 says of the credentials that are missing (RFC 9110, 11.6.1)."""
    status = look.response.status
    challenges = look.headers.getall("WWW-Authenticate", [])
    found: list[Guess[Auth]] = []
    for challenge in challenges:
        scheme = challenge.strip().partition(" ")[0].lower()
        told = f"{status} came with WWW-Authenticate: {_shown(challenge)}"
        user = Reference(f"${{{prefix}_USERNAME}}"), Reference(f"${{{prefix}_PASSWORD}}")
        if scheme == "bearer":
            found.append(Guess(Bearer(token=Reference(f"${{{prefix}_TOKEN}}")), 0.85, (told,)))
        elif scheme == "basic":
            found.append(Guess(Basic(username=user[0], password=user[1]), 0.85, (told,)))
        elif scheme == "digest":
            found.append(Guess(Digest(username=user[0], password=user[1]), 0.9, (told,)))
        elif scheme in ("apikey", "token"):
            key = of_key("Authorization", "header", f"{scheme.title()} <key>", prefix=prefix, sure=0.75, evidence=told)
            found += [key] if key is not None else []
    if found:
        return tuple(found)
    said = api_message(look.response) or ""
    for pattern, where in ((_HEADER_NAMED, "header"), (_PARAM_NAMED, "query")):
        match = pattern.search(said)
        if match:
            key = of_key(match[1], where, said, prefix=prefix, sure=0.65, evidence=f"{status} said “{_shown(said)}”")
            return (key,) if key is not None else ()
    told = f"{status} came without WWW-Authenticate" + (f": “{_shown(said)}”" if said else "")
    return (unknown(told, "credentials are needed, of a kind that the answer does not name"),)


def limits_of(looks: Sequence[Look], now: datetime) -> Guess[Limits]:
    """What headers tell of limits."""
    for look in looks:
        told = [one for one in read_limits(look.response, now) if one.limit]
        sure = [one for one in told if one.window]
        if sure:
            limits = [
                f"{int(one.limit or 0)}/{_window(one.window or 1)}" for one in sure if one.limit and one.limit >= 1
            ]
            evidence = tuple(f"the header {one.source} tells {int(one.limit or 0)} in {one.window:g} s" for one in sure)
            return Guess(Limits.model_validate({"limits": limits}), 0.9, evidence)
        if told:
            sources = ", ".join(dict.fromkeys(one.source for one in told))
            return unknown(
                f"{sources} tells a limit of {int(told[0].limit or 0)}, but not in which time; it is obeyed as it is told"
            )
    return unknown("no header of the answers tells of a limit")


def _window(seconds: float) -> str:
    return {1: "s", 60: "min", 3600: "h", 86_400: "d"}.get(round(seconds), f"{seconds:g}s")


def _shown(text: str) -> str:
    plain = re.sub(r'\s*,?\s*(nonce|opaque)="[^"]*"', "", " ".join(text.split()))
    return plain if len(plain) <= 80 else plain[:79] + "…"
