"""GraphQL on lines that people can read."""

from __future__ import annotations

import re

_TOKENS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\([^()]*\)|[{}]|[^\s{}()"]+')


def on_lines(query: str) -> str:
    """The query with one field a line; as it is, where it holds what this does not know (block strings, comments)."""
    if '"""' in query or "#" in query or "\n" in query:
        return query
    lines: list[str] = []
    depth = 0
    joins = True
    for word in _TOKENS.findall(query):
        if word == "{":
            lines[-1:] = [f"{lines[-1]} {{"] if lines else ["{"]
            depth, joins = depth + 1, False
        elif word == "}":
            depth, joins = depth - 1, False
            lines.append("  " * depth + "}")
        elif joins or word.startswith("("):
            lines[-1:] = [f"{lines[-1]}{'' if word.startswith('(') else ' '}{word}"] if lines else [word]
            joins = depth == 0 or word == "on"
        else:
            lines.append("  " * depth + word)
            joins = word.endswith(":") or word == "..."
    return "\n".join(lines)
