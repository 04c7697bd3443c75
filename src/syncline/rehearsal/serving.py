"""The simulator as a server of its own on loopback, for runs in other processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from syncline.engine import resolved
from syncline.model import SystemClock
from syncline.rehearsal.acting import Act
from syncline.rehearsal.front import served
from syncline.rehearsal.simulator.blueprint import Blueprint
from syncline.rehearsal.simulator.seen import Seen
from syncline.rehearsal.simulator.simulator import Simulator
from syncline.rehearsal.simulator.world import World
from syncline.rehearsal.staging import origins_of, relocated, staged
from syncline.spec import Integration, dump


@asynccontextmanager
async def serving(
    integration: Integration,
    act: Act,
    folder: Path,
    blueprints: dict[str, Blueprint] | None = None,
    *,
    port: int = 0,
    watch: Callable[[Seen], None] | None = None,
) -> AsyncIterator[Path]:
    """Serve the API of an integration on real time; gives a copy of its file that asks here and nowhere else.

    The copy, its made-up secrets (`.env`) and its scratch destination lie in `folder`.
    """
    clock = SystemClock()
    on_stage = staged(integration, act.seed, folder)
    async with served(await origins_of(on_stage), clock, port=port) as front:
        here = relocated(on_stage, front.addresses)
        complete = await resolved(here.integration, here.environment, folder)
        now = clock.now()
        world = World(complete, act.seed, act.sizes, now, blueprints)
        front.api = simulator = Simulator(complete, world, act.faults, began=now)
        if watch is not None:
            simulator.watch = watch
        file = folder / f"{integration.name}.yaml"
        file.write_text(dump(here.integration), encoding="utf-8")
        secrets = folder / ".env"
        secrets.touch(mode=0o600)
        secrets.write_text("".join(f"{name}='{value}'\n" for name, value in here.environment.items()), encoding="utf-8")
        yield file
