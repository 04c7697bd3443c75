"""`python -m syncline.rehearsal.shop`: the practice shop as a process of its own.

One JSON line on stdout says where it is and who may come in; it leaves when its stdin closes, or on SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading

from syncline.rehearsal.shop.faults import Faults
from syncline.rehearsal.shop.server import Shop


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m syncline.rehearsal.shop", description="A practice API on loopback."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--orders", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=7, help="the same seed, the same shop and the same faults")
    parser.add_argument(
        "--without-email", type=int, default=0, metavar="N", help="this many orders lack customer.email"
    )
    parser.add_argument("--token-lifetime", type=float, default=3_600.0, metavar="SECONDS")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="wait before each answer")
    parser.add_argument("--calm", action="store_true", help="no faults and no rate limit")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    shop = Shop(
        orders=options.orders,
        seed=options.seed,
        faults=Faults.none() if options.calm else Faults(),
        without_email=options.without_email,
        token_lifetime=options.token_lifetime,
        latency=options.latency,
    )
    async with shop.serve(options.port) as url:
        ready = {
            "url": url,
            "client_id": shop.tokens.client_id,
            "client_secret": shop.tokens.client_secret,
            "refresh_token": shop.tokens.refresh_token,
            "orders": len(shop.goods),
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        if not sys.stdin.isatty():
            threading.Thread(target=_wait_for_the_end_of_stdin, args=(loop, stop), daemon=True).start()
        await stop.wait()


def _wait_for_the_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(0, 4_096):
        pass
    try:
        loop.call_soon_threadsafe(stop.set)
    except RuntimeError:  # the loop has closed: it was leaving anyhow
        pass


if __name__ == "__main__":
    asyncio.run(_serve(_options()))
