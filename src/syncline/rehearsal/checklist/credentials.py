"""The line about credentials: what runs out is replaced, and what is refused for good is said."""

from __future__ import annotations

from syncline.auth import Auth
from syncline.model import kind_of
from syncline.rehearsal.checklist.findings import Findings, many, some
from syncline.rehearsal.checklist.line import Line, failed, held, not_applicable, not_tried
from syncline.rehearsal.checklist.programme import REFUSED
from syncline.rehearsal.evidence import ActReport

WORDS = {"digest": "challenge", "rotate": "key"}
"""What is lost and replaced where that is no token."""
LOST = ("token-expired", "token-revoked")
REFUSAL = 4
"""The exit code of a run whose credential the API does not take."""


def tokens(found: Findings) -> Line:
    """Replaced when they run out and when they are taken back, once each; what cannot be replaced ends the run and says so."""
    auth = found.source.auth
    if auth is None:
        return not_applicable("tokens", "the API asks for no credentials")
    holder = _holder(auth)
    return _fixed(found, auth) if holder is None else _renewed(found, holder)


def _holder(auth: Auth) -> Auth | None:
    """The one among combined auths whose credentials run out."""
    return next((one for one in getattr(auth, "auths", ()) if one.needs_token), auth if auth.needs_token else None)


def _fixed(found: Findings, auth: Auth) -> Line:
    """There is nothing to renew: a refusal has to end the run, to say so, and to lose nothing."""
    reason = f"{kind_of(type(auth))}: nothing runs out"
    refused = found.acts.get(REFUSED)
    if refused is None or not refused.struck:
        return not_applicable("tokens", reason)
    wrong = found.problems("tokens")
    first = refused.passes[0]
    error = first.error or (first.report or {}).get("error") or {}
    if first.exit_code != REFUSAL:
        wrong.append(f"a 401 in mid-run ended the run with exit code {first.exit_code}, {REFUSAL} is meant")
    elif not error.get("hint"):
        wrong.append(f"a 401 in mid-run ended the run without saying what to do: {error.get('what')}")
    sent, taken = _asked(found)
    if taken < sent:
        wrong.append(f"{sent - taken} of {sent} requests came without the credential, or with a wrong one")
    if wrong:
        return failed("tokens", *some(wrong))
    return not_applicable(
        "tokens",
        reason,
        f"{taken:,} of {sent:,} requests came with the credential; a 401 in mid-run ended the run with exit code {REFUSAL} "
        f"({error['hint']}), and the next run brought everything",
    )


def _asked(found: Findings) -> tuple[int, int]:
    """Requests for pages that no fault struck, and how many of them were let in."""
    plain = [seen for act in found.of("tokens") for seen in act.seen if seen.kind == "page" and seen.fault is None]
    return len(plain), sum(seen.status not in (401, 403) for seen in plain)


def _renewed(found: Findings, holder: Auth) -> Line:
    acts = [act for act in found.of("tokens") if act.name != REFUSED]
    kind = kind_of(type(holder))
    lost = [struck for act in acts for struck in act.struck if struck.fault in LOST]
    refused = sum(seen.status in _refusals(holder) for act in acts for seen in act.seen)
    if not lost or not refused:
        return not_tried("tokens", f"the simulator cannot take back what auth: {{kind: {kind}}} was given")
    wrong = [*found.problems("tokens")]
    if any(act.tokens for act in acts):
        given, told = _given(acts, len(lost))
        wrong += given
    else:
        told = f"{kind}: there is none to ask for; each is made, or chosen, here"
    if wrong:
        return failed("tokens", *some(wrong))
    return held(
        "tokens",
        f"{many(len(lost), WORDS.get(kind, 'token'))} lost in mid-run (run out, taken back): each replaced once, "
        f"{many(refused, 'request')} refused and sent again, 0 records lost",
        told,
    )


def _refusals(holder: Auth) -> tuple[int, ...]:
    return (401, *getattr(holder, "renew_on", ()))


def _given(acts: list[ActReport], lost: int) -> tuple[list[str], str]:
    """How many tokens were asked for, which are too many where a run asks without need."""
    asked = sum(act.tokens for act in acts)
    runs = sum(len(act.passes) for act in acts)
    failures = sum(len(act.struck) for act in acts) - lost
    if asked > runs + lost + failures:
        return [f"{asked} tokens were asked for by {runs} runs that lost {lost} and were let down {failures} times"], ""
    return [], f"{asked} asked for by {runs} runs, {many(failures, 'failure')} of the token endpoint among them"
