"""Running programs and reading what they used from the kernel.

A process inherits its parent's peak memory until it has become another program, so programs are started by a small process
of their own: this file, run with the stages as its argument.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): ru_maxrss is in bytes there, in KiB elsewhere


class ProgramError(Exception):
    """A program left with an error; the message ends with the last lines that it wrote."""


@dataclass(frozen=True)
class Usage:
    """What one run took: wall and CPU in seconds, memory as the peak resident set in bytes, summed over a pipe's stages."""

    wall: float
    cpu: float
    memory: int


def run(stages: Sequence[Sequence[str]], folder: Path, environment: dict[str, str]) -> Usage:
    """Run stages joined by pipes in `folder`; the last one's output goes to `stdout` there, all complaints to `stderr`.

    CPU includes the children that a stage has waited for. Raises ProgramError.
    """
    small = [sys.executable, "-I", "-S", __file__, json.dumps(stages)]
    done = subprocess.run(small, cwd=folder, env=environment, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        tail = (folder / "stderr").read_text(errors="replace").splitlines()[-8:]
        raise ProgramError("\n".join(["it left with an error", *tail]))
    return Usage(**json.loads(done.stdout))


def started_and_waited_for(stages: Sequence[Sequence[str]]) -> Usage | None:
    processes: list[subprocess.Popen[bytes]] = []
    with Path("stdout").open("wb") as output, Path("stderr").open("wb") as complaints:
        started = time.perf_counter()
        for number, stage in enumerate(stages, 1):
            process = subprocess.Popen(
                stage,
                stdin=processes[-1].stdout if processes else subprocess.DEVNULL,
                stdout=output if number == len(stages) else subprocess.PIPE,
                stderr=complaints,
            )
            if processes and (pipe := processes[-1].stdout):
                pipe.close()
            processes.append(process)
        cpu, memory = 0.0, 0
        for process in processes:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            cpu += used.ru_utime + used.ru_stime
            memory += used.ru_maxrss * BYTES_PER_UNIT
        wall = time.perf_counter() - started
    return None if any(process.returncode for process in processes) else Usage(wall, cpu, memory)


if __name__ == "__main__":
    usage = started_and_waited_for(json.loads(sys.argv[1]))
    if usage is None:
        sys.exit(1)
    print(json.dumps(asdict(usage)))
