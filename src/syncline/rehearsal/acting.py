"""One act of a rehearsal: an integration run against one world, until nothing goes wrong any more, and judged after each run."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import msgspec

from syncline import events
from syncline.engine import Report, Stage, arun, resolved
from syncline.errors import SynclineError
from syncline.http import Connection
from syncline.model import kind_of
from syncline.rehearsal.aftermath import conclude, settle
from syncline.rehearsal.clock import SimulatedClock
from syncline.rehearsal.evidence import ActReport, Pass, Verdict
from syncline.rehearsal.network import simulated_network
from syncline.rehearsal.oracle import Moment, Oracle
from syncline.rehearsal.simulator.faults import Deleted, DestinationAway, Fault
from syncline.rehearsal.simulator.quota import highest_rates
from syncline.rehearsal.simulator.simulator import Simulator
from syncline.rehearsal.simulator.world import World
from syncline.rehearsal.staging import MemoryStore, Staged
from syncline.sources import HttpSource
from syncline.spec import Integration, Stream

Runner = Callable[..., Awaitable[Report]]
"""What makes a run: the engine's own `arun`, or one with a protection switched off."""

BETWEEN = 900.0
"""Seconds between two runs."""
PATIENCE = 6
"""Runs after which a rehearsal gives up waiting for one that gets everything."""
TOLD = 1_000


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What is to happen: which faults, in a world of what size. `changes` happen to each list between the first runs.

    `together` rows are written at once at most, so that few records take several batches. `pace` is what of the usual time an
    answer takes. `survives` says whether the first run has to come to its end; None leaves that to the faults.
    `remembered`: what was written to an API is still there when the act is played again in the same folder. `ended` are the
    streams of which a pass came to its end there before, so that what is appended may be there once more.
    """

    name: str
    seed: int
    sizes: dict[str, int]
    faults: tuple[Fault, ...] = ()
    changes: int = 3
    together: int | None = None
    pace: float = 1.0
    survives: bool | None = None
    remembered: bool = False
    ended: tuple[str, ...] = ()


def is_cut(act: Act) -> bool:
    """Whether the destination is taken away in its midst."""
    return any(isinstance(fault, DestinationAway) for fault in act.faults)


async def play(staged: Staged, act: Act, *, runner: Runner = arun) -> ActReport:
    """Run the integration until a run after the last fault gets everything, and tell what was seen.

    `staged.folder` is emptied of nothing: give each act its own.
    """
    stage = await _Playing.begin(staged, act, runner)
    try:
        await stage.go()
    finally:
        if stage.simulator.recipient is not None:
            stage.simulator.recipient.close()
    return stage.report


class _Playing:
    def __init__(
        self, staged: Staged, act: Act, runner: Runner, integration: Integration, clock: SimulatedClock
    ) -> None:
        self.staged, self.act, self.runner, self.clock = staged, act, runner, clock
        self.integration = integration
        self.world = World(integration, act.seed, act.sizes, clock.now(), staged.blueprints)
        self.simulator = Simulator(integration, self.world, act.faults, began=clock.now())
        self.simulator.take_away = staged.scratch.take_away
        if act.remembered and self.simulator.recipient is not None:
            self.simulator.recipient.remember(staged.folder / "recipient.jsonl")
        self.report = ActReport(
            name=act.name, seed=act.seed, faults=[msgspec.to_builtins(fault) for fault in act.faults]
        )
        self._stage = self._made_stage()
        self._oracles = [Oracle(self.world, stream, integration.state_key(stream)) for stream in integration.streams]
        self._often = Counter(act.ended)
        self._often.update(stream.name for stream in integration.streams if stream.incremental is not None)
        """How often one version of a record may be there by now, by stream."""

    @classmethod
    async def begin(cls, staged: Staged, act: Act, runner: Runner) -> _Playing:
        complete = await resolved(staged.integration, staged.environment, staged.folder)
        return cls(staged, act, runner, complete, SimulatedClock())

    def _made_stage(self) -> Stage:
        ends: dict[Any, Any] = {"source": self.integration.source, "destination": self.integration.destination}
        networks = {
            name: simulated_network(self.simulator, end, self.clock, self.act.pace)
            for name, end in ends.items()
            if isinstance(end, Connection)
        }
        chance = random.Random(self.act.seed).random  # noqa: S311 – jitter, the same for the same seed
        return Stage(networks=networks, tokens=self._tokens(), chance=chance, batch_rows=self.act.together)

    def _tokens(self) -> dict[Any, Any]:
        source = self.integration.source
        assert isinstance(source, HttpSource)
        stores = getattr(source.auth, "grant", None) in ("authorization_code", "device_code", "refresh_token")
        return {"source": MemoryStore(self.act.seed)} if stores else {}

    async def go(self) -> None:
        began = time.monotonic()
        await self._run()
        for count in range(PATIENCE + len(self.act.faults)):  # a run of one request meets one fault after the other
            if self._is_over(count):
                break
            self.clock.advance(BETWEEN / 2)
            if count == 0:
                self._move_on()
            self.clock.advance(BETWEEN / 2)
            await self._run()
        self._conclude(time.monotonic() - began)

    def _is_over(self, count: int) -> bool:
        last = self.report.passes[-1]
        return count > 0 and last.quiet and last.complete

    def _move_on(self) -> None:
        """Between the first runs some records change, some come and some go."""
        now = round(self.clock.now().timestamp() * 1000)
        for name in self.world.streams:
            lines = list(_first(self.world.lines(name), 2))
            for line in lines:
                listing = self.world.listing(name, line)
                first = line * self.world.stride(name)
                for place in range(0, listing.places, max(1, listing.places // max(self.act.changes, 1))):
                    self.world.change(name, first + listing.index(place), now)
                if self.act.changes and not self.world.streams[name].single:
                    self.world.insert(name, line, now, first=False)

    async def _run(self) -> None:
        struck, requests = len(self.simulator.struck), self.simulator.requests
        began = self.clock.elapsed
        told: list[dict[str, Any]] = []

        def hear(scope: events.Scope, event: events.Event) -> None:
            if len(told) < TOLD:
                told.append({"run_id": scope.run_id, "stream": scope.stream, **msgspec.to_builtins(event)})

        this = Pass(exit_code=0, began=began, ended=began, quiet=False)
        try:
            report = await self.runner(
                self.staged.integration,
                environment=self.staged.environment,
                clock=self.clock,
                listeners=[hear],
                stage=self._stage,
            )
            this.exit_code, this.report = report.exit_code, report.to_data()
        except SynclineError as error:
            this.exit_code, this.error = error.exit_code, error.to_data()
        self.staged.scratch.give_back()  # the next run comes later, though no real time passes
        this.ended, this.events = self.clock.elapsed, told
        this.quiet = len(self.simulator.struck) == struck
        self.report.passes.append(this)
        self._judge(this)
        self._blame(this, self.simulator.requests - requests)

    def _judge(self, this: Pass) -> None:
        holdings = self.staged.scratch.holdings(self.integration, self.simulator.recipient)
        settle(self.simulator.struck, self._oracles, holdings, len(self.report.passes))
        began = self.world.began + round(this.began * 1000)
        streams = {stream["name"]: stream for stream in (this.report or {}).get("streams", ())}
        with closing(holdings):
            for oracle in self._oracles:
                stream = oracle.stream
                told = streams.get(stream.name, {})
                complete = bool(told) and _read_all(told) and not told["resumed"]
                moment = Moment(began=began, complete=complete, often=self._count(stream, told))
                this.verdicts[stream.name] = oracle.judge(holdings, moment)
                this.complete = this.complete and complete

    def _count(self, stream: Stream, told: dict[str, Any]) -> int:
        """How often one version of a record may be there by now: once, or where rows are appended once a pass."""
        appends = stream.into.write == "append"
        if told and (not appends and told["status"] != "failed"):
            self._often[stream.name] = 1  # what there was is replaced
        if told and appends and stream.incremental is None:
            first = len(self.report.passes) == 1  # and what that goes on with began in an earlier life
            self._often[stream.name] += first or not told["resumed"]
        if told and told["status"] == "partial" and not _read_all(told):
            self._often[stream.name] += 1  # what may have missed some may have met others twice, and is read anew
        if told and told["resumed"] and self._is_a_parent_gone(stream):
            self._often[stream.name] += 1  # the pass may have stood at it: all of its page are read once more
        if told and told["resumed"] and any("may come twice" in notice for notice in told["notices"]):
            self._often[stream.name] += 1  # what was read before the run was cut short is not known by its content
        return max(self._often[stream.name], 1)

    def _is_a_parent_gone(self, stream: Stream) -> bool:
        """Whether any of those that it is read below went since all this began."""
        world = self.world
        above = {parent.name for parent in self._with_parents(stream.name)} - {stream.name}
        went = (world.went(name, number) for name in above for number in world.numbers(name, ever=True))
        return any(gone is not None and gone > world.began for gone in went)

    def _blame(self, this: Pass, requests: int) -> None:
        run = len(self.report.passes)
        for name, verdict in this.verdicts.items():
            if not verdict.exact and self._is_beyond_anybody(name, verdict):
                self.report.notes.append(
                    f"run {run}, {name}: {verdict}: records that are deleted while pages are counted push others past the reader; "
                    "without a total nobody can see it, and the next run brings them"
                )
            elif not verdict.exact:
                self.report.problems.append(f"run {run}, {name}: {verdict}")
        if this.exit_code and not (this.error or (this.report or {}).get("error")):
            self.report.problems.append(f"run {run} ended with exit code {this.exit_code} and did not say why")
        if this.report is not None:
            account = this.report["account"]
            told = sum(account[name] for name in ("written", "unchanged", "rejected", "filtered", "in_doubt"))
            if account["read"] != told:
                self.report.problems.append(f"run {run}: the account does not add up: {account}")

    def _is_beyond_anybody(self, name: str, verdict: Verdict) -> bool:
        """Whether this is what page numbers without a total cannot show, and what reading everything again mends."""
        blind = any(_is_blind(stream) for stream in self._with_parents(name))
        blind = blind and self.integration.stream(name).incremental is None
        deleted = any(isinstance(fault, Deleted) for fault in self.act.faults)
        others = verdict.twice + verdict.stale + verdict.wrong + verdict.unknown
        return blind and deleted and not others and not self.report.passes[-1].quiet

    def _with_parents(self, name: str) -> Iterator[Stream]:
        """A stream, and all that it is read below."""
        stream = self.integration.stream(name)
        yield stream
        for parent in stream.parents:
            yield from self._with_parents(parent.stream)

    def _conclude(self, seconds: float) -> None:
        report, simulator = self.report, self.simulator
        report.seen, report.struck, report.requests = simulator.seen, simulator.struck, simulator.requests
        conclude(report)
        report.seconds, report.simulated_seconds = seconds, self.clock.elapsed
        report.tokens = simulator.door.issued + simulator.other_door.issued
        source = self.integration.source
        assert isinstance(source, HttpSource)
        report.limits = [
            {
                "limit": str(high.rate),
                "amount": high.allowed,
                "per": high.rate.per,
                "highest": high.most,
                "counted": simulator.quota.way,
            }
            for high in highest_rates(source.rate_limit, simulator.times)
        ]
        last = report.passes[-1]
        if not (last.quiet and last.complete):
            report.problems.append(f"no run got everything, {len(report.passes)} were made: {_why(last)}")
        if simulator.quota.refusals:
            report.problems.append(f"{simulator.quota.refusals} requests were more than the API allows")
        first = report.passes[0]
        if first.exit_code and self._must_survive():
            report.problems.append(f"run 1 ended with exit code {first.exit_code}: {_why(first)}")

    def _must_survive(self) -> bool:
        """Whether the first run has to come to its end."""
        act = self.act
        if act.survives is not None:
            return act.survives
        # several together may be more than the attempts that the file allows
        return not act.faults or (len(act.faults) == 1 and self._is_survived(act.faults[0]))

    def _is_survived(self, fault: Fault) -> bool:
        """A write whose answer is lost may stay in doubt, where the API cannot be asked what became of it."""
        certain = all(stream.into.idempotency_header or stream.into.match for stream in self.integration.streams)
        return fault.fate == "survived" and (fault.place != "writes" or (certain and not fault.wordless))


def _read_all(told: dict[str, Any]) -> bool:
    """Whether a stream says that it has seen everything: done, or partial for its rejects alone."""
    why = str((told["error"] or {}).get("what", ""))
    return told["status"] == "done" or (told["status"] == "partial" and "rejected" in why)


def _is_blind(stream: Stream) -> bool:
    """Whether its pages are counted, and its records are not."""
    pagination = stream.pagination
    return kind_of(type(pagination)) == "page" and not (pagination.total_path or pagination.total_header)


def _why(this: Pass) -> str:
    error = this.error or (this.report or {}).get("error") or {}
    return str(error.get("what", f"exit code {this.exit_code}"))


def _first(values: Any, count: int) -> Sequence[Any]:
    return [value for value, _ in zip(values, range(count), strict=False)]
