"""Where the state is kept: whether it can be, and what it tells."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Protocol

from syncline.cli.doctor.finding import Finding, broken, ok, skipped, warned
from syncline.errors import LeaseError, SynclineError
from syncline.model import Reference, reveal
from syncline.model.units import span
from syncline.spec import Integration
from syncline.state import StateStore, StreamState

SQLITE = "sqlite:///"
DEFAULT = Path(".syncline/state.db")
LITTLE, NOTHING_LEFT = 1_000_000_000, 50_000_000
OLDEST_SQLITE = (3, 35, 0)


class Usage(Protocol):
    @property
    def free(self) -> int: ...


def place(integration: Integration) -> Path | None:
    """The file that holds the state, or None where a database server does."""
    url = getattr(integration.destination, "url", None)
    named = url if url is not None else integration.state
    if named is None:
        return DEFAULT
    text = "" if isinstance(named, Reference) else reveal(named)
    return Path(text.removeprefix(SQLITE)) if text.startswith(SQLITE) else None


def on_disk(path: Path | None, usage: Callable[[Path], Usage] = shutil.disk_usage) -> list[Finding]:
    """Whether files can be written there, whether there is room, whether SQLite works as it must."""
    if path is None:
        return [skipped(check, "the state is not in a file here") for check in ("state folder", "disk", "sqlite")]
    folder = _existing(path.parent)
    writable = write_access(folder, path)
    return [writable, disk(folder, usage), sqlite(folder) if writable.level == "ok" else skipped("sqlite", "see above")]


def write_access(folder: Path, path: Path) -> Finding:
    fix = f"give this user the right to write there: {shlex.quote(str(folder))}"
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        if path.exists():
            with path.open("ab"):
                pass
    except OSError as error:
        return broken("state folder", f"{path} cannot be written: {error.strerror}", fix)
    return ok("state folder", f"{path} can be written")


def disk(folder: Path, usage: Callable[[Path], Usage] = shutil.disk_usage) -> Finding:
    free = usage(folder).free
    shown = f"{free / 1e9:.1f} GB free"
    fix = f"free some space on the disk of {folder}"
    if free < NOTHING_LEFT:
        return broken("disk", f"{free / 1e6:.0f} MB free: the next run will fail", fix)
    return warned("disk", f"only {shown}", fix) if free < LITTLE else ok("disk", shown)


def sqlite(folder: Path, found: str = sqlite3.sqlite_version) -> Finding:
    """The version, and whether this file system can do write-ahead logging (network file systems often cannot)."""
    if tuple(map(int, found.split("."))) < OLDEST_SQLITE:
        return broken("sqlite", f"SQLite {found} is too old", "use a Python that brings SQLite 3.35 or later")
    try:
        with (
            tempfile.TemporaryDirectory(dir=folder, prefix=".syncline-") as trial,
            closing(sqlite3.connect(Path(trial) / "trial.db")) as database,
        ):
            mode = database.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            database.execute("CREATE TABLE trial (x)")
    except (sqlite3.Error, OSError) as error:
        return broken("sqlite", f"SQLite {found} cannot work in {folder}: {error}", "keep the state on a local disk")
    if mode != "wal":
        fix = "keep the state on a local disk: state: sqlite:////var/lib/…"
        return broken("sqlite", f"{folder} allows no write-ahead log (mode {mode})", fix)
    return ok("sqlite", f"SQLite {found}, write-ahead log works")


async def told_by(state: StateStore, integration: Integration, file: str, now: datetime) -> list[Finding]:
    """Leases of processes that are gone, open rejects, streams that failed or are stale."""
    keys = {integration.state_key(stream): stream.name for stream in integration.streams}
    known = [one for one in await state.all() if one.key in keys]
    rejects = {keys[key]: len(await state.dead_letters.list(key, limit=1_000)) for key in keys}
    shown = shlex.quote(file)
    return [
        leases(known, keys, shown, now),
        open_rejects(rejects, shown),
        streams(known, keys, integration, shown, now),
    ]


def not_told(error: SynclineError) -> list[Finding]:
    if isinstance(error, LeaseError):  # a run is under way in a file that one process has at a time
        return [ok("leases", f"{error.what}; ask again when it is done")] + [
            skipped(check, "the state is being written") for check in ("rejects", "streams")
        ]
    fix = error.hint or "syncline status FILE"
    return [broken("leases", f"the state cannot be read: {error.what}", fix)] + [
        skipped(check, "the state cannot be read") for check in ("rejects", "streams")
    ]


def leases(known: Iterable[StreamState], keys: dict[str, str], file: str, now: datetime) -> Finding:
    running = [one for one in known if one.status == "running" and one.owner is not None]
    gone = [
        one for one in running if one.owner and (one.owner.is_dead() or (one.lease_until and one.lease_until < now))
    ]
    if gone:
        what = "; ".join(f"{keys[one.key]} is held by {one.owner}, which is gone" for one in gone[:3])
        return warned("leases", what, f"syncline run {file} takes it over and goes on from its checkpoint")
    if running:
        return ok("leases", "; ".join(f"{keys[one.key]} is being synced by {one.owner}" for one in running[:3]))
    return ok("leases", "nobody holds one")


def open_rejects(counts: dict[str, int], file: str) -> Finding:
    some = {stream: count for stream, count in counts.items() if count}
    if not some:
        return ok("rejects", "none are open")
    what = ", ".join(f"{stream}: {count:,}{'+' if count == 1_000 else ''}" for stream, count in some.items())
    return warned("rejects", f"open: {what}", f"syncline rejects list {file}, then retry or drop them")


def streams(
    known: Iterable[StreamState], keys: dict[str, str], integration: Integration, file: str, now: datetime
) -> Finding:
    by_key = {one.key: one for one in known}
    failed = [one for one in by_key.values() if one.status == "failed"]
    if failed:
        what = f"{keys[failed[0].key]} failed last time: {failed[0].error or 'no reason was kept'}"
        return broken("streams", what[:300], f"syncline run {file} --debug, or syncline status {file}")
    target = integration.target(now)
    synced = {name: by_key[key].last_sync_at if key in by_key else None for key, name in keys.items()}
    stale = {
        name: (now - at).total_seconds()
        for name, at in synced.items()
        if target is not None and at is not None and (now - at).total_seconds() > target
    }
    if stale:
        what = ", ".join(f"{name} last came {span(age)} ago" for name, age in stale.items())
        fix = f"see that the scheduler runs: syncline run {file}"
        due = f"due {integration.schedule}" if integration.schedule else "the file wants it fresher"
        return warned("streams", f"stale: {what}, though {due}", fix)
    never = [name for name, at in synced.items() if at is None]
    if never:
        return skipped("streams", f"not synced yet: {', '.join(never)}")
    oldest = max((now - at).total_seconds() for at in synced.values() if at is not None)
    return ok("streams", f"{len(synced)} synced, {span(oldest)} ago at the latest")


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder
