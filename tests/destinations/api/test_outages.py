"""The open circuit of an API that is written to outlives the run that opened it."""

from __future__ import annotations

from pathlib import Path

from syncline.errors import SynclineError
from syncline.rehearsal.simulator.faults import FOREVER, Unavailable
from tests.destinations.api.bench import KEYED, Bench, rows
from tests.destinations.api.contacts import Contacts
from tests.support.serving import serving

RULE = {"failures": 3, "open_for": "1h"}


async def test_r15_an_open_circuit_of_a_destination_is_left_to_the_next_run(tmp_path: Path) -> None:
    """Each run opens the destination anew, as another process would: nothing but the state is shared."""
    contacts = Contacts()
    async with serving(contacts) as url:
        bench = Bench(tmp_path, url, retry={"attempts": 5}, circuit_breaker=RULE)

        async def run() -> str:
            """How it ended."""
            try:
                await bench.write(KEYED, rows(1))
            except SynclineError as error:
                return str(error)
            return "done"

        contacts.strike(Unavailable(times=FOREVER))
        await run()
        assert len(contacts.requests) == 3
        assert "circuit is open" in await run()
        assert len(contacts.requests) == 3, "the next run asks nothing while it is open"
        contacts.strike()
        bench.clock.advance(3601)
        assert await run() == "done"
        assert [effect.source for effect in contacts.effects] == ["p1"]
