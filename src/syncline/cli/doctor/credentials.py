"""What an integration authorises itself with: references, private files, certificates, tokens. Never a value of them."""

from __future__ import annotations

import shlex
import stat
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from syncline.auth import Certificate
from syncline.cli.doctor.finding import Finding, broken, ok, skipped, warned
from syncline.cli.doctor.network import ending
from syncline.engine import resolved
from syncline.engine.tokens import TokenStatus
from syncline.errors import SynclineError
from syncline.http.validity import validity_of
from syncline.model import Reference
from syncline.model.units import span
from syncline.secrets import references
from syncline.spec import Integration

REMOTE = frozenset({"vault", "aws-sm", "gcp-sm", "azure-kv"})
MOUNTED = (Path("/run"), Path("/var/run"))
"""Where container platforms put secrets, readable by all who are in the container."""


async def resolvable(
    integration: Integration, environment: Mapping[str, str], folder: Path, *, offline: bool
) -> tuple[Finding, Integration | None]:
    """Whether every reference has a value (names are shown, values never), and the integration with all of them."""
    known = dict(references(integration))
    asked = {path: one for path, one in known.items() if not (offline and _is_remote(one))}
    names = list(dict.fromkeys(name for one in asked.values() for name in one.names()))
    complete: Integration | None = None
    try:
        if len(asked) == len(known):
            complete = await resolved(integration, environment, folder)
        else:
            await resolved(asked, environment, folder)
    except SynclineError as error:
        fix = error.hint or "syncline check names what the file needs"
        return broken("references", error.what, fix), None
    left = len(known) - len(asked)
    more = f"{left} at secrets managers not asked (--offline)" if left else ""
    said = "; ".join(filter(None, (", ".join(names), more))) or "the file has none"
    return ok("references", said), complete


def _is_remote(reference: Reference) -> bool:
    return any(name.partition(":")[0] in REMOTE for name in reference.names())


def private_files(paths: Iterable[Path]) -> Finding:
    """Whether others on this machine can read what is for this user alone."""
    if sys.platform == "win32":
        return skipped("private files", "permissions are not looked at on Windows")
    there = [path for path in dict.fromkeys(paths) if path.is_file()]
    open_ones = [path for path in there if _others_read(path)]
    if open_ones:
        shown = ", ".join(map(str, open_ones[:3])) + (f" and {len(open_ones) - 3} more" if len(open_ones) > 3 else "")
        fix = f"chmod 600 {' '.join(shlex.quote(str(path)) for path in open_ones[:3])}"
        return warned("private files", f"others on this machine can read {shown}", fix)
    return ok("private files", f"{len(there)} for this user alone" if there else "there are none")


def kept_private(integration: Integration, folder: Path) -> list[Path]:
    """The `.env`, the files that references name, stored tokens, and private keys."""
    found = [folder / ".env"]
    for _, reference in references(integration):
        for name in reference.names():
            scheme, _, path = name.partition(":")
            if scheme == "file" and not any(folder.joinpath(path).is_relative_to(mount) for mount in MOUNTED):
                found.append(folder / path)
    tokens = Path(integration.tokens) if isinstance(integration.tokens, str) else Path(".syncline/tokens")
    if tokens.is_dir():
        found += sorted(path for path in tokens.iterdir() if path.is_file())
    return found


def _others_read(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except OSError:
        return False


def client_certificate(certificate: Certificate | None, now: datetime) -> Finding:
    """How long our own certificate holds."""
    if certificate is None:
        return skipped("certificates", "no client certificate is used")
    text = certificate.chain.reveal()
    fix = "get a new one from whoever issued it, and put it where certificate points"
    try:
        found = validity_of(text.replace("\\n", "\n") if "-----BEGIN" in text else Path(text).read_text())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not PEM"
        return broken("certificates", f"the client certificate cannot be read: {reason}", "check auth.certificate")
    if found.starts > now:
        return broken("certificates", "the client certificate is not valid yet", "check this machine's clock, or wait")
    return ending("certificates", "the client certificate", found.ends, now, fix)


def tokens(status: TokenStatus | None, again: str, now: datetime) -> Finding:
    """What is stored of the token, and whether somebody will have to log in again soon: with the command `again`."""
    if status is None:
        return skipped("tokens", "this integration has none")
    if status.problem is not None:
        return broken("tokens", status.problem, status.hint or again)
    if not status.stored:
        if status.login:
            return broken("tokens", f"nobody has logged in yet ({status.grant})", again)
        return ok("tokens", f"{status.grant}: obtained when needed")
    if status.expires_at is not None and status.expires_at <= now and not status.refreshable and status.login:
        return broken("tokens", f"the token ran out {span((now - status.expires_at).total_seconds())} ago", again)
    if status.refresh_expires_at is not None and status.refresh_expires_at <= now:
        ago = span((now - status.refresh_expires_at).total_seconds())
        return broken("tokens", f"the refresh token ran out {ago} ago", again)
    if status.runs_out is not None:
        left = span((status.runs_out - now).total_seconds())
        fix = again if status.login else "authorise again and store the new refresh token"
        return warned("tokens", f"what somebody agreed to runs out in {left}", fix)
    return ok("tokens", f"{status.grant}: stored in {status.place}, {_renewal(status, now)}")


def _renewal(status: TokenStatus, now: datetime) -> str:
    if status.refresh_expires_at is not None:
        return f"renewed by itself for {span((status.refresh_expires_at - now).total_seconds())}"
    if status.refreshable:
        return "renewed by itself"
    if status.expires_at is None:
        return "without an end"
    return f"for {span(max(0.0, (status.expires_at - now).total_seconds()))}"
