"""Writes the reference pages out of the code: `make docs`. A test fails when a page and the code disagree."""

from __future__ import annotations

import argparse
import inspect
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import syncline
from syncline import testing
from syncline.cli.table import VERBS
from syncline.cli.words import parser_of
from syncline.model import format_duration, format_size, kinds
from syncline.spec import Integration, json_schema

HERE = Path(__file__).parent
FAMILIES = {
    "source": "Sources",
    "auth": "Authentication",
    "pagination": "Pagination",
    "destination": "Destinations",
}


def integration_file() -> str:
    """Every key of the file, from the JSON Schema."""
    schema = json_schema()
    definitions = schema["definitions"]
    lines = [
        "# Reference: the integration file",
        "",
        "Made from the models by `make docs`; the same text stands in the JSON Schema (`syncline schema`).",
        "",
        "## The whole",
        "",
        *_table(schema, definitions),
    ]
    inner = [name for name in definitions if "." not in name]
    for family, title in FAMILIES.items():
        lines += [f"## {title}", ""]
        for name, part in kinds(family).items():
            lines += [f"### `kind: {name}`", "", _first_sentence(part), ""]
            lines += _table(definitions[f"{family}.{name}"], definitions)
    lines += ["## Blocks", ""]
    for name in inner:
        definition = definitions[name]
        lines += [f"### {name}", ""]
        if definition.get("description"):
            lines += [definition["description"].split("\n\n")[0].replace("\n", " "), ""]
        lines += _table(definition, definitions)
    return "\n".join(lines).rstrip() + "\n"


def _table(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    required = schema.get("required", [])
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else _default(field)
        if name == "kind" and "const" in field:
            default = "required"
        meaning = field.get("description") or _referred(field, definitions).get("description", "")
        rows.append(f"| `{name}` | {_type(field)} | {default} | {_cell(meaning)} |")
    return [*rows, ""]


def _referred(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    found = definitions.get(str(field.get("$ref", "")).rpartition("/")[2], {})
    return dict(found)


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        kind = name.partition(".")[2]
        return f"`{kind}`" if kind else name
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        names = dict.fromkeys(_type(option) for option in field["anyOf"] if option.get("type") != "null")
        return " or ".join(names)
    kind = field.get("type", "any")
    if kind == "array":
        return f"list of {_type(field['items'])}" if field.get("items") else "list"
    if isinstance(kind, list):
        return f"text like `{field['examples'][0]}`" if field.get("examples") else " or ".join(kind)
    return {"string": "text", "object": "block", "boolean": "true or false", "integer": "whole number"}.get(kind, kind)


def _default(field: dict[str, Any]) -> str:
    value, example = field.get("default"), (field.get("examples") or [None])[0]
    write = {"30s": format_duration, "64MB": format_size}.get(example)
    return f"`{write(value)}`" if write is not None and value else _code(value)


def _code(value: Any) -> str:
    if value is None or value in ({}, [], ""):
        return ""
    return (
        f"`{str(value).lower() if isinstance(value, bool) else value}`" if not isinstance(value, dict) else "see there"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _first_sentence(part: type[BaseModel]) -> str:
    return (inspect.getdoc(part) or "").split("\n\n")[0].replace("\n", " ")


def python() -> str:
    """The public names, each with its signature's home and its first sentence."""
    lines = [
        "# Reference: Python",
        "",
        "Everything public, importable from `syncline`. Names are loaded when first used. Made by `make docs`.",
        "",
        "| name | from | what it is |",
        "|---|---|---|",
    ]
    for name in syncline.__all__:
        value = getattr(syncline, name)
        home = getattr(value, "__module__", "").rpartition(".")[0] or "syncline"
        lines.append(f"| `{name}` | `{_public_home(home)}` | {_cell(_first_sentence(value))} |")
    lines += [
        "",
        "## syncline.testing",
        "",
        "For the tests of [destinations of your own](../how-to/writing-a-destination.md).",
        "",
    ]
    lines += ["| name | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(_first_sentence(getattr(testing, name)))} |" for name in testing.__all__]
    return "\n".join(lines) + "\n"


def _public_home(home: str) -> str:
    parts = home.split(".")
    return ".".join(parts[:2])


def command_line() -> str:
    """Every verb with its help text."""
    lines = ["# Reference: the command line", "", "Made from the verbs' own words by `make docs`.", ""]
    for verb in VERBS:
        lines += [f"## syncline {verb.name}", "", f"{verb.line[0].upper()}{verb.line[1:]}.", ""]
        parser = parser_of(verb)
        acts = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        lines += _words(parser)
        for act in acts:
            helps = {choice.dest: choice.help for choice in act._choices_actions}
            for name, inner in act.choices.items():
                lines += [f"### syncline {verb.name} {name}", "", f"{helps[name]}.".capitalize(), "", *_words(inner)]
    return "\n".join(lines).rstrip() + "\n"


def _words(parser: argparse.ArgumentParser) -> list[str]:
    rows = ["| word | meaning |", "|---|---|"]
    for action in parser._actions:
        if action.dest == "help" or isinstance(action, argparse._SubParsersAction):
            continue
        metavar = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
        word = ", ".join(action.option_strings) or str(metavar)
        if action.option_strings and action.nargs != 0:
            word += f" {metavar}"
        rows.append(f"| `{_cell(word)}` | {_cell(action.help or '')} |")
    return [*rows, ""]


PAGES = {"integration-file.md": integration_file, "python.md": python, "command-line.md": command_line}


def main() -> int:
    assert Integration is not None
    for name, page in PAGES.items():
        HERE.joinpath(name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"wrote docs/reference/{name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
