"""Records as trees of makers: what stands at which path, grown path by path and compiled to one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncline.model.paths import EVERY, Path
from syncline.rehearsal.simulator.values import GOLDEN, MASK, Make

ELEMENTS = 2
"""Elements of a list of which a path asks for every one."""


class Tree:
    """A value in the making: an object of members, a list of like elements, or a leaf."""

    def __init__(self) -> None:
        self.members: dict[str, Tree] = {}
        self.element: Tree | None = None
        self.length: Callable[[int], int] = int
        self.leaf: Make | None = None

    @property
    def empty(self) -> bool:
        return not self.members and self.element is None and self.leaf is None

    def at(self, path: Path) -> Tree:
        """The tree at a path, grown where it is not there yet. What has members is no leaf any more."""
        here = self
        for step in path:
            here.leaf = None
            if isinstance(step, str):
                if here.element is not None and not here.members:
                    here = here.element  # a query does not tell lists from objects; a mapping does
                    here.leaf = None
                here = here.members.setdefault(step, Tree())
                continue
            here.element = here.element or Tree()
            most = ELEMENTS if step is EVERY or not isinstance(step, int) else max(step + 1, -step)
            here.length = _at_least(here.length, most)
            here = here.element
        return here

    def put(self, path: Path, make: Make) -> None:
        """A leaf, unless something stands there already."""
        tree = self.at(path)
        if tree.empty:
            tree.leaf = make

    def compile(self) -> Make:
        if self.members:
            parts = [(name, _salt(name), tree.compile()) for name, tree in self.members.items()]

            def make_object(h: int, n: int) -> Any:
                return {name: make((h ^ salt) * GOLDEN & MASK, n) for name, salt, make in parts}

            return make_object
        if self.element is not None:
            make, length = self.element.compile(), self.length

            def make_list(h: int, n: int) -> Any:
                return [make((h + place) * GOLDEN & MASK, n) for place in range(length(h))]

            return make_list
        return self.leaf or _nothing


def _nothing(h: int, n: int) -> Any:
    return None


def _at_least(length: Callable[[int], int], least: int) -> Callable[[int], int]:
    return lambda h: max(length(h) if length is not int else 0, least)


def _salt(name: str) -> int:
    salt = 0xCBF29CE484222325
    for byte in name.encode():
        salt = (salt ^ byte) * 0x100000001B3 & MASK
    return salt
