"""The words of the verbs that keep integrations running, and seen."""

from __future__ import annotations

import argparse

from syncline.cli.arguments import count, file_words, logging_words


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder of integration files")
    parser.add_argument(
        "--at-once", type=count, default=8, metavar="N", help="so many run at the same time at most (default: 8)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="where the dashboard listens (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=count, default=8321, metavar="N", help="and at which port (default: 8321)")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME:PORT",
        help="another name that it answers to (may be repeated)",
    )
    parser.add_argument("--allow-writes", action="store_true", help="let the dashboard run, pause, retry and drop")
    parser.add_argument("--no-dashboard", action="store_true", help="neither dashboard nor metrics")
    logging_words(parser, format="pretty")


def _dashboard(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder of integration files")
    parser.add_argument(
        "-o", "--output", default="dashboard.html", metavar="PATH", help="the file (default: dashboard.html)"
    )


def _schedule(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="list|pause|resume|now", required=True)
    listing = acts.add_parser("list", help="when each integration runs next")
    listing.add_argument("paths", nargs="+", metavar="FILE", help="integration files, or folders of them")
    listing.add_argument("-n", "--times", type=count, default=3, metavar="N", help="so many times each (default: 3)")
    for name, line in (
        ("pause", "start no more runs; what runs goes on to its end"),
        ("resume", "run by the schedule again"),
        ("now", "run at once, whatever the schedule says"),
    ):
        act = acts.add_parser(name, help=line)
        act.add_argument("names", nargs="+", metavar="NAME", help="an integration that `syncline serve` runs from here")


def _report(parser: argparse.ArgumentParser) -> None:
    file_words(parser)
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="the run's id, or the beginning of it (default: the last)"
    )
    parser.add_argument("-o", "--output", metavar="PATH", help="write a page for a browser to this file")


def _logs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the integration's name, or its file")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with the lines that come")
    parser.add_argument("-n", "--lines", type=count, default=50, metavar="N", help="so many at first (default: 50)")
    parser.add_argument("--run", metavar="RUN", help="only of the run whose id begins so")
    levels = ("debug", "info", "warning", "error")
    parser.add_argument("--level", choices=levels, default="debug", help="the least that is shown (default: all)")


def _alerts(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="test", required=True)
    test = acts.add_parser("test", help="send a message, and its end, to every address of the file")
    file_words(test)


def _status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="FILE", help="integration files, or folders of them")


ADD = {
    "serve": _serve,
    "dashboard": _dashboard,
    "schedule": _schedule,
    "report": _report,
    "logs": _logs,
    "alerts": _alerts,
    "status": _status,
}
