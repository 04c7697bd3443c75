"""How much of an allowed rate each limiter uses, and how often it is refused, in one go.

50 and 500 requests a second, one and four processes, servers that count in fixed windows, sliding windows and token buckets.
A run (about ten minutes a round) puts what it measured in the place of the same programs' runs in measured.json, and writes
docs/limits.md and its charts from there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import shares  # noqa: E402
from counting import KINDS  # noqa: E402
from report import machine  # noqa: E402
from run import python_for  # noqa: E402

RATES = (50, 500)
PROCESSES = (1, 4)
CALLERS = 24
TIME_LIMIT = 120
PROGRAMS = ("syncline", "aiolimiter", "pyrate-limiter", "none")


@contextlib.contextmanager
def server(kind: str, rate: int) -> Iterator[str]:
    command = [sys.executable, str(HERE / "counting.py"), f"--kind={kind}", f"--rate={rate}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def measure(program: str, kind: str, rate: int, processes: int, *, seconds: int, redis: str | None) -> shares.Result:
    """One program against one server. What the server saw counts; a program that takes too long is stopped."""
    python = python_for(None if program.startswith("syncline") else "limits")
    with server(kind, rate) as url, tempfile.TemporaryDirectory() as folder:
        place = redis if program.endswith("Redis") else str(Path(folder) / "shared.db")
        order = {
            "url": url,
            "rate": rate,
            "processes": processes,
            "requests": rate * seconds // processes,
            "callers": CALLERS * 2 // processes,
            "place": place,
        }
        command = [python, str(HERE / "sending.py"), program]
        senders = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        try:
            for sender in senders:
                assert sender.stdin is not None and sender.stdout is not None
                sender.stdin.write(json.dumps(order) + "\n")
                sender.stdin.flush()
                assert sender.stdout.readline() == "ready\n"
            for sender in senders:
                assert sender.stdin is not None
                sender.stdin.write("go\n")
                sender.stdin.flush()
            for sender in senders:
                sender.wait(TIME_LIMIT)
        except subprocess.TimeoutExpired:
            print(f"{program} did not finish within {TIME_LIMIT} s", file=sys.stderr)
        finally:
            for sender in senders:
                sender.kill()
                sender.communicate()
        with urllib.request.urlopen(f"{url}/report") as response:
            seen = json.load(response)
    today = datetime.now(UTC).date().isoformat()
    used = shares.share(seen["accepted"], rate)
    load = round(os.getloadavg()[0], 1)
    return shares.Result(program, kind, rate, processes, used, seen["refused"], today, machine(), load)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50 a second for 5 seconds; writes no document")
    parser.add_argument("--seconds", type=int, default=12, help="requests sent: the rate times this")
    parser.add_argument("--only", metavar="NAME", action="append", help="one program (repeatable)")
    parser.add_argument("--rounds", type=int, default=1, help="so many runs of each; medians are shown")
    parser.add_argument("--redis", metavar="URL", help="let Syncline's processes share the limit there as well")
    args = parser.parse_args()
    rates, seconds = ((50,), 5) if args.quick else (RATES, args.seconds)
    found = []
    for _, rate in product(range(args.rounds), rates):  # a round runs everybody once: what else runs meets all alike
        for processes in PROCESSES:
            for kind in KINDS:
                programs = list(PROGRAMS)
                if args.redis and processes > 1:
                    programs.insert(1, "syncline Redis")
                for program in programs:
                    if args.only and program not in args.only:
                        continue
                    result = measure(program, kind, rate, processes, seconds=seconds, redis=args.redis)
                    found.append(result)
                    print(shares.line(result), flush=True)
        if not args.quick:
            shares.keep(found)
    if not args.quick:
        shares.write(HERE.parent.parent / "docs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
