"""The words each verb takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from syncline.cli import operate_words
from syncline.cli.arguments import count, file_words, logging_words, seconds
from syncline.cli.table import VERBS, Verb


class Parser(argparse.ArgumentParser):
    """Says what is wrong the way all of Syncline does."""

    def error(self, message: str) -> NoReturn:
        from syncline.errors import UsageError  # late: only a mistake needs it

        raise UsageError(message, hint=f"{self.prog} --help")


def _streams(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stream", action="append", metavar="NAME", help="only this stream (may be repeated)")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dir", default="demo", metavar="FOLDER", help="where to put its files (default: demo)")
    parser.add_argument("--orders", type=count, default=5_000, metavar="N", help="orders in the shop (default: 5000)")
    parser.add_argument("--seed", type=int, default=7, help="the same seed, the same shop and the same faults")


def _new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", metavar="NAME|URL", help="what the API is called, or its address")
    parser.add_argument(
        "--from",
        action="append",
        dest="origins",
        default=[],
        metavar="FILE|URL",
        help="a document that describes the API",
    )
    parser.add_argument(
        "--destination", metavar="WORD|URL", help="sqlite, duckdb, postgresql, mysql, jsonl, csv, parquet"
    )
    parser.add_argument("--entities", metavar="A,B", help="what to sync: orders,customers")
    parser.add_argument("--direction", metavar="WAY", help="one-way: from the source to the destination")
    parser.add_argument(
        "--auth",
        metavar="KIND[=…]",
        help="none, api_key, bearer, oauth2, …; or as probe takes it: api_key='X-Token:${TOKEN}'",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="a header of every request (may be repeated)",
    )
    parser.add_argument("--volume", metavar="N/day", help="what production looks like: 50000/day")
    parser.add_argument("--schedule", metavar="WORDS", help="when to run (default: every 15 minutes)")
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value that only you know (may be repeated)",
    )
    parser.add_argument("--answers", metavar="FILE", help="answers from a YAML or JSON file; options win")
    parser.add_argument(
        "--no-input", action="store_true", help="ask nothing: what was not answered is found out or left out"
    )
    parser.add_argument(
        "--dir", metavar="FOLDER", help="where to put it (default: a folder named like the integration)"
    )
    parser.add_argument("--code", action="store_true", help="a Python package instead of a file (see syncline export)")
    parser.add_argument("--force", action="store_true", help="put files that are there aside as NAME~")


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", metavar="FILE", help="an integration file; several, or folders: mistakes only"
    )
    parser.add_argument("--lint", action="store_true", help="find mistakes only, and leave the checklist")
    parser.add_argument("--live", action="store_true", help="ask the real API what only it can show; writes nothing")
    parser.add_argument(
        "--only", action="append", metavar="LINE", help="only this line: tokens, limits, resume, … (may be repeated)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed, the same faults (default: 1)")
    parser.add_argument(
        "--records",
        type=count,
        default=50_000,
        metavar="N",
        help="records read for the volume at most (default: 50000)",
    )
    _stage_words(parser)
    parser.add_argument(
        "--test-alerts", action="store_true", help="send a test alert to each address of the file's alerts"
    )
    parser.add_argument(
        "--report", metavar="FOLDER", help="write rehearsal.html, to attach to a change request, and rehearsal.json"
    )


def _preview(parser: argparse.ArgumentParser) -> None:
    file_words(parser)
    _streams(parser)
    parser.add_argument("-n", "--records", type=count, default=5, metavar="N", help="records a stream (default: 5)")
    parser.add_argument("--watch", action="store_true", help="again with every change of the file, without asking anew")


def _plan(parser: argparse.ArgumentParser) -> None:
    file_words(parser)
    _streams(parser)
    parser.add_argument("--full", action="store_true", help="as if nothing had been synced yet")


def _run(parser: argparse.ArgumentParser) -> None:
    _plan(parser)
    parser.add_argument("others", nargs="*", metavar="FILE", help="more of them, or folders of them: run side by side")
    parser.add_argument(
        "--at-once", type=count, default=8, metavar="N", help="of several, so many at the same time (default: 8)"
    )
    parser.add_argument("--limit", type=count, metavar="N", help="stop each stream after about N records")
    parser.add_argument(
        "--allow-deletes",
        action="store_true",
        help="delete what a complete pass did not list, however much; replace rows that somebody else put there",
    )
    parser.add_argument("--no-progress", action="store_true", help="show nothing until the end")
    parser.add_argument("--report", metavar="PATH", help="write the run's report to this file, a page for a browser")
    logging_words(parser)


def _stage_words(parser: argparse.ArgumentParser) -> None:
    """What stands in the real records' and the real destination's place."""
    parser.add_argument(
        "--like",
        action="append",
        default=[],
        metavar="[STREAM=]FILE",
        help="what records look like: a recorded answer, a JSON Schema or an OpenAPI document (may be repeated)",
    )
    parser.add_argument(
        "--scratch",
        metavar="WHERE",
        help="write to a schema or database of its own at a real server: `destination` (the file's own) or a URL "
        "(default: a file in a temporary folder)",
    )


def _rehearse(parser: argparse.ArgumentParser) -> None:
    file_words(parser)
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="the same seed, the same rehearsal (default: 1)"
    )
    parser.add_argument("--faults", metavar="A,B", help="only these faults: 429,timeout-after (default: all)")
    parser.add_argument(
        "--records", type=count, metavar="N", help="records in the volume act (default: what the file's volume says)"
    )
    _stage_words(parser)
    parser.add_argument(
        "--output", default="rehearsal.json", metavar="FILE", help="where the evidence goes (default: rehearsal.json)"
    )
    parser.add_argument("--html", metavar="FILE", help="write a page for a browser as well")
    parser.add_argument("--quiet", action="store_true", help="show nothing until the end")
    parser.add_argument(
        "--serve",
        action="store_true",
        help="only serve the simulator on 127.0.0.1, with a copy of the file that asks it",
    )
    parser.add_argument("--port", type=count, metavar="N", help="where to serve it (default: a free port)")


def _login(parser: argparse.ArgumentParser) -> None:
    file_words(parser)
    parser.add_argument("--destination", action="store_true", help="for the API that is written to, not the source")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument(
        "--port", type=count, metavar="N", help="the port that the browser comes back to (default: a free one)"
    )
    parser.add_argument("--timeout", type=seconds, default=300.0, metavar="TIME", help="how long to wait (default: 5m)")
    parser.add_argument("--keyring", action="store_true", help="keep a new key in the system's keyring, not in a file")
    parser.add_argument("--status", action="store_true", help="show what is stored, and how long it will do")
    parser.add_argument("--forget", action="store_true", help="remove the stored token")


def _schema(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="PATH", help="write it to this file instead of stdout")


def _test(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="FILE", help="integration files, or folders of them")
    _streams(parser)
    parser.add_argument("--update", action="store_true", help="from now on expect what comes of the answers today")
    parser.add_argument("--record", action="store_true", help="ask the API first, and keep its answers without secrets")
    parser.add_argument("-n", "--records", type=count, default=5, metavar="N", help="records a page (default: 5)")
    parser.add_argument("--pages", type=count, default=2, metavar="N", help="pages a stream (default: 2)")


def _export(parser: argparse.ArgumentParser) -> None:
    file_words(parser)
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="where to put the package")
    parser.add_argument("--force", action="store_true", help="put files that are there aside as NAME~")


def _doc(parser: argparse.ArgumentParser) -> None:
    file_words(parser)
    parser.add_argument("-o", "--output", metavar="PATH", help="write it to this file instead of stdout")


def _state(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="show|reset|rewind", required=True)
    show = acts.add_parser("show", help="how far every stream is")
    reset = acts.add_parser("reset", help="forget how far a stream is; the next run reads everything")
    rewind = acts.add_parser("rewind", help="start the next run from an earlier cursor")
    for act in (show, reset, rewind):
        file_words(act)
        _streams(act)
    rewind.add_argument(
        "--to", required=True, metavar="CURSOR", help="the source's own value, such as 2026-11-01T00:00:00Z"
    )


def _rejects(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="list|show|fix|retry|drop", required=True)
    listing = acts.add_parser("list", help="records that did not become rows, with the reason")
    show = acts.add_parser("show", help="one of them, whole")
    fix = acts.add_parser("fix", help="mend one of them, before it is tried again")
    retry = acts.add_parser("retry", help="map and write them again, after the mapping was mended")
    drop = acts.add_parser("drop", help="give them up")
    for act in (listing, show, fix, retry, drop):
        file_words(act)
    for act in (listing, retry, drop):
        _streams(act)
    listing.add_argument("-n", "--records", type=count, default=20, metavar="N", help="at most so many (default: 20)")
    listing.add_argument("--all", action="store_true", help="retried and dropped ones too")
    for act in (show, fix):
        act.add_argument("id", type=int, metavar="ID", help="its number")
    fix.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="a field's new value, as JSON or as text"
    )
    fix.add_argument("--record", metavar="FILE", help="the whole record anew, a JSON file (- for standard input)")
    for act in (retry, drop):
        act.add_argument("--id", type=int, action="append", metavar="ID", help="only this one (may be repeated)")


def _outbox(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="list|show|confirm|retry|drop|refresh|moved", required=True)
    listing = acts.add_parser("list", help="effects in doubt: sent, and no answer came")
    show = acts.add_parser("show", help="one of them, whole")
    confirm = acts.add_parser("confirm", help="they have arrived")
    retry = acts.add_parser("retry", help="they have not arrived; send them again")
    drop = acts.add_parser("drop", help="give them up")
    refresh = acts.add_parser(
        "refresh", help="records were changed at the destination: send all that the next runs meet"
    )
    moved = acts.add_parser("moved", help="the API has moved to the base_url of now, and its ids with it")
    for act in (listing, show, confirm, retry, drop, refresh, moved):
        file_words(act)
    for act in (listing, confirm, retry, drop, refresh, moved):
        _streams(act)
    listing.add_argument("-n", "--records", type=count, default=20, metavar="N", help="at most so many (default: 20)")
    show.add_argument("id", metavar="ID", help="its id, or the beginning of it")
    for act in (confirm, retry, drop):
        act.add_argument("--id", action="append", metavar="ID", help="only this one (may be repeated)")
    confirm.add_argument("--remote-id", metavar="ID", help="the id that the created record has at the destination")


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="FILE", help="integration files, or folders of them")
    parser.add_argument("--offline", action="store_true", help="ask nobody over the network")


def _probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources", nargs="+", metavar="URL|FILE", help="a list of the live API, or its base; documents, read first"
    )
    parser.add_argument(
        "--auth",
        metavar="KIND=…",
        help="bearer='${TOKEN}', basic='${USER}:${PASSWORD}', api_key='X-API-Key:${KEY}', or a block as in a file; "
        "secrets by reference",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="a header of every request (may be repeated)",
    )
    parser.add_argument("--requests", type=count, default=40, metavar="N", help="at most so many (default: 40)")
    parser.add_argument("--rate", default="5/s", metavar="RATE", help="no faster than that (default: 5/s)")


ADD: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    **operate_words.ADD,
    "demo": _demo,
    "new": _new,
    "check": _check,
    "preview": _preview,
    "plan": _plan,
    "probe": _probe,
    "test": _test,
    "export": _export,
    "doc": _doc,
    "rehearse": _rehearse,
    "schema": _schema,
    "login": _login,
    "run": _run,
    "state": _state,
    "rejects": _rejects,
    "outbox": _outbox,
    "doctor": _doctor,
}


def parse(words: Sequence[str]) -> tuple[Verb, argparse.Namespace]:
    """The verb and its arguments. Raises UsageError, and SystemExit after a verb's help."""
    verb = next((verb for verb in VERBS if verb.name == words[0]), None)
    if verb is None:
        raise _unknown(words[0])
    return verb, parser_of(verb).parse_args(words[1:])


def parser_of(verb: Verb) -> argparse.ArgumentParser:
    parser = Parser(
        prog=f"syncline {verb.name}", description=verb.line[0].upper() + verb.line[1:] + ".", allow_abbrev=False
    )
    ADD[verb.name](parser)
    _everywhere(parser)
    return parser


def _everywhere(parser: argparse.ArgumentParser) -> None:
    """`--json` and `--debug`, before and after the name of an act."""
    parsers = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers += action.choices.values()
    for each in parsers:
        default = False if each is parser else argparse.SUPPRESS
        each.add_argument(
            "--json", action="store_true", default=default, help="the result as one JSON object on stdout"
        )
        each.add_argument("--debug", action="store_true", default=default, help="tracebacks of errors")


def _unknown(word: str) -> Exception:
    # late: only a mistake needs them
    from syncline.errors import UsageError
    from syncline.model.names import did_you_mean

    if word.startswith("-"):
        return UsageError(
            f"there is no option {word} before the verb", hint="syncline VERB FILE [options]; syncline --help"
        )
    hint = did_you_mean(word, (verb.name for verb in VERBS))
    return UsageError(f"there is no verb {word!r}; {hint}", hint="syncline --help")
