"""What a page shows beyond the reports: read from the state and the log when somebody looks."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from syncline.engine import opened_file_state
from syncline.errors import SynclineError
from syncline.operate.home import Home
from syncline.operate.pages.one import Depths
from syncline.operate.served import Served
from syncline.secrets import redactor

MOST_REJECTS, MOST_LINES = 50, 200
TAIL = 200_000
"""Bytes at the end of a log in which lines are looked for."""


async def depths_of(one: Served, home: Home) -> Depths:
    """Streams, open rejects and log lines of one integration, without known secrets; never raises SynclineError."""
    lines = last_lines(home, one.name)
    if one.integration is None:
        return Depths(lines=lines, unknown="the file has a mistake")
    try:
        async with opened_file_state(one.path) as (integration, state):
            streams = [(stream.name, await state.load(integration.state_key(stream))) for stream in integration.streams]
            letters = [
                (name, letter)
                for name, known in streams
                for letter in await state.dead_letters.list(known.key, limit=MOST_REJECTS)
            ]
    except SynclineError as error:
        return Depths(lines=lines, unknown=redactor.text(error.what))
    clean = [
        (
            name,
            msgspec.structs.replace(
                letter,
                record=redactor.data(letter.record),
                reason=redactor.text(letter.reason),
                path=redactor.text(letter.path),
            ),
        )
        for name, letter in letters[:MOST_REJECTS]
    ]
    return Depths(streams=streams, rejects=clean, lines=lines)


def last_lines(home: Home, integration: str, most: int = MOST_LINES) -> list[dict[str, Any]]:
    """The newest log lines, the newest last."""
    try:
        with home.log(integration).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            content = file.read()
    except OSError:
        return []
    found: deque[dict[str, Any]] = deque(maxlen=most)
    for line in content.splitlines():
        try:
            decoded = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(decoded, dict):
            found.append(redactor.data(decoded))
    return list(found)
