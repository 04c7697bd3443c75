"""Generated Python is parsed before it is written: nothing in it but what we meant to say (S23, S24)."""

from __future__ import annotations

import ast
from collections.abc import Container

_ALLOWED = (
    ast.Module, ast.ImportFrom, ast.alias, ast.Assign, ast.Expr, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Call,
    ast.keyword, ast.Attribute, ast.Dict, ast.List, ast.Tuple, ast.UnaryOp, ast.USub,
)  # fmt: skip


class UnexpectedCode(ValueError):
    """Code that we did not mean to write; a mistake of ours, and nothing of it is written."""


def check_declarations(source: str, name: str, modules: Container[str]) -> None:
    """Raises UnexpectedCode for anything but imports from `modules` and assignments of calls, names and literals."""
    for node in ast.walk(ast.parse(source, name)):
        if not isinstance(node, _ALLOWED):
            raise UnexpectedCode(f"{name}: {type(node).__name__} on line {getattr(node, 'lineno', '?')}")
        if isinstance(node, ast.ImportFrom) and (node.level or node.module not in modules):
            raise UnexpectedCode(f"{name}: an import from {node.module}")
        if isinstance(node, ast.Attribute) and node.attr != "model_validate":
            raise UnexpectedCode(f"{name}: the attribute {node.attr}")
        if isinstance(node, ast.Name) and node.id.startswith("__"):
            raise UnexpectedCode(f"{name}: the name {node.id}")
