"""Records that say of themselves that they were deleted."""

from __future__ import annotations

from typing import Any

import msgspec

from syncline.destinations import Deletes
from syncline.mapping import Mapper, Mapping, Matches, compile_mapping, compile_where
from syncline.model import MISSING, Rejected, Row, parse_path, read_path
from syncline.spec import Stream, key_columns


class Sifted(msgspec.Struct):
    """A page's records: those that are alive, and of the deleted ones the keys; whose key cannot be had are `rejected`.

    `gone` maps each key to its record's place on the page, so that what came last has the last word.
    """

    alive: list[Any]
    gone: dict[Row, int]
    rejected: list[Rejected]


class Keys:
    """The primary keys of records of which nothing else has to be there."""

    def __init__(self, stream: Stream) -> None:
        self._key = key_columns(stream)
        mapping = stream.mapping
        if mapping is not None:
            mapping = Mapping(fields=tuple(field for field in mapping.fields if field.target in self._key))
        self._mapper: Mapper = compile_mapping(mapping)

    def of(self, record: Any) -> Row | None:
        batch = self._mapper.map([record]).batch
        if not batch.rows or not set(self._key) <= set(batch.columns):
            return None
        key = tuple(batch.rows[0][batch.columns.index(name)] for name in self._key)
        return None if None in key else key


class Tombstones:
    """Tells deleted records from others."""

    def __init__(self, deletes: Deletes, keys: Keys) -> None:
        assert deletes.when is not None
        self._deleted, self._keys = _test(deletes.when), keys

    def sift(self, records: list[Any]) -> Sifted:
        sifted = Sifted([], {}, [])
        for place, record in enumerate(records):
            if not self._deleted(record):
                sifted.alive.append(record)
            elif (key := self._keys.of(record)) is None:
                reason = "the deleted record has no primary key"
                sifted.rejected.append(Rejected(path="", reason=reason, record=record))
            else:
                sifted.gone[key] = place
        return sifted


def _test(when: str | dict[str, Any]) -> Matches:
    if not isinstance(when, str):
        return compile_where(when)
    path = parse_path(when)

    def stands(record: Any) -> bool:
        found = read_path(path, record)
        return found is not MISSING and found not in (None, False, "")

    return stands
