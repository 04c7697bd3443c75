"""What a stream's records look like, found in the stream itself: in its mapping, its keys, its cursor and its query.

A mapping says which paths it reads and what it does with what stands there. Of every kind of value the first that the field's
transforms take is what the API is taken to send.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from syncline.mapping import FieldMapping, Mapping, compile_mapping
from syncline.mapping.template import parse_template
from syncline.model import parse_path, reveal
from syncline.model.paths import Path
from syncline.pagination import Pagination
from syncline.rehearsal.simulator.likeness import Likeness
from syncline.rehearsal.simulator.selection import selected_paths
from syncline.rehearsal.simulator.tree import Tree
from syncline.rehearsal.simulator.values import VALUES, Make, kind_by_name, spelled_moment
from syncline.spec import Stream

SAMPLES = ((0x9E3779B97F4A7C15, 0), (0xBF58476D1CE4E5B9, 1), (0x94D049BB133111EB, 2))
RARELY = 16
"""One in so many values that nobody requires is null."""
UNTOLD = ("name", "status", "amount", "created_at")
"""Fields of records of which nothing is known but their key."""


class Cursor(msgspec.Struct, frozen=True):
    """How the cursor field spells a moment, in milliseconds since 1970. `by_key`: it is the key, and grows with it."""

    path: Path
    kind: str
    template: str

    @property
    def by_key(self) -> bool:
        return self.kind == "key"

    def spell(self, moment: int) -> Any:
        if self.kind == "epoch":
            return moment // 1000
        return moment if self.kind == "epoch_ms" else spelled_moment(moment)

    def read(self, text: str) -> int | None:
        """The moment (or the key) that a request asks from, or None for one that cannot be read."""
        before, _, after = self.template.partition("{cursor}")
        text = text.removeprefix(before).removesuffix(after)
        try:
            if self.kind in ("key", "epoch_ms"):
                return int(Decimal(text))
            if self.kind == "epoch":
                return int(Decimal(text)) * 1000
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except (ValueError, ArithmeticError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)


class Blueprint(msgspec.Struct, frozen=True, kw_only=True):
    """How to make a stream's records. `required` and `optional` are paths that its mapping reads."""

    make: Make
    cursor: Cursor | None
    keys: tuple[Path, ...]
    required: tuple[Path, ...]
    optional: tuple[Path, ...]
    guessed: tuple[str, ...]
    """Targets for which no value was found that their transforms take."""


def blueprint_of(stream: Stream, child_keys: Iterable[str] = (), likeness: Likeness | None = None) -> Blueprint:
    """`child_keys` are the paths by which other streams read this one's records as their parents; `likeness` is what is known of
    them from elsewhere, which counts where the mapping takes it.
    """
    likeness = likeness or {}
    tree = Tree()
    told = stream.context_names  # these the record has from its parents, and not of its own
    spelled = (*child_keys, *stream.primary_key, *_followed(stream.pagination))
    keys = tuple(dict.fromkeys(path for path in map(parse_path, spelled) if not path or path[0] not in told))
    if () in keys:  # the records are plain texts
        keys = ((),)
    for path in keys:
        tree.put(path, _fitting_key(stream, path))
    cursor = _cursor(stream, keys)
    if cursor is not None and not cursor.by_key:
        tree.put(cursor.path, lambda h, n: None)  # its place; the value is put in with the version's moment
    if stream.deletes is not None and isinstance(stream.deletes.when, str):
        tree.put(parse_path(stream.deletes.when), lambda h, n: None)  # nobody is deleted yet
    for text, wanted in stream.where.items():
        tree.put(parse_path(text), _mostly(wanted))
    guessed: list[str] = []
    if stream.mapping is not None:
        _grow(tree, stream.mapping.fields, keys, guessed=guessed, told=told, likeness=likeness)
    for path, make in likeness.items() if keys != ((),) else ():
        tree.put(path, make)
    for path in selected_paths(stream) if stream.query else ():
        tree.put(path, VALUES[kind_by_name(str(path[-1]))])
    if stream.mapping is None and not stream.query and not likeness and keys != ((),):
        for name in UNTOLD:
            tree.put((name,), _now_and_then(VALUES[kind_by_name(name)]))
    fixed = {*keys, cursor.path if cursor else None, *map(parse_path, stream.where)}
    read = [path for path in _read_by(stream.mapping) if path and path not in fixed and path[0] not in told]
    required = tuple(path for path in _read_by(stream.mapping, required=True) if path in read)
    return Blueprint(
        make=tree.compile(),
        cursor=cursor,
        keys=keys,
        required=required,
        optional=tuple(path for path in read if path not in required) or (() if stream.mapping else ((UNTOLD[0],),)),
        guessed=tuple(guessed),
    )


def _followed(pagination: Pagination) -> Iterator[str]:
    """Paths in records by which the pagination goes on."""
    for name in ("last_record", "key"):
        path = getattr(pagination, name, None)
        if isinstance(path, str) and path != ".":
            yield path


def _fitting_key(stream: Stream, path: Path) -> Make:
    """Keys hold the record's number, in a spelling that their mapping takes."""
    if not path:
        return lambda h, n: f"{stream.name}-{n + 1:06}"
    spellings: list[Make] = [lambda h, n: n + 1, lambda h, n: str(n + 1), lambda h, n: f"{stream.name}-{n + 1:06}"]
    fields = [field for field in (stream.mapping.fields if stream.mapping else ()) if path in _paths_of(field)]
    return next((make for make in spellings if all(_takes(field, make) for field in fields)), spellings[0])


def key_number(value: Any) -> int | None:
    """The record's number in one of its keys, as it stands in a record, an address or a cursor."""
    digits = str(value).rpartition("-")[2]
    return int(digits) - 1 if digits.isascii() and digits.isdigit() else None


def _cursor(stream: Stream, keys: Sequence[Path]) -> Cursor | None:
    incremental = stream.incremental
    if incremental is None:
        return None
    path = parse_path(incremental.cursor)
    if path in keys:
        return Cursor(path, "key", incremental.template)
    start = reveal(incremental.start) if isinstance(incremental.start, str) else ""
    kinds = ["moment", "epoch", "epoch_ms"]
    if start and start.replace(".", "", 1).isdigit():
        kinds = ["epoch", "epoch_ms"] if len(start) < 12 else ["epoch_ms", "epoch"]
    elif incremental.lookback_steps:
        kinds = ["epoch_ms", "epoch"]
    fields = [field for field in (stream.mapping.fields if stream.mapping else ()) if path in _paths_of(field)]
    fitting = (kind for kind in kinds if all(_takes(field, VALUES[kind]) for field in fields))
    return Cursor(path, next(fitting, kinds[0]), incremental.template)


def _grow(
    tree: Tree,
    fields: Sequence[FieldMapping],
    keys: Sequence[Path],
    *,
    guessed: list[str],
    told: Sequence[str],
    likeness: Likeness,
) -> None:
    if tree.leaf is not None:
        return
    for field in fields:
        paths = [path for path in _paths_of(field) if not path or path[0] not in told]
        if field.each is not None and paths:
            inner = tree.at(paths[0])
            if inner.leaf is None and not inner.members:
                inner.length = lambda h: (h >> 33) % 4
                element = inner.at((0,)) if inner.element is None else inner.element
                inner.length = lambda h: (h >> 33) % 4
                below = {
                    path[len(paths[0]) + 1 :]: make for path, make in likeness.items() if _is_within(path, paths[0])
                }
                _grow(element, field.each.fields, (), guessed=guessed, told=(), likeness=below)
            continue
        if not paths:
            continue
        shown = (
            likeness.get(tuple(0 if isinstance(step, int) else step for step in paths[0])) if len(paths) == 1 else None
        )
        make = shown if shown is not None and _takes(field, shown, often=True) else _first_that_fits(field, paths)
        if make is None:
            guessed.append(field.target)
            make = VALUES["words"]
        may_be_null = not field.required and len(paths) == 1
        for path in paths:
            tree.put(path, _now_and_then(make) if may_be_null and path not in keys else make)


def _paths_of(field: FieldMapping) -> tuple[Path, ...]:
    if field.template is not None:
        return tuple(piece for piece in parse_template(field.template) if isinstance(piece, tuple))
    return tuple(map(parse_path, (field.source,) if field.source is not None else field.coalesce or ()))


def _read_by(mapping: Mapping | None, *, required: bool = False) -> list[Path]:
    fields = mapping.fields if mapping else ()
    return list(dict.fromkeys(path for field in fields if field.required or not required for path in _paths_of(field)))


def _first_that_fits(field: FieldMapping, paths: Sequence[Path]) -> Make | None:
    name = next((str(step) for step in reversed(paths[-1]) if isinstance(step, str)), field.target)
    likely = VALUES[kind_by_name(name)]
    if field.transform is None:
        return likely
    choices = [call.arguments[0] for call in field.transform.calls if call.name == "map" and call.arguments]
    tried = [_one_of([*choice]) for choice in choices if isinstance(choice, dict) and choice]
    return next((make for make in (*tried, likely, *VALUES.values()) if _takes(field, make)), None)


def _is_within(path: Path, place: Path) -> bool:
    return len(path) > len(place) + 1 and path[: len(place)] == place and path[len(place)] == 0


def _takes(field: FieldMapping, make: Make, *, often: bool = False) -> bool:
    """Whether the field becomes something of every sample; `often` allows for those that are null."""
    mapper = compile_mapping(Mapping(fields=(field,)))
    for h, n in SAMPLES:
        tree = Tree()
        for path in _paths_of(field):
            tree.put(path, make)
        mapped = mapper.map([tree.compile()(h, n)])
        if mapped.rejected or (mapped.batch.rows[0][0] is None and not (often and not field.required)):
            return False
    return True


def _one_of(values: Sequence[Any]) -> Make:
    return lambda h, n: values[(h >> 33) % len(values)]


def _mostly(wanted: Any) -> Make:
    """One of the values that are wanted, nine times of ten."""
    values = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
    return lambda h, n: "another" if (h >> 33) % 10 == 0 else values[(h >> 40) % len(values)]


def _now_and_then(make: Make) -> Make:
    return lambda h, n: None if (h >> 24) % RARELY == 0 else make(h, n)
