"""`$ref` within one document: followed safely, never elsewhere (S24)."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

MAX_HOPS = 20


class References:
    """Finds what `$ref`s of one document mean. Those that lead out of it are collected in `elsewhere`, not followed."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self.elsewhere: set[str] = set()

    def follow(self, node: Any) -> dict[str, Any]:
        """The object that a node is, or refers to; an empty one where it leads nowhere, elsewhere, or round in a circle."""
        for _ in range(MAX_HOPS):
            if not isinstance(node, dict):
                return {}
            target = node.get("$ref")
            if not isinstance(target, str):
                return node
            siblings = {key: value for key, value in node.items() if key != "$ref"}
            node = self._target(target)
            if siblings and isinstance(node, dict) and "$ref" not in node:
                return {**node, **siblings}  # 3.1: what stands beside a $ref adds to it
        return {}

    def _target(self, target: str) -> Any:
        if not target.startswith("#"):
            self.elsewhere.add(target[:200])
            return {}
        found: Any = self._root
        for step in target.removeprefix("#").removeprefix("/").split("/") if len(target) > 1 else ():
            key = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict):
                found = found.get(key)
            elif isinstance(found, list) and key.isascii() and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            else:
                return {}
        return found
