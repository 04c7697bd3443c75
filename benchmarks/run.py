"""What Syncline takes beside a program written by hand and beside its peers, and how it behaves with latency and in numbers.

Every program moves the same orders from a local server into one destination and is held to the same rows. Runs are interleaved:
a round runs each program of a destination once, and ratios are taken within a round. What was measured is kept in
`.work/results.json`, part by part; the page in the documents is written from that.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import latency
import measure
import psycopg
import report
import scale
from orders import digest, expected
from programs import DESTINATIONS, LIMIT, OURS, PROGRAMS, Program
from results import Latency, Results, Round, Run

HERE = Path(__file__).parent
WORK = HERE / ".work"
PAGE_SIZE = 100
WARM_UP = 1_000
FEWEST = 10_000  # below this a slow program's start-up would be what is measured
POSTGRES = os.environ.get("BENCHMARK_POSTGRES", "postgresql://postgres:trusted@127.0.0.1:5432")
DATABASE = "syncline_benchmark"
PARTS = ("work", "latency", "many", "memory")


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
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(requirements)], check=True)
        stamp.write_text(digest_now)
    return str(python)


@contextlib.contextmanager
def server(*options: str) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, str(HERE / "server.py"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextlib.contextmanager
def fresh_database() -> Iterator[str]:
    """The address of an empty PostgreSQL database, dropped at the end."""
    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as admin:
        drop = f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"
        admin.execute(drop)
        admin.execute(f"CREATE DATABASE {DATABASE}")
        admin.execute("CHECKPOINT")  # what others left behind is not for this run to write
        try:
            yield f"{POSTGRES}/{DATABASE}"
        finally:
            admin.execute(drop)


def fresh_folder() -> Path:
    folder = WORK / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def environment_of(program: Program | None, url: str, database: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if "PYTHONPATH" in os.environ and (program is None or program.environment is None):
        kept["PYTHONPATH"] = os.environ["PYTHONPATH"]
    return kept | {
        "ORDERS_URL": url,
        "ORDERS_POSTGRES": database,
        "TAP_ORDERS_API_URL": url,
        "TARGET_SQLITE_DATABASE": "orders.db",
    }


def run_once(program: Program, url: str, wanted: tuple[int, int] | None) -> measure.Usage:
    """One run in a fresh folder, held to the rows that must have arrived. Raises ProgramError."""
    folder = fresh_folder()
    if program.prepare is not None:
        program.prepare(folder)
    with fresh_database() if program.destination == "postgres" else contextlib.nullcontext("") as database:
        stages = program.stages(python_for(program.environment), url)
        usage = measure.run(stages, folder, environment_of(program, url, database))
        found = digest(program.left(folder, database)) if wanted else wanted
    if found != wanted:
        raise measure.ProgramError(f"it left {found}, not {wanted}: rows are missing, or have other values")
    return usage


def work(programs: Sequence[Program], records: int, rounds: int) -> list[Round]:
    """Every program once a round, in turn; who fails the warm-up says so and is left out."""
    fewest = min(records, FEWEST)
    sizes = {program: max(fewest, round(records * program.share)) for program in programs}
    fit: list[Program] = []
    done: list[Round] = []
    with contextlib.ExitStack() as servers:
        urls = {size: servers.enter_context(server(f"--records={size}")) for size in {WARM_UP, *sizes.values()}}
        wanted = {size: expected(size) for size in urls}
        for program in programs:
            try:
                run_once(program, urls[WARM_UP], wanted[WARM_UP])
                fit.append(program)
            except (measure.ProgramError, subprocess.CalledProcessError, OSError, psycopg.Error) as error:
                print(f"{program.title}: does not take part: {error}", file=sys.stderr)
        for number in range(1, rounds + 1):
            done.append({})
            for program in fit:
                size = sizes[program]
                done[-1][program] = run = Run(size, run_once(program, urls[size], wanted[size]))
                print(f"round {number}  {program.title:<24} {report.line(run)}", flush=True)
    return done


def ours(prepare: Callable[[Path], None], url: str, *words: str) -> tuple[measure.Usage, Path]:
    """`syncline run` in a folder prepared so."""
    folder = fresh_folder()
    prepare(folder)
    command = [sys.executable, "-m", "syncline.cli", "run", *(words or ("orders.yaml",)), "--json"]
    return measure.run([command], folder, environment_of(None, url, "")), folder


def followed_alone(url: str) -> float:
    done = subprocess.run([sys.executable, str(HERE / "programs/follow.py"), url], capture_output=True, check=True)
    return float(done.stdout)


def hidden(rounds: int) -> Latency:
    """Every way, with every latency, once a round."""
    size = ("--records", latency.PAGES * latency.PAGE_SIZE), ("--page-size", latency.PAGE_SIZE)
    found = Latency([], [])
    with contextlib.ExitStack() as servers:
        urls = {
            delay: servers.enter_context(server(*(f"{name}={value}" for name, value in (*size, ("--latency", delay)))))
            for delay, _ in latency.SETTINGS
        }
        for _ in range(rounds):
            gains, followed = latency.one_round(ours, followed_alone, urls)
            found.hidden.extend(gains)
            found.followed.extend(followed)
    return found


def many() -> scale.Each:
    with server("--records=10") as url:

        def run(count: int) -> measure.Usage:
            usage, _ = ours(lambda folder: scale.files(folder, count), url, ".")
            return usage

        found = scale.each(run)
    print(f"{found.cpu * 1000:.1f} ms CPU and {found.memory / 1000:.0f} KB for each of {found.count:,}", flush=True)
    return found


def flat(destinations: Sequence[str]) -> list[scale.Flat]:
    """Peak memory for few and for many records."""
    found = []
    with server(f"--records={scale.FEW}") as few, server(f"--records={scale.MANY}") as many:
        for destination in destinations:
            ends = {one.name: one for one in PROGRAMS if one.destination == destination}
            peaks = [run_once(ends[name], url, None).memory for name in (OURS, LIMIT) for url in (few, many)]
            found.append(scale.Flat(destination, *peaks))
            ours, by_hand = (f"{low / 1e6:5.0f} MB → {high / 1e6:5.0f} MB" for low, high in (peaks[:2], peaks[2:]))
            print(f"{DESTINATIONS[destination]:<12} {ours}   by hand {by_hand}", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20,000 records, one round, the work only; keeps nothing")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part (repeatable)")
    parser.add_argument("--into", metavar="NAME", action="append", choices=DESTINATIONS, help="only this destination")
    parser.add_argument("--only", metavar="NAME", action="append", help="only this program (repeatable)")
    parser.add_argument("--append", action="store_true", help="add the rounds to those that were kept")
    args = parser.parse_args()
    if args.quick:
        args.records, args.rounds, args.part = 20_000, 1, ["work"]
    parts, into = args.part or PARTS, args.into or list(DESTINATIONS)
    results = Results(WORK / "results.json")
    complete = True
    for destination in into if "work" in parts else ():
        programs = [
            one for one in PROGRAMS if one.destination == destination and (not args.only or one.name in args.only)
        ]
        rounds = work(programs, args.records, args.rounds)
        print(f"\n{report.text(rounds)}\n", flush=True)
        complete = complete and len(rounds[0]) == len(programs)
        results.keep_work(destination, rounds, append=args.append)
    if "latency" in parts:
        results.keep("latency", hidden(args.rounds))
    if "many" in parts:
        results.keep("many", many())
    if "memory" in parts:
        results.keep("memory", flat(into))
    if not args.quick:
        results.save()
        report.write(HERE.parent / "docs", results)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
