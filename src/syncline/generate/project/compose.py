"""From what is known of an API, and six answers, to an integration whose every guess says why."""

from __future__ import annotations

import textwrap
from typing import Any
from urllib.parse import urlsplit

import msgspec

from syncline.errors import UsageError
from syncline.generate.inference import Api, Entity, Guess, plain
from syncline.generate.project.answers import Answers
from syncline.generate.project.columns import Columns
from syncline.generate.project.graphql import on_lines
from syncline.generate.project.naming import integration_name, stream_name, variable_prefix
from syncline.generate.project.places import destination_block, write_mode
from syncline.generate.project.ways import auth_block, safe_text
from syncline.model.names import did_you_mean
from syncline.sources.endpoint import PLACEHOLDER
from syncline.spec import Integration, loads
from syncline.spec.load import SCHEMA_LINE
from syncline.spec.yaml_write import write

MOST_STREAMS = 12
MOST_EVIDENCE = 3
COMMENT_WIDTH = 100
Place = tuple[str | int, ...]


class Draft(msgspec.Struct, kw_only=True):
    """An integration as a file: `text` with a comment for each guess. `unknown` is what nobody found out and nobody answered.

    `left_out` names the lists that were not taken, `entities` those that were, by the names of their streams.
    """

    integration: Integration
    text: str
    unknown: list[str] = []
    left_out: list[str] = []
    entities: dict[str, Entity] = {}


def compose(api: Api, answers: Answers) -> Draft:
    """The draft. Raises UsageError for entities that are not there and answers that cannot be meant."""
    return _Composer(api, answers).draft()


def chosen_entities(api: Api, names: tuple[str, ...]) -> list[Entity]:
    """The lists of these names, or those worth syncing; parents come with their children. Raises UsageError."""
    known = {entity.name: entity for entity in api.entities}
    if not names:
        alone = [entity for entity in api.entities if not needs(api, entity)]
        picked = ([entity for entity in alone if entity.worth.value] or alone or list(api.entities))[:MOST_STREAMS]
    else:
        picked = []
        for name in names:
            if name not in known and known:
                raise UsageError(
                    f"the API has no list {name!r}; {did_you_mean(name, known)}",
                    hint=f"there is: {', '.join(list(known)[:20])}",
                )
            picked.append(known.get(name) or Entity(name=name, path=f"/{stream_name(name)}"))
    complete: dict[str, Entity] = {}

    def add(entity: Entity, depth: int = 0) -> None:
        for parent in entity.parent.value or ():
            if parent.stream in known and parent.stream not in complete and depth < 8:
                add(known[parent.stream], depth + 1)
        complete.setdefault(entity.name, entity)

    for entity in picked:
        add(entity)
    return list(complete.values())


def needs(api: Api, entity: Entity) -> tuple[str, ...]:
    """What only a person knows: parameters without a value, and placeholders that no list above it fills."""
    known = {one.name: one for one in api.entities}
    filled: set[str] = set()
    above, seen = [entity], {entity.name}
    while above:
        for parent in above.pop().parent.value or ():
            filled.add(parent.as_)
            if parent.stream in known and parent.stream not in seen:
                seen.add(parent.stream)
                above.append(known[parent.stream])
    open_ones = [name for name in PLACEHOLDER.findall(entity.path) if name not in filled]
    return tuple(dict.fromkeys([*entity.asks, *open_ones]))


class _Composer:
    def __init__(self, api: Api, answers: Answers) -> None:
        self.api, self.answers = api, answers
        self.name = integration_name(self._said_name() or api.name)
        self.prefix = variable_prefix(self.name)
        self.destination = destination_block(answers.destination, self.name)
        self.notes: dict[Place, list[str]] = {}
        self.beside: dict[Place, str] = {}
        self.unknown: list[str] = []

    def _said_name(self) -> str | None:
        source = self.answers.source
        return None if source is None or "://" in source else source

    def draft(self) -> Draft:
        entities = chosen_entities(self.api, self.answers.entities)
        if not entities:
            raise UsageError(
                "no list of records was found", hint="name what is to be synced: --entities orders,customers"
            )
        streams, kept = self._streams(entities)
        data = {
            "name": self.name,
            "schedule": self.answers.schedule or "every 15 minutes",
            **({"volume": self.answers.volume} if self.answers.volume else {}),
            "source": self._source(),
            "streams": streams,
            "destination": self.destination,
        }
        self._title()
        text = SCHEMA_LINE + write(data, self.notes, self.beside)
        integration = loads(text, f"{self.name}.yaml")
        taken = {entity.name for entity in kept.values()}
        left = [entity.name for entity in self.api.entities if entity.name not in taken]
        return Draft(integration=integration, text=text, unknown=self.unknown, left_out=left, entities=kept)

    def _title(self) -> None:
        about = [f"{self.api.title or self.name}: written by syncline new; every guess says what it was seen by."]
        if self.api.sources:
            about.append(f"Seen: {', '.join(self.api.sources[:4])}")
        self.notes[("name",)] = about
        if self.answers.schedule is None:
            self.notes[("schedule",)] = ["not asked for: change it as you like"]

    def _source(self) -> dict[str, Any]:
        api, answers = self.api, self.answers
        base = self._base_url()
        source: dict[str, Any] = {"kind": api.kind, "base_url": base or f"${{{self.prefix}_URL}}"}
        if base and base == api.base_url.value:
            self._note(("source", "base_url"), "base_url", api.base_url)
        elif base is None:
            self._unknown(("source", "base_url"), "the API's address", api.base_url)
        headers = {name: value for name, value in api.headers.items() if safe_text(value)} | answers.headers
        if headers:
            source["headers"] = headers
        auth, guess = auth_block(api, answers.auth, self.prefix)
        if auth is not None:
            source["auth"] = auth
        if guess is not None and guess.known:
            self._note(("source", "auth" if auth is not None else "base_url"), "auth", guess)
        elif answers.auth is None:
            self._unknown(("source", "base_url"), "authentication", guess or Guess())
        if api.rate_limit.known and api.rate_limit.value is not None:
            source["rate_limit"] = plain(api.rate_limit.value)
            self._note(("source", "rate_limit"), "rate_limit", api.rate_limit)
        else:
            place = ("source", "base_url")
            self._unknown(place, "rate limit", api.rate_limit, "requests slow down by what the API tells")
        return source

    def _base_url(self) -> str | None:
        """The address that was answered, unless what was found out is on the same host and knows more of it."""
        found, said = safe_text(self.api.base_url.value), self.answers.source
        if said is None or "://" not in said:
            return found
        return found if found and urlsplit(found)[:2] == urlsplit(said)[:2] else said

    def _streams(self, entities: list[Entity]) -> tuple[list[dict[str, Any]], dict[str, Entity]]:
        streams: list[dict[str, Any]] = []
        kept: dict[str, Entity] = {}
        names: dict[str, str] = {}
        for entity in entities:
            missing = [name for name in needs(self.api, entity) if name not in self.answers.params]
            if missing:
                raise UsageError(
                    f"{entity.name} needs a value for {', '.join(missing)}, which only you know",
                    hint=" ".join(f"--param {name}=VALUE" for name in missing),
                )
            name = names[entity.name] = stream_name(entity.name, kept)
            kept[name] = entity
            streams.append(self._stream(entity, name, names, ("streams", len(streams))))
        return streams, kept

    def _stream(self, entity: Entity, name: str, names: dict[str, str], at: Place) -> dict[str, Any]:
        stream: dict[str, Any] = {"name": name}
        if entity.description:
            self.notes[at] = [entity.description[:120]]
        if entity.query is not None:
            stream["query"] = on_lines(entity.query)
        else:
            stream["path"] = self._path(entity)
        if entity.method != "GET" and entity.query is None:
            stream |= {"method": entity.method, "repeatable": True}
        params = {key: value for key, value in entity.params.items() if not isinstance(value, str) or safe_text(value)}
        params |= {
            key: value
            for key, value in self.answers.params.items()
            if key in entity.asks and f"{{{key}}}" not in entity.path
        }
        if params:
            stream["params"] = params
        if entity.variables:
            stream["variables"] = entity.variables
        self._guesses(entity, stream, names, at)
        columns = Columns(entity, promised=self._is_described(entity))
        if columns.mapping:
            stream["mapping"] = columns.mapping
            self.beside |= {(*at, "mapping", target): note for target, note in columns.notes.items()}
            if columns.left_out:
                self.notes[(*at, "mapping")] = [f"{columns.left_out} further fields are left out"]
        else:
            self._unknown((*at, "name"), f"the fields of {name}", Guess(), "without a mapping every field is kept")
        keyed, incremental = "primary_key" in stream, "incremental" in stream
        mode = write_mode(self.destination, keyed=keyed, incremental=incremental)
        stream["into"] = {"table": name, "write": mode}
        if mode == "replace":
            why = "" if keyed else "no key is known: "
            self.notes[(*at, "into")] = [f"{why}each run reads everything and takes the place of the last"]
            stream.pop("incremental", None)
        return stream

    def _is_described(self, entity: Entity) -> bool:
        """Whether a description tells of its fields, and not a few answers."""
        seen = (*entity.records.evidence, *self.api.base_url.evidence)
        return not any("live answer" in line or "requests went there" in line for line in seen)

    def _guesses(self, entity: Entity, stream: dict[str, Any], names: dict[str, str], at: Place) -> None:
        name = stream["name"]
        if entity.records.known and entity.records.value:
            if entity.records.value != ".":
                stream["records"] = entity.records.value
            self._note((*at, "records" if "records" in stream else "path"), "records", entity.records)
        else:
            self._unknown((*at, "name"), f"where {name}'s records are in the answer", entity.records)
        if entity.primary_key.value:
            key = entity.primary_key.value
            stream["primary_key"] = key[0] if len(key) == 1 else list(key)
            self._note((*at, "primary_key"), "primary_key", entity.primary_key)
        else:
            self._unknown((*at, "name"), f"the primary key of {name}", entity.primary_key)
        if entity.pagination.value is not None:
            stream["pagination"] = {"kind": entity.pagination.value.kind, **plain(entity.pagination.value)}  # type: ignore[attr-defined]
            self._note((*at, "pagination"), "pagination", entity.pagination)
        elif not entity.pagination.known:
            self._unknown((*at, "name"), f"how {name} is paged", entity.pagination, "one answer is read")
        if entity.incremental.value is not None:
            stream["incremental"] = plain(entity.incremental.value)
            self._note((*at, "incremental"), "incremental", entity.incremental)
        elif not entity.incremental.known:
            self._unknown((*at, "name"), f"how to ask for changes of {name}", entity.incremental, "each run reads all")
        parents = [
            {"stream": names[parent.stream], "key": parent.key, "as": parent.as_}
            for parent in entity.parent.value or ()
            if parent.stream in names
        ]
        if parents:
            stream["parent"] = parents[0] if len(parents) == 1 else parents
            self._note((*at, "parent"), "parent", entity.parent)

    def _path(self, entity: Entity) -> str:
        path = entity.path
        for key, value in self.answers.params.items():
            path = path.replace(f"{{{key}}}", value)
        return path

    def _note(self, place: Place, what: str, guess: Guess[Any]) -> None:
        seen = "; ".join(line[:140] for line in guess.evidence[:MOST_EVIDENCE]) or "no evidence"
        sure = "" if guess.confidence is None else f"{guess.confidence:.0%} sure"
        warning = "" if guess.likely else "please check: "
        self._say(place, f"{what}: {warning}{sure}: {seen}")

    def _unknown(self, place: Place, what: str, guess: Guess[Any], then: str = "") -> None:
        looked = "; ".join(line[:140] for line in guess.evidence[:MOST_EVIDENCE])
        said = f"unknown: {what}{f' ({looked})' if looked else ''}{f': {then}' if then else ''}"
        self._say(place, said)
        self.unknown.append(said.removeprefix("unknown: "))

    def _say(self, place: Place, said: str) -> None:
        self.notes.setdefault(place, []).extend(textwrap.wrap(said, COMMENT_WIDTH, subsequent_indent="  "))
