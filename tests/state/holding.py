"""A process that takes a lease and keeps it: `python -m tests.state.holding PATH`. It says what came of it."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from syncline.errors import LeaseError
from syncline.state import Owner
from syncline.state.store import open_state


async def hold(path: Path) -> int:
    async with open_state(path) as store:
        try:
            lease = await store.acquire("shop.orders", Owner.current("held"), datetime.now(UTC), 3600)
        except LeaseError as error:
            print("refused", error.what, flush=True)
            return error.exit_code
        print("held", lease.fence, flush=True)
        sys.stdin.read()
        return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(hold(Path(sys.argv[1]))))
