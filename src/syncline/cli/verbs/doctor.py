"""`syncline doctor`: what is not well, on this machine and with these integrations, and what to do about it."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import msgspec

from syncline.cli.doctor import CHECKS, Finding, credentials, machine, network, storage
from syncline.cli.doctor.finding import broken, ok, skipped
from syncline.cli.door import as_json, redacted_text
from syncline.cli.files import find_files
from syncline.cli.paint import Paint, paint, printable
from syncline.engine import opened_state
from syncline.engine.tokens import End, connection_of, token_status
from syncline.errors import SynclineError
from syncline.model import Clock, SystemClock
from syncline.secrets import resolve
from syncline.sources import HttpSource
from syncline.spec import Integration, load

MARKS = {"ok": "✓", "skip": "·", "warn": "!", "bad": "✗"}


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about one thing: the machine, or an integration's file."""

    name: str
    file: str | None = None
    checks: list[Finding]


def main(arguments: argparse.Namespace) -> int:
    found = asyncio.run(examine(find_files(arguments.paths), SystemClock(), offline=arguments.offline))
    counts = {level: sum(one.level == level for part in found for one in part.checks) for level in MARKS}
    if arguments.json:
        examined = [msgspec.to_builtins(part) for part in found]
        sys.stdout.write(as_json({"ok": not counts["bad"], "counts": counts, "examined": examined}))
    else:
        print("\n".join(_lines(found, counts, paint(sys.stdout))))
    return 1 if counts["bad"] else 0


async def examine(files: list[Path], clock: Clock, *, offline: bool) -> list[Examined]:
    """The machine, then each file; a file that cannot be read ends its own checks alone."""
    examined: list[Examined] = []
    from_environment = []
    for file in files:
        try:
            integration = load(file)
        except SynclineError as error:
            count = len(getattr(error, "mistakes", ()))
            what = f"{error.what}" if count != 1 else str(error.mistakes[0])  # type: ignore[attr-defined]
            examined.append(_examined(str(file), str(file), [broken("file", what, f"syncline check {file}")]))
            continue
        from_environment.append(getattr(integration.source, "proxy", None) == "environment")
        findings = await _of_file(integration, file, clock, offline=offline)
        examined.append(_examined(integration.name, str(file), [ok("file", "has no mistakes"), *findings]))
    used = bool(from_environment) and all(from_environment)
    first = Examined(name="machine", checks=machine.all_checks(os.environ, proxies_used=used))
    if not files:
        first = msgspec.structs.replace(first, checks=first.checks + storage.on_disk(storage.DEFAULT))
    return [first, *examined]


def _examined(name: str, file: str, findings: list[Finding]) -> Examined:
    return Examined(name=name, file=file, checks=sorted(findings, key=lambda one: CHECKS.index(one.check)))


async def _of_file(integration: Integration, file: Path, clock: Clock, *, offline: bool) -> list[Finding]:
    folder = file.resolve().parent
    finding, complete = await credentials.resolvable(integration, os.environ, folder, offline=offline)
    known = _Known(integration, complete, folder)
    findings = [finding, credentials.private_files(credentials.kept_private(integration, folder))]
    findings += await _of_network(known, clock, offline=offline)
    findings += await _of_credentials(known, str(file), clock)
    return findings + await _of_state(known, str(file), clock)


class _Known:
    """The parts of an integration that have their values, even where others have none."""

    def __init__(self, integration: Integration, complete: Integration | None, folder: Path) -> None:
        self.integration, self._complete, self._folder = integration, complete, folder

    def with_values(self, *names: str, of: str | None = None) -> Any:
        """The integration (or its part `of`) with these fields resolved. Raises AuthError; asks nobody over the network."""
        whole = self._complete or self.integration
        part = whole if of is None else getattr(whole, of)
        fields = {name: getattr(part, name) for name in names if hasattr(part, name)}
        return part.model_copy(update=resolve(fields, os.environ, self._folder))


async def _of_network(known: _Known, clock: Clock, *, offline: bool) -> list[Finding]:
    try:
        source = known.with_values("base_url", "proxy", "tls", of="source")
    except SynclineError:
        return [skipped(check, "base_url has no value") for check in ("dns", "tls", "clock")]
    assert isinstance(source, HttpSource)
    return await network.all_checks(source, clock, offline=offline)


WORSE = ("skip", "ok", "warn", "bad")


async def _of_credentials(known: _Known, file: str, clock: Clock) -> list[Finding]:
    """Those of the source, or of a destination that is an API, where those are in a worse way."""
    findings = await _of_end("source", known, file, clock)
    if connection_of(known.integration, "destination") is None:
        return findings
    others = [
        msgspec.structs.replace(finding, said=f"destination: {finding.said}")
        for finding in await _of_end("destination", known, file, clock)
    ]
    return [max(pair, key=lambda one: WORSE.index(one.level)) for pair in zip(findings, others, strict=True)]


async def _of_end(end: End, known: _Known, file: str, clock: Clock) -> list[Finding]:
    try:
        ready = known.with_values(end, "tokens")
    except SynclineError:
        return [skipped(check, "credentials have no value") for check in ("certificates", "tokens")]
    connection = connection_of(ready, end)
    certificate = connection.auth.client_certificate if connection is not None and connection.auth else None
    again = f"syncline login {shlex.quote(file)}{' --destination' if end == 'destination' else ''}"
    return [
        credentials.client_certificate(certificate, clock.now()),
        credentials.tokens(await token_status(ready, clock=clock, end=end), again, clock.now()),
    ]


async def _of_state(known: _Known, file: str, clock: Clock) -> list[Finding]:
    try:
        placed = known.with_values("destination", "state")
    except SynclineError:
        unknown = ("state folder", "disk", "sqlite", "leases", "rejects", "streams")
        return [skipped(check, "its place is a reference without a value") for check in unknown]
    findings = storage.on_disk(storage.place(placed))
    try:
        async with opened_state(placed) as state:
            return findings + await storage.told_by(state, placed, file, clock.now())
    except SynclineError as error:
        return findings + storage.not_told(error)


def _lines(found: list[Examined], counts: dict[str, int], brush: Paint) -> list[str]:
    lines: list[str] = []
    colours: dict[str, Any] = {"ok": brush.good, "skip": brush.dim, "warn": brush.warn, "bad": brush.bad}
    width = max(len(check) for check in CHECKS)
    for part in found:
        place = f"  {brush.dim(part.file)}" if part.file and part.file != part.name else ""
        lines += [f"{brush.bold(part.name)}{place}"]
        for one in part.checks:
            said = printable(redacted_text(one.said)).replace("\n", " ")
            shown = brush.dim(said) if one.level == "skip" else said
            lines.append(f"  {colours[one.level](MARKS[one.level])} {one.check:<{width}}  {shown}")
            if one.fix:
                lines.append(f"    {' ' * width}  {brush.dim('fix')} {printable(redacted_text(one.fix))}")
        lines.append("")
    total = sum(counts.values())
    parts = [f"{total} checks", f"{counts['ok']} well"]
    parts += [
        f"{counts[level]} {word}"
        for level, word in (("warn", "to look at"), ("bad", "broken"), ("skip", "not looked at"))
        if counts[level]
    ]
    summary = " · ".join(parts)
    return [
        *lines,
        brush.bad(summary) if counts["bad"] else brush.warn(summary) if counts["warn"] else brush.good(summary),
    ]
