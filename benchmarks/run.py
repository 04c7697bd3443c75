"""The same work for Syncline and its peers, in one go, with what each took.

Every program moves the same orders from a local server into SQLite (Airbyte: to its message stream) and is held to the same rows.
Runs are interleaved: a round runs each program once, and ratios are taken within a round. A full run writes docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import measure
import report
from orders import digest, expected
from programs import PROGRAMS, Program

HERE = Path(__file__).parent
WORK = HERE / ".work"
PAGE_SIZE = 100
WARM_UP = 1_000
FEWEST = 10_000  # below this a slow program's start-up would be what is measured


def python_for(environment: str | None) -> str:
    """The interpreter of a program's own virtual environment, set up from its pinned requirements where it is not there yet."""
    if environment is None:
        return sys.executable
    requirements = HERE / "requirements" / f"{environment}.txt"
    folder = WORK / "environments" / environment
    python = folder / "bin" / "python"
    stamp, digest_now = folder / ".installed", hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest_now:
        print(f"setting up {environment} (once)", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        install = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            str(requirements),
        ]
        subprocess.run(install, check=True)
        stamp.write_text(digest_now)
    return str(python)


@contextlib.contextmanager
def server(records: int) -> Iterator[str]:
    """The address of a server of that many orders, in a process of its own."""
    command = [sys.executable, str(HERE / "server.py"), f"--records={records}", f"--page-size={PAGE_SIZE}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def pace(url: str, records: int) -> float:
    """Records per second that the server gives to somebody who does nothing with them."""
    host, port = url.removeprefix("http://").split(":")
    pages = records // PAGE_SIZE
    with socket.create_connection((host, int(port))) as connection, connection.makefile("rb") as stream:
        started = time.perf_counter()
        for number in range(pages):
            connection.sendall(b"GET /orders?cursor=c%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
            head = b"".join(iter(stream.readline, b"\r\n"))
            found = re.search(rb"Content-Length: (\d+)", head)
            assert found, head
            stream.read(int(found[1]))
        return records / (time.perf_counter() - started)


def run_once(program: Program, url: str, wanted: tuple[int, int]) -> measure.Usage:
    """One run in a fresh folder, held to the rows that must have arrived. Raises ProgramError."""
    folder = WORK / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"ORDERS_URL": url, "TAP_ORDERS_API_URL": url, "TARGET_SQLITE_DATABASE": "orders.db"}
    usage = measure.run(program.stages(python_for(program.environment), url), folder, environment)
    found = digest(program.rows(folder))
    if found != wanted:
        raise measure.ProgramError(f"it left {found[0]} rows of {wanted[0]}, or other values in them")
    return usage


def measure_all(programs: list[Program], records: int, rounds: int) -> tuple[report.Runs, float]:
    """Every program once a round, in turn, and the server's own pace; who fails the warm-up says so and is left out."""
    fewest = min(records, FEWEST)
    sizes = {program.name: max(fewest, round(records * program.share)) for program in programs}
    runs: report.Runs = {}
    with contextlib.ExitStack() as servers:
        urls = {size: servers.enter_context(server(size)) for size in {WARM_UP, *sizes.values()}}
        wanted = {size: expected(size) for size in urls}
        for program in programs:
            try:
                run_once(program, urls[WARM_UP], wanted[WARM_UP])
                runs[program.name] = []
            except (measure.ProgramError, subprocess.CalledProcessError, OSError) as error:
                print(f"{program.name}: does not take part: {error}", file=sys.stderr)
        largest = max(urls)
        alone = pace(urls[largest], largest)
        print(f"the server alone gives {alone:,.0f} records/s", flush=True)
        for number in range(1, rounds + 1):
            for program in programs:
                if program.name not in runs:
                    continue
                size = sizes[program.name]
                run = report.Run(size, run_once(program, urls[size], wanted[size]))
                runs[program.name].append(run)
                print(f"round {number}  {program.name:<12} {report.line(run)}", flush=True)
    return runs, alone


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10,000 records and one round; writes no document")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", metavar="NAME", action="append", help="one program (repeatable); writes no document")
    args = parser.parse_args()
    if args.quick:
        args.records, args.rounds = 10_000, 1
    programs = [program for program in PROGRAMS if not args.only or program.name in args.only]
    if not programs:
        parser.error(f"there is: {', '.join(program.name for program in PROGRAMS)}")
    load = os.getloadavg()[0]
    runs, alone = measure_all(programs, args.records, args.rounds)
    print()
    print(report.text(programs, runs))
    if not args.quick and not args.only and len(runs) == len(programs):
        report.write(HERE.parent / "docs", programs, runs, report.Conditions(alone, load), WORK)
    return 0 if len(runs) == len(programs) else 1


if __name__ == "__main__":
    sys.exit(main())
