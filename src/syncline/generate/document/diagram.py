"""The integration as a sequence diagram in Mermaid's words."""

from __future__ import annotations

import re

from syncline.auth import Auth
from syncline.generate.document.names import name_of
from syncline.pagination import Unpaged
from syncline.spec import Integration, Stream

_UNSAFE = re.compile(r"[^\w /.,?=&{}()+*-]", re.ASCII)
MOST_STREAMS = 6


def diagram(integration: Integration) -> list[str]:
    """A fenced block; the names in it are of letters, digits and a few signs that mean nothing to Mermaid."""
    source, destination = _label(name_of(integration.source)), _label(name_of(integration.destination))
    lines = [
        "```mermaid",
        "sequenceDiagram",
        f"    participant A as {source}",
        "    participant S as Syncline",
        f"    participant D as {destination}",
    ]
    auth = getattr(integration.source, "auth", None)
    if isinstance(auth, Auth) and auth.needs_token:
        lines += ["    S->>A: ask for a token", "    A-->>S: token"]
    lines.append("    S->>D: take the lease, read the checkpoint")
    for stream in integration.streams[:MOST_STREAMS]:
        lines += _pages(stream)
    if left := len(integration.streams) - MOST_STREAMS:
        lines += [f"    Note over A,D: and {left} more streams the same way"] if left > 0 else []
    return [*lines, "    S->>D: finish the run, give the lease back", "```"]


def _pages(stream: Stream) -> list[str]:
    asked = f"{'POST' if stream.query else stream.method} {stream.path.partition('?')[0] or '/'}"
    if stream.incremental is not None:
        place = stream.incremental.param or stream.incremental.variable or stream.incremental.body_param
        asked += f" since the last {place}"
    paged = not isinstance(stream.pagination, Unpaged)
    word = "every page of" if paged else "the answer of"
    name = _label(stream.name)
    return [
        f"    loop {word} {name}",
        f"        S->>A: {_label(asked)}",
        "        A-->>S: records",
        "        S->>S: map, keep rejects with their reasons",
        f"        S->>D: rows of {name} and checkpoint together",
        "    end",
    ]


def _label(text: str) -> str:
    return " ".join(_UNSAFE.sub(" ", text).split())[:60] or "unnamed"
