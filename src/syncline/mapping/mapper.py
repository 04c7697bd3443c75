"""From a page of records to a batch of rows, with the rejects beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from syncline.errors import SpecError
from syncline.mapping.careful import FieldError, check_text, interpret, join_path
from syncline.mapping.compiled import MapPage, compile_page, compile_shaped_page
from syncline.mapping.mapping import UNSET, Mapping
from syncline.mapping.plan import FieldPlan, Plan, make_plan
from syncline.mapping.transform import describe
from syncline.mapping.where import Matches, compile_where
from syncline.model import Batch, PathError, Rejected, Row, Shape, shape_of
from syncline.model.paths import Path

_encoder = msgspec.json.Encoder(decimal_format="number")
_CHUNK = 256
MAX_WAYS = 8
"""Shapes for which compiled functions are kept: a stream has two or three."""


class Mapped(msgspec.Struct, kw_only=True):
    """What became of a page: `len(batch.rows) + len(rejected) + filtered` is the number of its records."""

    batch: Batch
    rejected: list[Rejected]
    filtered: int = 0
    sources: Sequence[Any] = ()
    """The records behind the rows: `sources[i]` became `batch.rows[i]`."""


class Mapper:
    """A compiled mapping. `columns` are its targets, or None where records pass as they are and bring their own."""

    def __init__(self, plan: Plan | None, matches: Matches | None) -> None:
        self.columns = None if plan is None else tuple(field.target for field in plan.fields)
        self._plan = plan
        self._matches = matches
        self._shaped: dict[int, _ShapedWay] = {}
        self._page: MapPage | None = None
        """Made for the first page that comes as plain objects: most streams bring none."""

    def map(self, records: list[Any]) -> Mapped:
        """Rows in the order of the records. A record that fails is a Rejected with its path and reason, never an error."""
        mapped = self._map(records)
        if not _is_sound(mapped.batch):
            mapped = self._sift(records)
        mapped.sources = self._behind(mapped, records)
        return mapped

    def _behind(self, mapped: Mapped, records: list[Any]) -> list[Any]:
        if len(mapped.batch.rows) == len(records):
            return records
        rejected = {id(reject.record) for reject in mapped.rejected}
        matches = self._matches if mapped.filtered else None
        kept = [record for record in records if id(record) not in rejected]
        return kept if matches is None else [record for record in kept if matches(record)]

    def shape(self, others: Iterable[Path] = ()) -> Shape | None:
        """The part of a record that this mapping reads, with what others read; None where it may want the whole of it."""
        if self._plan is None or self._matches is not None or not self._plan.needs_object:
            return None
        paths = [path for field in self._plan.fields for path in field.paths]
        return shape_of([*paths, *others])

    def map_shaped(self, records: list[Any], shape: Shape) -> Batch | None:
        """Rows from records decoded into `shape`; None where one of them needs a careful look, and so its whole self."""
        if self._plan is None or self.columns is None:
            return None
        way = self._shaped.get(id(shape))
        if way is None:
            if len(self._shaped) >= MAX_WAYS:
                self._shaped.clear()
            way = self._shaped[id(shape)] = _ShapedWay(self._plan, shape)
        rows: list[Row] = []
        try:
            way.page(records, rows, int)
        except Exception:  # whatever a transform raises for a value it does not like
            return None
        if way.doubtful and not _are_sound([tuple(row[place] for place in way.doubtful) for row in rows]):
            return None
        return Batch(columns=self.columns, rows=rows, kinds=way.kinds)

    def _map(self, records: list[Any]) -> Mapped:
        if self._plan is None or self.columns is None:
            return self._pass(records)
        plan, matches = self._plan, self._matches
        if self._page is None:
            self._page = compile_page(plan, matches)
        rows: list[Row] = []
        rejected: list[Rejected] = []

        def careful(record: Any) -> int:
            may_match = isinstance(record, dict) or not plan.needs_object
            if matches is not None and may_match and not matches(record):
                return 1
            try:
                rows.append(interpret(plan, record))
            except FieldError as error:
                rejected.append(Rejected(path=error.path, reason=error.reason, record=record))
            return 0

        filtered = self._page(records, rows, careful)
        return Mapped(batch=Batch(columns=self.columns, rows=rows), rejected=rejected, filtered=filtered)

    def _pass(self, records: list[Any]) -> Mapped:
        """Records as they are: the columns are all keys in the order of first sight, what is absent is None."""
        kept: list[dict[str, Any]] = []
        rejected: list[Rejected] = []
        filtered = 0
        matches = self._matches
        for record in records:
            if not isinstance(record, dict):
                reason = f"an object is expected, not {describe(record)}"
                rejected.append(Rejected(path=".", reason=reason, record=record))
            elif matches is not None and not matches(record):
                filtered += 1
            else:
                kept.append(record)
        columns = tuple(kept[0]) if kept else ()
        if all(tuple(record) == columns for record in kept):
            rows: list[Row] = [tuple(record.values()) for record in kept]
        else:
            columns = tuple(dict.fromkeys(key for record in kept for key in record))
            rows = [tuple(map(record.get, columns)) for record in kept]
        return Mapped(batch=Batch(columns=columns, rows=rows, whole=True), rejected=rejected, filtered=filtered)

    def _sift(self, records: list[Any]) -> Mapped:
        """The page again, record by record, without those whose text no encoding can hold."""
        broken: dict[int, Rejected] = {}
        for number, record in enumerate(records):
            batch = self._map([record]).batch
            try:
                for row in batch.rows:
                    check_text(batch.columns, "")
                    for column, value in zip(batch.columns, row, strict=True):
                        check_text(value, join_path("", column))
            except FieldError as error:
                broken[number] = Rejected(path=error.path, reason=error.reason, record=record)
        mapped = self._map([record for number, record in enumerate(records) if number not in broken])
        mapped.rejected.extend(broken.values())
        return mapped


class _ShapedWay:
    """How records of one shape are mapped. `doubtful` are the places of values that JSON's own rules do not vouch for."""

    def __init__(self, plan: Plan, shape: Shape) -> None:
        self.shape = shape  # held, so that its id stays its own
        self.page: MapPage = compile_shaped_page(plan, shape)
        self.doubtful = tuple(place for place, field in enumerate(plan.fields) if not field.sound)
        self.kinds = tuple(_kinds(field, shape) for field in plan.fields)


def _kinds(field: FieldPlan, shape: Shape) -> frozenset[type] | None:
    """The types of a field's values: where they are read as they are from a place of one type, or made whole numbers."""
    if field.steps and field.steps[-1].whole and field.each is None and field.default is UNSET:
        return frozenset((int,)) if field.required else frozenset((int, type(None)))
    if not field.as_read or len(field.paths) != 1 or field.each is not None or field.default is not UNSET:
        return None
    path = tuple(0 if isinstance(step, int) else step for step in field.paths[0])
    known = shape.types.get(path)
    if known is None:
        return None
    return frozenset((known,)) if field.required else frozenset((known, type(None)))


def compile_mapping(mapping: Mapping | None, where: dict[str, Any] | None = None) -> Mapper:
    """Make a mapping ready to run; without one, records pass as they are.

    `where` names the wanted values, `{path: value or list of values}`; records without them are counted as filtered.
    Raises SpecError for a Python function that cannot be had, or a path that is none.
    """
    try:
        matches = compile_where(where) if where else None
    except PathError as error:
        raise SpecError(str(error), hint="write where: {path: value}", path="where") from None
    return Mapper(None if mapping is None else make_plan(mapping), matches)


def _is_sound(batch: Batch) -> bool:
    """Whether all text is encodable: encoding it at native speed is the cheapest way to know that is always right."""
    return _are_sound([batch.columns]) and _are_sound(batch.rows)


def _are_sound(rows: Sequence[Row]) -> bool:
    buffer = bytearray()
    try:
        for start in range(0, len(rows), _CHUNK):
            _encoder.encode_into(rows[start : start + _CHUNK], buffer)
    except Exception:  # also for what JSON cannot hold at all: the careful look decides
        return False
    return True
