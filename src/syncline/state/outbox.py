"""What is done to other APIs: effects under way, and links to what they made. It works inside the caller's transaction.

Keys are compared by their digest, because databases differ about case and trailing spaces of text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from syncline.databases import Database
from syncline.model import decode_json
from syncline.state.exact import to_json, to_text
from syncline.state.records import Effect, Link, Outcome

_CHANGING = "operation, request, call_id, place, idempotency_key, outcome, remote_id, path, reason, record, passed"
_ALL = f"id, stream, source_key, content, digest, letter, run_id, created, {_CHANGING}"
_LINK = "source_key, remote_id, digest"
_MARKS = ", ".join("?" * len(_ALL.split(",")))
_AT_ONCE = 200
"""Values in one IN list."""


class Outbox:
    """Effects, from before they are sent until the checkpoint has moved past them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, effects: Iterable[Effect]) -> None:
        """Store them, in the place of what was stored under the same ids."""
        effects = list(effects)
        known = set(self._known([effect.id for effect in effects]))
        assignments = ", ".join(f"{name} = ?" for name in _CHANGING.split(", "))
        for effect in effects:
            changing = _changing(effect)
            if effect.id in known:
                self._database.execute(
                    f"UPDATE syncline_outbox SET {assignments} WHERE id = ?",  # noqa: S608 – ours
                    (*changing, effect.id),
                )
                continue
            lasting = (effect.id, effect.key, effect.source_key, effect.content, effect.digest, effect.letter)
            self._database.execute(
                f"INSERT INTO syncline_outbox ({_ALL}) VALUES ({_MARKS})",  # noqa: S608 – ours
                (*lasting, effect.run_id, self._database.bound_time(effect.created), *changing),
            )

    def remove(self, effects: Sequence[str]) -> None:
        for part in _parts(effects):
            self._database.execute(
                f"DELETE FROM syncline_outbox WHERE id IN ({_places(part)})",  # noqa: S608 – ours
                part,
            )

    def pass_by(self, effects: Sequence[str]) -> None:
        """The checkpoint moves past these: what is in doubt stays, all others are done with."""
        for part in _parts(effects):
            places = _places(part)
            self._database.execute(
                f"DELETE FROM syncline_outbox WHERE id IN ({places}) AND outcome <> 'in_doubt'",  # noqa: S608 – ours
                part,
            )
            self._database.execute(f"UPDATE syncline_outbox SET passed = 1 WHERE id IN ({places})", part)  # noqa: S608

    def select(self, key: str, outcomes: Sequence[Outcome] = (), limit: int | None = None) -> list[Effect]:
        """Those of one stream, oldest first, in these outcomes (or in all)."""
        chosen = f" AND outcome IN ({_places(outcomes)})" if outcomes else ""
        rows = self._database.execute(
            f"SELECT {_ALL} FROM syncline_outbox WHERE stream = ?{chosen}"  # noqa: S608 – ours
            f" ORDER BY created, id{'' if limit is None else f' {self._database.at_most(limit)}'}",
            (key, *outcomes),
        ).fetchall()
        return [self._effect_of(row) for row in rows]

    def count(self, key: str, outcome: Outcome) -> int:
        statement = "SELECT count(*) FROM syncline_outbox WHERE stream = ? AND outcome = ?"
        return int(self._database.execute(statement, (key, outcome)).fetchone()[0])

    def _known(self, effects: Sequence[str]) -> Iterator[str]:
        for part in _parts(effects):
            rows = self._database.execute(
                f"SELECT id FROM syncline_outbox WHERE id IN ({_places(part)})",  # noqa: S608 – ours
                part,
            ).fetchall()
            yield from (row[0] for row in rows)

    def _effect_of(self, row: tuple[Any, ...]) -> Effect:
        stored = dict(zip(_ALL.split(", "), row, strict=True))
        stored["key"], stored["call"] = stored.pop("stream"), stored.pop("call_id")
        for name in ("remote_id", "record"):
            stored[name] = decode_json(stored[name]) if stored[name] is not None else None
        stored["passed"], stored["created"] = bool(stored["passed"]), self._database.read_time(stored["created"])
        return Effect(**stored)


class Links:
    """Which record at the destination each record of a stream is. The link of no key says whose ids these are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self, key: str, source_keys: Sequence[str]) -> dict[str, Link]:
        """Those that there are, by the key at the source."""
        found: dict[str, Link] = {}
        for part in _parts([_id(key, source_key) for source_key in source_keys]):
            rows = self._database.execute(
                f"SELECT {_LINK} FROM syncline_links WHERE id IN ({_places(part)})",  # noqa: S608 – ours
                part,
            ).fetchall()
            found |= {row[0]: _link_of(row) for row in rows}
        return found

    def put(self, key: str, links: Iterable[Link], now: datetime) -> None:
        """Make or change them; what a pass has seen stays as it is."""
        links = list(links)
        known = set(self.load(key, [link.source_key for link in links]))
        for link in links:
            values = (to_json(link.remote_id), link.digest, self._database.bound_time(now), _id(key, link.source_key))
            if link.source_key in known:
                self._database.execute(
                    "UPDATE syncline_links SET remote_id = ?, digest = ?, updated = ? WHERE id = ?", values
                )
                continue
            self._database.execute(
                "INSERT INTO syncline_links (remote_id, digest, updated, id, stream, source_key, seen)"
                " VALUES (?, ?, ?, ?, ?, ?, '')",
                (*values, key, link.source_key),
            )
            known.add(link.source_key)

    def remove(self, key: str, source_keys: Sequence[str]) -> None:
        for part in _parts([_id(key, source_key) for source_key in source_keys]):
            self._database.execute(
                f"DELETE FROM syncline_links WHERE id IN ({_places(part)})",  # noqa: S608 – ours
                part,
            )

    def see(self, key: str, source_keys: Sequence[str], mark: str) -> None:
        """These were listed by the pass of this mark."""
        for part in _parts([_id(key, source_key) for source_key in source_keys]):
            self._database.execute(
                f"UPDATE syncline_links SET seen = ? WHERE id IN ({_places(part)})",  # noqa: S608 – ours
                (mark, *part),
            )

    def forget_digests(self, key: str) -> int:
        """What was last sent is not known any more, so that everything is sent again; gives their number."""
        changed = self._database.execute(
            "UPDATE syncline_links SET digest = '' WHERE stream = ? AND source_key <> ''", (key,)
        )
        return changed.rowcount

    def count(self, key: str, unseen: str | None = None) -> int:
        """How many there are; or how many the pass of the mark `unseen` did not list."""
        chosen, values = ("", (key,)) if unseen is None else (" AND seen <> ?", (key, unseen))
        row = self._database.execute(
            f"SELECT count(*) FROM syncline_links WHERE stream = ? AND source_key <> ''{chosen}",  # noqa: S608 – ours
            values,
        ).fetchone()
        return int(row[0])

    def unseen(self, key: str, mark: str, limit: int) -> list[Link]:
        """Some that the pass of this mark did not list."""
        some = self._database.at_most(limit)
        rows = self._database.execute(
            f"SELECT {_LINK} FROM syncline_links WHERE stream = ? AND source_key <> '' AND seen <> ? ORDER BY id {some}",  # noqa: S608
            (key, mark),
        ).fetchall()
        return [_link_of(row) for row in rows]


def _link_of(row: tuple[Any, ...]) -> Link:
    source_key, remote_id, digest = row
    return Link(source_key=source_key, remote_id=decode_json(remote_id), digest=digest)


def _id(key: str, source_key: str) -> str:
    return hashlib.sha256(f"{key}\0{source_key}".encode("utf-8", "surrogatepass")).hexdigest()


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    unique = list(dict.fromkeys(values))
    return (unique[start : start + _AT_ONCE] for start in range(0, len(unique), _AT_ONCE))


def _places(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _changing(effect: Effect) -> tuple[Any, ...]:
    return (
        effect.operation,
        effect.request,
        effect.call,
        effect.place,
        effect.idempotency_key,
        effect.outcome,
        None if effect.remote_id is None else to_json(effect.remote_id),
        to_text(effect.path),
        to_text(effect.reason),
        None if effect.record is None else to_json(effect.record),
        int(effect.passed),
    )
