"""Runs in processes of their own, which may be killed at any moment and cost next to nothing to start.

`python -m syncline.rehearsal.victims MODULE…` imports those modules once and forks a process for every order it reads. It leaves,
and takes its children with it, when its standard input closes.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from syncline.engine import Report, arun
from syncline.errors import SynclineError
from syncline.events import Event, Listener, Reached, Scope
from syncline.rehearsal.killing import Kill, Killing, Passing, strike
from syncline.spec import load

CRASHED = 70
"""Exit code of a victim that met an error of Python's own; EX_SOFTWARE of sysexits.h."""
LONGEST_LINE = 16 * 2**20


class Order(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A run to make, or (with `signal`) a signal to send to one that was ordered before."""

    number: int
    file: str = ""
    folder: str = "."
    kill: Kill | None = None
    environment: dict[str, str] | None = None
    full: bool = False
    limit: int | None = None
    play: dict[str, Any] | None = None
    """The act to play against a simulator, instead of a run against the API: its seed, its sizes, what else it has, and the
    `scratch` that it writes to."""
    signal: int | None = None


class Started(msgspec.Struct, tag=True):
    number: int
    pid: int


class Outcome(msgspec.Struct, kw_only=True):
    """What a run says that comes to its end: its report, or the error that ended it."""

    exit_code: int
    report: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    trace: str | None = None
    stations: dict[str, int] = {}
    way: list[tuple[str, str]] = []
    """The stations of an act's first run in their order, each with its stream."""


class Ended(msgspec.Struct, kw_only=True, tag=True):
    """`exit_code` is minus the signal's number where one ended it; then there is no outcome. `seconds` are from the fork on,
    `cpu` those of the processor."""

    number: int
    exit_code: int
    seconds: float
    cpu: float = 0.0
    outcome: Outcome | None = None

    @property
    def killed(self) -> bool:
        return self.exit_code in (-signal.SIGKILL, -signal.SIGALRM)


_encoder = msgspec.json.Encoder(enc_hook=str)


class Victim:
    """One run. `ended` waits for its end."""

    def __init__(self, server: Victims, number: int) -> None:
        self._server, self.number = server, number
        self.started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()

    async def ended(self) -> Ended:
        return await asyncio.shield(self._ended)

    def send(self, number: signal.Signals) -> None:
        """By the process that it is a child of, so that nobody else with the same id can be hit."""
        self._server.order(Order(number=self.number, signal=number))

    def hear(self, word: Started | Ended) -> None:
        if isinstance(word, Started):
            self.started.set_result(word.pid)
        else:
            self._ended.set_result(word)

    def lost(self) -> None:
        for waiting in (self.started, self._ended):
            if not waiting.done():
                waiting.set_exception(ChildProcessError("the process that makes victims is gone"))


class Victims:
    """The process that makes them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._victims: dict[int, Victim] = {}
        self._made = 0

    async def run(self, file: Path, **options: Any) -> Ended:
        return await self.start(file, **options).ended()

    def start(
        self,
        file: Path,
        *,
        folder: Path | None = None,
        kill: Kill | None = None,
        environment: Mapping[str, str] | None = None,
        full: bool = False,
        limit: int | None = None,
        play: dict[str, Any] | None = None,
    ) -> Victim:
        """A run of the integration in this file, or an act played with it; in this folder, or in that of the file."""
        self._made += 1
        victim = self._victims[self._made] = Victim(self, self._made)
        self.order(
            Order(
                number=self._made,
                file=str(file),
                folder=str(folder or file.parent),
                kill=kill,
                environment=None if environment is None else dict(environment),
                full=full,
                limit=limit,
                play=play,
            )
        )
        return victim

    def order(self, order: Order) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(_encoder.encode(order) + b"\n")

    async def listen(self) -> None:
        """Hand on what the process says, until it says nothing any more."""
        assert self._process.stdout is not None
        decoder = msgspec.json.Decoder(Started | Ended)
        async for line in self._process.stdout:
            word = decoder.decode(line)
            self._victims[word.number].hear(word)
            if isinstance(word, Ended):
                del self._victims[word.number]
        for victim in self._victims.values():
            victim.lost()


@asynccontextmanager
async def warmed_up(*modules: str) -> AsyncIterator[Victims]:
    """A process with these modules imported, ready to make victims. Needs a system that can fork."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "syncline.rehearsal.victims",
        *modules,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
    )
    victims = Victims(process)
    listening = asyncio.create_task(victims.listen())
    try:
        yield victims
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.gather(listening, process.wait())


class _Child(msgspec.Struct):
    number: int
    pid: int
    began: float
    said: bytearray


class _Maker:
    """The loop of that process: no threads and no event loop of its own, so that forking is safe."""

    def __init__(self) -> None:
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ)
        self._heard = b""
        self._decoder = msgspec.json.Decoder(Order)

    def loop(self) -> None:
        while True:
            for key, _ in self._selector.select():
                piece = os.read(key.fd, 65_536)
                if key.fd != 0:
                    self._hear(key.fd, piece)
                elif not piece:
                    self._leave()
                    return
                else:
                    *lines, self._heard = (self._heard + piece).split(b"\n")
                    for line in lines:
                        self._obey(self._decoder.decode(line))

    def _obey(self, order: Order) -> None:
        if order.signal is None:
            self._fork(order)
            return
        for child in self._children.values():
            if child.number == order.number:  # not reaped yet: its id is still its own
                os.kill(child.pid, order.signal)

    def _fork(self, order: Order) -> None:
        out, into = os.pipe()
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _be_the_victim(order, into)
        os.close(into)
        self._children[out] = _Child(order.number, pid, began, bytearray())
        self._selector.register(out, selectors.EVENT_READ)
        _say(Started(order.number, pid))

    def _hear(self, pipe: int, piece: bytes) -> None:
        child = self._children[pipe]
        if piece:
            child.said += piece
            return
        self._selector.unregister(pipe)
        os.close(pipe)
        _, status, used = os.wait4(child.pid, 0)
        del self._children[pipe]
        _say(
            Ended(
                number=child.number,
                exit_code=os.waitstatus_to_exitcode(status),
                seconds=time.monotonic() - child.began,
                cpu=used.ru_utime + used.ru_stime,
                outcome=msgspec.json.decode(child.said, type=Outcome) if child.said else None,
            )
        )

    def _leave(self) -> None:
        for child in self._children.values():
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)


def _say(word: Started | Ended) -> None:
    line = memoryview(_encoder.encode(word) + b"\n")
    while line:
        line = line[os.write(1, line) :]


def _be_the_victim(order: Order, pipe: int) -> NoReturn:
    outcome = Outcome(exit_code=CRASHED)
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)  # orders are for the parent alone
        os.dup2(nowhere, 1)
        os.chdir(order.folder)
        outcome = asyncio.run(_run(order))
        with os.fdopen(pipe, "wb") as file:
            file.write(_encoder.encode(outcome))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(outcome.exit_code)  # what the parent has to do at its end is not for its children


async def _run(order: Order) -> Outcome:
    stop, passing, kill = asyncio.Event(), Passing(), order.kill
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if kill is not None and kill.signal == "TERM":
        asyncio.get_running_loop().add_signal_handler(signal.SIGALRM, stop.set)
    if kill is not None and kill.station is None:
        strike(kill)
    outcome = Outcome(exit_code=0)
    try:
        if order.play is not None:
            return await _played(order, order.play)
        report = await arun(
            Path(order.file),
            environment=order.environment,
            full=order.full,
            limit=order.limit,
            stop=stop,
            listeners=[passing] if kill is None else [passing, Killing(kill)],
        )
        outcome.exit_code, outcome.report = report.exit_code, report.to_data()
    except SynclineError as error:
        outcome.exit_code, outcome.error = error.exit_code, error.to_data()
    except Exception:
        outcome.exit_code, outcome.trace = CRASHED, traceback.format_exc()
    outcome.stations = dict(passing.stations)
    return outcome


async def _played(order: Order, play: dict[str, Any]) -> Outcome:
    # late: whoever kills runs against an API has no use for a simulator
    from syncline.rehearsal.acting import Act, play as played
    from syncline.rehearsal.scratch import scratch_at
    from syncline.rehearsal.simulator.faults import fault_of
    from syncline.rehearsal.staging import staged

    outcome, runs = Outcome(exit_code=0), 0
    killing = None if order.kill is None else Killing(order.kill)

    def hear(scope: Scope, event: Event) -> None:
        if runs == 1 and isinstance(event, Reached):
            outcome.way.append((scope.stream, event.station))
        if killing is not None:
            killing(scope, event)

    async def runner(*arguments: Any, listeners: Sequence[Listener], **options: Any) -> Report:
        nonlocal runs
        runs += 1
        return await arun(*arguments, listeners=[*listeners, hear], **options)

    folder = Path(order.folder)
    stage = staged(load(order.file), play["seed"], folder, scratch=scratch_at(play.pop("scratch"), folder))
    struck = tuple(map(fault_of, play.pop("faults", ())))
    report = await played(stage, Act(name="killed", faults=struck, **play), runner=runner)
    passes = [msgspec.structs.replace(one, events=[]) for one in report.passes]
    outcome.report = msgspec.to_builtins(msgspec.structs.replace(report, passes=passes, seen=[], struck=[]))
    return outcome


def main(modules: Sequence[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    gc.freeze()  # a child's collector need not look at what all of them share
    _Maker().loop()


if __name__ == "__main__":
    main(sys.argv[1:])
