"""The six questions. Each has a default, and is asked again until its answer can be meant."""

from __future__ import annotations

import asyncio
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from syncline.cli.credentials import auth_answer
from syncline.cli.door import redacted_text
from syncline.cli.paint import Paint, paint, printable
from syncline.errors import AuthError, SynclineError, UsageError
from syncline.generate.inference import Api, Entity
from syncline.generate.project import Learned, checked, chosen_entities, learn, needs
from syncline.generate.project.naming import variable_prefix
from syncline.generate.project.places import destination_block
from syncline.generate.project.ways import auth_block
from syncline.model import kind_of
from syncline.model.text import REFERENCE

FLAGS = "--source or --from, --destination, --entities, --direction, --auth, --volume"
WIDTH = 78
MOST_SHOWN = 16
DOCUMENTS = (".json", ".yaml", ".yml", ".graphql", ".graphqls", ".gql", ".har")


class Question(msgspec.Struct, frozen=True):
    number: int
    name: str
    text: str
    hint: str


SOURCE = Question(
    1,
    "source",
    "Which API is the source?",
    "a name, an address, a document (OpenAPI, GraphQL, Postman, HAR), a curl command",
)
NOTHING = "nothing"
DOCUMENT = Question(
    1, "document", "What can it be learned from?", "a document (file or URL), or an address of the API to ask"
)
ENTITIES = Question(2, "entities", "What is to be synced?", "names, with commas")
DESTINATION = Question(
    3, "destination", "Where do the records go?", "sqlite · duckdb · postgresql · mysql · csv · parquet · an address"
)
DIRECTION = Question(4, "direction", "Which way does the data go?", "one-way: from the source to the destination")
AUTH = Question(
    5, "auth", "How are requests authorised?", "not found out: none · api_key · bearer · basic · oauth2 · …"
)
VOLUME = Question(6, "volume", "How much is there in production?", "50000/day · 1000/hour")


def need_a_terminal() -> None:
    """Raises UsageError where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "there is no terminal to ask on",
            hint=f"answer with options ({FLAGS}) or --answers FILE, and say --no-input",
        )


class Wizard:
    """Asks what was not answered by an option; `said` are the answers so far, by their names."""

    def __init__(self, said: dict[str, Any], origins: Sequence[str], read: Callable[[str], str] | None = None) -> None:
        self.said, self.origins, self._read = dict(said), list(origins), read or input
        self.brush: Paint = paint(sys.stdout)
        self.learned = Learned(api=Api(name="api"))

    @property
    def api(self) -> Api:
        return self.learned.api

    def ask(self) -> tuple[Learned, dict[str, Any]]:
        """What is known of the API, and every answer. Raises EOFError and KeyboardInterrupt for who leaves."""
        title, rest = self.brush.bold("A new integration"), "six questions; Enter takes what stands in brackets"
        print(f"\n{title}  {self.brush.dim(rest)}\n")
        self._source()
        self._entities()
        self._question(DESTINATION, "sqlite", _check_destination)
        self._question(DIRECTION, "one-way", self._valid("direction"))
        question, default = self._auth()
        self._question(question, default, self._valid("auth"))
        self._question(VOLUME, "10000/day", self._valid("volume"))
        self._parameters()
        return self.learned, self.said

    def _source(self) -> None:
        said = str(self.said.get("source") or "")
        if self.origins or said:
            self._learn(said)
        else:
            self._question(SOURCE, "", self._learn)
        if not self.api.entities and not self.origins:
            self._more()
        if self.said.get("source") in self.origins:
            del self.said["source"]
        if found := _found(self.api):
            print("\n".join(f"  {self.brush.good('●')} {printable(redacted_text(line))}" for line in found) + "\n")

    def _more(self) -> None:
        """A name alone says nothing: where more can be learned from, if there is such a place."""
        name = str(self.said.get("source") or "") or None

        def check(answer: str) -> None:
            if answer != NOTHING:
                self.origins = [answer]
                try:
                    self._learn(name or "")
                except SynclineError:
                    self.origins = []
                    raise

        self._question(DOCUMENT, NOTHING, check)
        self.said.pop("document", None)

    def _learn(self, answer: str) -> None:
        origins = self.origins or ([answer] if _is_document(answer) else [])
        source = None if answer in origins else answer or None
        if any("://" in place for place in (*origins, source or "")):
            print(f"    {self.brush.dim('asking it: read-only, a few requests')}")
        self.origins = origins
        while True:
            answers = checked(**{**self.said, "source": source, "params": {}})
            self.learned = asyncio.run(learn(origins, answers))
            trouble = self.learned.trouble
            if trouble is None:
                return
            self._tell(trouble)
            if not isinstance(trouble, AuthError):
                return
            if not self.said.get("auth"):
                self._credentials()
            elif self.learned.missing:
                names = ", ".join(self.learned.missing)
                said = self._read(f"    put {names} into .env; Enter looks again, skip goes on without › ")
                if said.strip().lower() == "skip":
                    return
            else:
                return

    def _credentials(self) -> None:
        """Which kind, and which variables have it."""
        self._question(*self._auth("bearer"), self._valid("auth"))
        kind = self.said["auth"]
        if kind in ("none", None) or isinstance(kind, dict):
            return
        block, _ = auth_block(self.api, kind, variable_prefix(self.api.name))
        if not isinstance(block, dict):
            return
        for name, value in block.items():
            if isinstance(value, str) and (match := REFERENCE.fullmatch(value)):
                variable = self._read(f"    {name} is in the environment variable [{match[1]}] › ").strip() or match[1]
                block[name] = f"${{{variable}}}"
        if kind == "api_key" and "name" not in block:
            block["name"] = self._read("    in the header [X-API-Key] › ").strip() or "X-API-Key"
        self.said["auth"] = block

    def _entities(self) -> None:
        known = self.api.entities
        details = [_entity_line(entity, self.brush) for entity in known[:MOST_SHOWN]]
        if len(known) > MOST_SHOWN:
            details.append(self.brush.dim(f"… and {len(known) - MOST_SHOWN} more"))

        def check(answer: str) -> None:
            chosen = checked(entities=answer).entities
            if not chosen:
                raise UsageError("name at least one list of records", hint="orders,customers")
            chosen_entities(self.api, chosen)

        default = ",".join(entity.name for entity in chosen_entities(self.api, ())) if known else ""
        self._question(ENTITIES, default, check, details)

    def _auth(self, otherwise: str = "none") -> tuple[Question, str]:
        guess = self.api.auth[0]
        if not guess.known:
            return AUTH, otherwise
        kind = "none" if guess.value is None else kind_of(type(guess.value))
        why = f"{guess.confidence:.0%} sure: {'; '.join(guess.evidence[:1])}"
        return msgspec.structs.replace(AUTH, hint=why), kind

    def _parameters(self) -> None:
        """What no document and no list says: values of parameters that the chosen lists cannot do without."""
        params = self.said.setdefault("params", {})
        for entity in chosen_entities(self.api, checked(entities=self.said["entities"]).entities):
            for name in needs(self.api, entity):
                while not params.get(name):
                    params[name] = self._read(f"  {entity.name} needs a value for {printable(name)} › ").strip()

    def _valid(self, name: str) -> Callable[[str], None]:
        def check(answer: str) -> None:
            checked(**{name: auth_answer(answer) if name == "auth" else answer})

        return check

    def _question(
        self, question: Question, default: str, check: Callable[[str], None], details: Sequence[str] = ()
    ) -> None:
        name, brush = question.name, self.brush
        if self.said.get(name):
            return
        print(f"  {brush.name(str(question.number))} {brush.bold(question.text)}")
        for line in (*details, brush.dim(_cut(printable(question.hint), WIDTH - 4))):
            print(f"    {line}")
        shown = f"{brush.dim(f'[{_cut(default, WIDTH - 12)}]')} " if default else ""
        while True:
            answer = self._read(f"    {shown}› ").strip() or default
            try:
                if not answer:
                    raise UsageError("an answer is needed", hint=question.hint)
                check(answer)
            except SynclineError as error:
                self._tell(error)
                continue
            self.said[name] = auth_answer(answer) if name == "auth" else answer
            print()
            return

    def _tell(self, error: SynclineError) -> None:
        hint = f"; {error.hint}" if error.hint else ""
        first, *rest = textwrap.wrap(printable(redacted_text(error.what + hint)), WIDTH - 6)
        print("\n".join([f"    {self.brush.bad('✗')} {first}", *(f"      {line}" for line in rest)]))


def _check_destination(answer: str) -> None:
    destination_block(answer, "name")


def _is_document(answer: str) -> bool:
    """Whether it looks like a document's place or a curl command, and not like a name or an API's own address."""
    described = answer.partition("?")[0].endswith(DOCUMENTS)
    return described or answer.startswith("curl ") or ("/" in answer and "://" not in answer)


def _found(api: Api) -> list[str]:
    if not api.entities:
        return []
    auth, count = api.auth[0], len(api.entities)
    way = "unknown" if not auth.known else "none" if auth.value is None else kind_of(type(auth.value))
    paged = sum(1 for entity in api.entities if entity.pagination.value is not None)
    lists = f"{count} {'list' if count == 1 else 'lists'} of records"
    return [f"{api.title or api.name}: {lists}, {paged} of them paged; authentication: {way}", *api.notes[:2]]


def _entity_line(entity: Entity, brush: Paint) -> str:
    mark = brush.good("✓") if entity.worth.value else brush.dim("·")
    told = entity.description or (entity.worth.evidence[0] if entity.worth.evidence else "")
    return f"{mark} {_cut(printable(entity.name), 28):<28} {brush.dim(_cut(printable(told), WIDTH - 36))}".rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
