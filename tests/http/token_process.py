"""Processes that share a token: `python -m tests.http.token_process JSON…`, one for each; answers with JSON, a line each.

Where there are several, they are forks of one that has imported everything; all are ready when there is a line for each.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from syncline.auth import OAuth2
from syncline.http import Connection
from syncline.http.tokens import Kept, token_store
from syncline.http.tokens.folder import Folder
from syncline.model import Secret, Token
from tests.http.skewed import Skewed


def auth_of(told: dict[str, Any]) -> OAuth2:
    """Refresh tokens where one is given, the application's own rights otherwise."""
    fields = {name: Secret(told[name]) for name in ("client_secret", "refresh_token") if told.get(name)}
    grant = "refresh_token" if "refresh_token" in fields else "client_credentials"
    return OAuth2.model_validate(
        {"grant": grant, "token_url": f"{told['url']}/oauth/token", "client_id": told["client_id"], **fields}
    )


def say(what: dict[str, Any]) -> None:
    """A line, whole: others write into the same pipe."""
    os.write(1, json.dumps(what).encode() + b"\n")


async def work(told: dict[str, Any]) -> dict[str, Any]:
    auth = auth_of(told)
    clock = Skewed(told.get("skew", 0.0))
    store = token_store(told["tokens"], "shop", auth, clock, os.environ)
    assert store is not None
    if told["act"] in ("expire", "revoke"):
        kept = await store.load()
        ends = 0.0 if told["act"] == "expire" else time.monotonic() + 3_600
        refresh = kept.token.refresh if kept.token else auth.refresh_token and Secret(told["refresh_token"])
        worthless = Token(access=Secret("worthless"), refresh=refresh, expires_at=ends)
        await store.save(Kept(token=worthless, revision=kept.revision))
        return {}
    if told["act"] == "hold":
        async with store.alone():
            say({"holding": os.getpid()})
            await asyncio.sleep(60)
    if told["act"] == "die":
        _die_after_the_answer()
    connection = Connection(base_url=f"{told['url']}/v2", rate_limit="1000/s").model_copy(update={"auth": auth})
    say({"ready": True})
    os.read(0, 1)  # so that all begin together
    async with connection.connect(tokens=store, clock=clock) as client:
        requests = (client.send(client.request("GET", "/orders", params={"limit": 1})) for _ in range(told["requests"]))
        answers = await asyncio.gather(*requests)
    return {"good": sum(answer.status == 200 for answer in answers)}


def _die_after_the_answer() -> None:
    """Leave as after kill -9 when the new token is to be saved: the server has given it, nothing of it is on disk."""
    swap = Folder.swap
    calls: list[int] = []

    async def dying(self: Folder, revision: int, sealed: bytes) -> int:
        calls.append(revision)
        if len(calls) == 2:  # the first is the note that a refresh token is about to be spent
            os._exit(9)
        return await swap(self, revision, sealed)

    Folder.swap = dying  # type: ignore[method-assign]


def answer(words: str) -> None:
    say(asyncio.run(work(json.loads(words))))


def fork(words: str) -> int:
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        answer(words)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    assert Path.cwd().is_dir()
    if len(sys.argv) == 2:
        answer(sys.argv[1])
    else:
        ended = [os.waitpid(process, 0)[1] for process in [fork(words) for words in sys.argv[1:]]]
        sys.exit(int(any(ended)))
