"""PyYAML, as far as libyaml needs it.

PyYAML brings a reader and a resolver of its own, whose patterns (one of them over all of Unicode) take longer to compile than
libyaml takes to read a file. They are compiled when somebody first uses them, which is never here.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any


class _LatePattern:
    """Stands for a pattern until one of its methods is asked for."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._written = pattern, flags

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(*self._written)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pattern, name)


_compile = re.compile
re.compile = _LatePattern  # type: ignore[assignment]  # for the length of one import
try:
    import yaml
finally:
    re.compile = _compile

__all__ = ["yaml"]
