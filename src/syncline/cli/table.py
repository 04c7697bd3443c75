"""The verbs: the one table that help and dispatch are made of."""

from __future__ import annotations

_WORDS = "syncline VERB [FILE] [options]        syncline VERB --help says more"
_CODES = """\
Exit codes  0 done · 1 failed · 2 usage or file mistake · 3 plan has changes · 4 credentials · 5 partial
            6 deferred by the API · 7 destination · 75 another runner holds it · 130 interrupted"""


class Verb:
    """One verb; its module is `syncline.cli.verbs.<name>` with `main(arguments) -> int`, imported when it is run."""

    # a plain class: what makes others shorter takes a third of the time that `--help` has
    def __init__(self, name: str, group: str, line: str) -> None:
        self.name, self.group, self.line = name, group, line


GROUPS = FIRST, BUILD, OPERATE = "First steps", "Build", "Run"

VERBS = (
    Verb("demo", FIRST, "a practice API synced into SQLite, faults on the way; no account, no network"),
    Verb("new", FIRST, "six answers, or a document of the API, and there is an integration that runs"),
    Verb(
        "probe",
        BUILD,
        "what an API is like, found out from documents and by asking it; each guess with evidence",
    ),
    Verb(
        "check", BUILD, "find every mistake with its line and column, then the production checklist with its evidence"
    ),
    Verb("preview", BUILD, "a few records beside what becomes of them; writes nothing"),
    Verb("plan", BUILD, "what a run would ask for and change; writes nothing"),
    Verb("test", BUILD, "recorded answers played again, offline, and compared with what is expected"),
    Verb("rehearse", BUILD, "prove it against a simulator of its API, with faults; asks nobody, touches no data"),
    Verb("doc", BUILD, "the integration's document: what an operator has to know, with a diagram"),
    Verb("export", BUILD, "the integration as a small Python package, to own and to change"),
    Verb("schema", BUILD, "the JSON Schema of integration files, for editors"),
    Verb("login", OPERATE, "log in to the API in a browser, once; the token is kept encrypted"),
    Verb("run", OPERATE, "sync: from where the last run ended to what is there now"),
    Verb("serve", OPERATE, "run a folder of integrations when they are due, for months; dashboard and metrics"),
    Verb("dashboard", OPERATE, "how all integrations of a folder are, as one page in a file"),
    Verb("schedule", OPERATE, "list when integrations run next; pause and resume them, or run them now"),
    Verb("status", OPERATE, "when each stream last ran, how far it is and what it could not take"),
    Verb("report", OPERATE, "what a run did, as text, JSON or a page for a browser"),
    Verb("logs", OPERATE, "the log lines of an integration's runs, and those that come"),
    Verb("alerts", OPERATE, "try the addresses that an integration's alerts go to"),
    Verb("state", OPERATE, "show, reset or rewind how far a stream is"),
    Verb("rejects", OPERATE, "list, show, retry or drop records that did not become rows"),
    Verb("outbox", OPERATE, "list, confirm, retry or drop what nobody knows to have reached another API"),
    Verb("doctor", OPERATE, "what is not well, on this machine and with these files, and what to do about it"),
)


def overview() -> str:
    """The help of the whole, in one screen."""
    lines = ["syncline: API integrations from one file", "", f"  {_WORDS}"]
    for group in GROUPS:
        lines += ["", group, *(f"  {verb.name:<10}{verb.line}" for verb in VERBS if verb.group == group)]
    lines += ["", "Every verb  --json (results on stdout, logs on stderr) · --debug (tracebacks)", _CODES]
    return "\n".join(lines)
