"""`syncline probe`: what an API is like, found out from documents and by asking it, each guess with its evidence."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from syncline.cli.credentials import credentials_of
from syncline.cli.door import as_json, redacted_text
from syncline.cli.paint import printable
from syncline.generate.inference import Api, Entity, Guess, discover, plain

WIDTH = 120
SHOWN = 25
BAR = 5


def main(arguments: argparse.Namespace) -> int:
    found = asyncio.run(
        discover(
            arguments.sources,
            credentials=credentials_of(arguments.auth, arguments.header),
            most=arguments.requests,
            rate=arguments.rate,
            folder=Path.cwd(),
        )
    )
    if arguments.json:
        sys.stdout.write(as_json(plain(found)))
        return 0
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(block(found))
    return 0


def block(api: Api) -> RenderableType:
    """The findings for people."""
    parts: list[RenderableType] = [_title(api), _whole(api)]
    for entity in api.entities[:SHOWN]:
        parts += [Text(), _entity(entity)]
    if len(api.entities) > SHOWN:
        parts.append(_dim(f"\n… and {len(api.entities) - SHOWN} more lists; --json has all of them"))
    for note in api.notes:
        parts.append(_dim(f"\n{note}" if note is api.notes[0] else note))
    return Group(*parts)


def _title(api: Api) -> Text:
    count = len(api.entities)
    lists = f"{count} list{'' if count == 1 else 's'}"
    return Text.assemble((_clean(api.title or api.name), "bold"), (f"  {api.kind} · {lists}", "dim"))


def _whole(api: Api) -> Table:
    table = _table()
    _row(table, "address", api.base_url)
    for number, guess in enumerate(api.auth[:3]):
        _row(table, "" if number else "auth", guess, nothing="none needed")
    _row(table, "rate limit", api.rate_limit)
    return table


def _entity(entity: Entity) -> RenderableType:
    heading = Text.assemble(
        (f"● {_clean(entity.name)}", "bold cyan"), (f"  {entity.method} {_clean(entity.path)}", "dim")
    )
    if entity.total is not None:
        heading.append(f"  {entity.total:,} records", "dim")
    table = _table()
    names = {
        "records": "records", "primary_key": "primary key", "pagination": "pagination", "cursor_field": "changes",
        "incremental": "asked by", "parent": "parent", "worth": "worth syncing",
    }  # fmt: skip
    for name, shown in names.items():
        guess = entity.guesses[name]
        if name in ("parent", "incremental") and guess.value is None:
            continue
        _row(table, shown, guess, nothing="no" if name == "worth" else "none")
    if entity.asks:
        table.add_row("to be asked", Text(", ".join(map(_clean, entity.asks)), "yellow"), "", "")
    return Group(heading, table)


def _table() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0), expand=False)
    table.add_column(style="dim", min_width=13, no_wrap=True)
    table.add_column(min_width=18, max_width=56, overflow="fold")
    table.add_column(width=BAR, no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    return table


def _row(table: Table, name: str, guess: Guess[Any], *, nothing: str = "none") -> None:
    why = _clean("; ".join(guess.evidence[:2]))
    if not guess.known:
        table.add_row(f"  {name}", Text("unknown", "yellow"), "", why)
        return
    value = Text(nothing, "") if guess.value is None else Text(_clean(_value(guess.value)))
    table.add_row(f"  {name}", value, _bar(guess.confidence or 0.0), why)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return " + ".join(value)
    data = plain(value)
    if isinstance(data, list):
        return ", ".join(_value(one) if not isinstance(one, dict) else _pairs(one) for one in data)
    return _pairs(data) if isinstance(data, dict) else str(data)


def _pairs(data: dict[str, Any]) -> str:
    kind = data.get("kind")
    rest = ", ".join(f"{key}: {value}" for key, value in data.items() if key != "kind" and value is not None)
    return f"{kind} {rest}".strip() if kind else rest


def _bar(confidence: float) -> Text:
    full = round(confidence * BAR)
    style = "green" if confidence >= 0.8 else "yellow" if confidence >= 0.5 else "red"
    return Text.assemble(("●" * full, style), ("○" * (BAR - full), "dim"))


def _dim(text: str) -> Text:
    return Text(_clean(text), "dim")


def _clean(text: str) -> str:
    return printable(redacted_text(text))
