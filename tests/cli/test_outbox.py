"""`syncline outbox`, and what run, plan and status say about another API; as processes."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncline.rehearsal.simulator.faults import FOREVER, Limited
from syncline.rehearsal.simulator.wire import Answer
from tests.cli.conftest import command, environment, syncline
from tests.destinations.api.bench import INTO
from tests.destinations.api.contacts import Contacts
from tests.destinations.api.test_crashes import write_file
from tests.support.serving import serving_aside

CANARY = "canary-7d1f-token"


@pytest.fixture
def book() -> Iterator[tuple[Contacts, str]]:
    contacts = Contacts(source=12)
    with serving_aside(contacts) as url:
        yield contacts, url


def file_for(folder: Path, url: str, into: dict[str, Any], **auth: Any) -> str:
    path = write_file(folder, url, into)
    if auth:
        path.write_text(path.read_text().replace("destination:\n", f"destination:\n  auth: {json.dumps(auth)}\n"))
    return str(path)


def as_data(*words: str, cwd: Path, code: int = 0, **env: str) -> Any:
    done = syncline(*words, "--json", cwd=cwd, **env)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_r7_a_run_with_doubts_ends_partial_and_the_doubts_are_settled_by_hand(
    book: tuple[Contacts, str], tmp_path: Path
) -> None:
    contacts, url = book
    contacts.drop(0.5)
    file = file_for(tmp_path, url, INTO)
    done = syncline("run", file, "--no-progress", cwd=tmp_path)
    contacts.drop(0.0)
    assert done.returncode == 5, done.stderr
    assert "are in doubt" in done.stderr
    assert "syncline outbox list" in done.stderr
    assert "adds up" in done.stdout
    listed = as_data("outbox", "list", file, cwd=tmp_path)
    count = listed["count"]
    assert count == contacts.dropped > 2
    assert as_data("status", file, cwd=tmp_path)["integrations"][0]["streams"][0]["in_doubt"] == count

    shown = syncline("outbox", "list", file, "-n", "2", cwd=tmp_path)
    first = listed["in_doubt"][0]
    assert first["id"][:8] in shown.stdout
    assert f"… and {count - 2} more" in shown.stdout
    whole = syncline("outbox", "show", file, first["id"][:6], cwd=tmp_path)
    assert first["content"]["email"] in whole.stdout

    refused = syncline("outbox", "confirm", file, "--id", first["id"][:8], cwd=tmp_path)
    assert refused.returncode == 2
    assert "--remote-id" in refused.stderr
    there = next(
        number for number, r in contacts.records.items() if r["external_id"] == first["content"]["external_id"]
    )
    as_data("outbox", "confirm", file, "--id", first["id"][:8], "--remote-id", str(there), cwd=tmp_path)

    for number in list(contacts.records):  # nobody has the others after all
        if contacts.records[number]["external_id"] in [e["content"]["external_id"] for e in listed["in_doubt"][1:]]:
            contacts.records.pop(number)
    dropped = listed["in_doubt"][1]
    assert syncline("outbox", "drop", file, "--id", dropped["id"], cwd=tmp_path).stdout == "1 given up\n"
    (result,) = as_data("outbox", "retry", file, cwd=tmp_path)["streams"]
    assert result == {"stream": "people", "confirmed": count - 2, "rejected": 0, "in_doubt": 0}
    assert syncline("outbox", "list", file, cwd=tmp_path).stdout == "nothing is in doubt\n"

    assert syncline("run", file, "--full", "--no-progress", cwd=tmp_path).returncode == 0
    held = sorted(record["external_id"] for record in contacts.records.values())
    assert held == sorted(person["id"] for person in contacts.people)
    contacts.people[0]["age"] = 77
    assert syncline("run", file, "--full", "--no-progress", cwd=tmp_path).returncode == 0
    assert contacts.effects[-1].what == "update"


def test_an_id_must_name_one_doubt(book: tuple[Contacts, str], tmp_path: Path) -> None:
    file = file_for(tmp_path, book[1], INTO)
    done = syncline("outbox", "retry", file, "--id", "beef", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no effect in doubt 'beef'" in done.stderr


def test_u5_plan_shows_the_requests_and_sends_none(book: tuple[Contacts, str], tmp_path: Path) -> None:
    contacts, url = book
    contacts.create({"external_id": "p1", "email": "person1@example.org", "name": "Person 1", "age": 21})
    contacts.create({"external_id": "p2", "email": "person2@example.org", "name": "Other", "age": 0})
    file = file_for(tmp_path, url, {**INTO, "match": "email"}, kind="bearer", token="${CRM_TOKEN}")
    done = syncline("plan", file, cwd=tmp_path, CRM_TOKEN=CANARY)
    assert done.returncode == 3, done.stderr
    assert "10 new · 1 changed · 0 deleted · 1 unchanged" in done.stdout
    assert 'POST /contacts {"external_id":"p0","email":"person0@example.org"' in done.stdout
    assert "PATCH /contacts/1002 " in done.stdout
    assert CANARY not in done.stdout + done.stderr
    assert {method for method, _, _, _ in contacts.requests} == {"GET"}
    assert not (tmp_path / "state.db").exists()

    assert syncline("run", file, "--no-progress", cwd=tmp_path, CRM_TOKEN=CANARY).returncode == 0
    again = syncline("plan", file, "--full", cwd=tmp_path, CRM_TOKEN=CANARY)
    assert again.returncode == 0
    assert "0 new · 0 changed" in again.stdout


def test_s9_the_destinations_secret_is_in_none_of_what_is_said_or_kept(
    book: tuple[Contacts, str], tmp_path: Path
) -> None:
    contacts, url = book
    contacts.refuse = lambda what, body: (422, {"message": f"{CANARY} may not do this", "token": CANARY})
    file = file_for(tmp_path, url, {**INTO, "batch": 4}, kind="bearer", token="${CRM_TOKEN}")
    done = syncline(
        "run", file, "--log-format", "json", "--log-level", "debug", "--debug", cwd=tmp_path, CRM_TOKEN=CANARY
    )
    listed = syncline("rejects", "list", file, cwd=tmp_path)
    assert "may not do this" in listed.stdout
    assert any(headers.get("Authorization") == f"Bearer {CANARY}" for _, _, headers, _ in contacts.requests)
    assert CANARY not in done.stdout + done.stderr + listed.stdout + listed.stderr
    assert CANARY.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("state.db*"))


def test_s1_the_destinations_credentials_stay_at_its_origin(book: tuple[Contacts, str], tmp_path: Path) -> None:
    contacts, url = book
    other = url.replace("127.0.0.1", "localhost")
    elsewhere = Answer(status=307, headers=(("Location", f"{other}/elsewhere"),))
    contacts.before = lambda call: elsewhere if call.path == "/contacts" else None
    file = file_for(tmp_path, url, INTO, kind="bearer", token="${CRM_TOKEN}")
    done = syncline("run", file, "--no-progress", cwd=tmp_path, CRM_TOKEN=CANARY)
    assert done.returncode == 7
    assert "allow_hosts" in done.stderr
    assert {path for _, path, _, _ in contacts.requests} <= {"/contacts", "/people?limit=20"}
    assert contacts.effects == []


def test_u18_7_while_the_destination_is_down(book: tuple[Contacts, str], tmp_path: Path) -> None:
    file = file_for(tmp_path, book[1], INTO)
    text = Path(file).read_text()
    head, tail = text.split("destination:\n")
    Path(file).write_text(f"{head}destination:\n{tail.replace(book[1], 'http://127.0.0.1:9')}")
    done = syncline("run", file, "--no-progress", cwd=tmp_path)
    assert done.returncode == 7
    assert "write: no connection" in done.stderr
    assert syncline("outbox", "list", file, cwd=tmp_path).stdout == "nothing is in doubt\n"


def test_what_was_changed_at_the_destination_can_be_sent_again(book: tuple[Contacts, str], tmp_path: Path) -> None:
    contacts, url = book
    file = file_for(tmp_path, url, INTO)
    assert syncline("run", file, "--no-progress", cwd=tmp_path).returncode == 0
    for record in contacts.records.values():
        record["name"] = "somebody else"
    assert syncline("run", file, "--full", "--no-progress", cwd=tmp_path).returncode == 0
    assert contacts.counted("update") == {}
    assert "12 records are sent again" in syncline("outbox", "refresh", file, cwd=tmp_path).stdout
    assert syncline("run", file, "--full", "--no-progress", cwd=tmp_path).returncode == 0
    assert len(contacts.counted("update")) == 12
    assert {record["name"] for record in contacts.records.values()} == {one["name"] for one in contacts.people}


def test_an_api_that_moved_takes_its_ids_along(book: tuple[Contacts, str], tmp_path: Path) -> None:
    file = file_for(tmp_path, book[1], INTO)
    assert syncline("run", file, "--no-progress", cwd=tmp_path).returncode == 0
    source, destination = Path(file).read_text().split("destination:")
    moved = f"{source}destination:{destination.replace('http:', 'https:')}"
    Path(file).write_text(moved)
    refused = syncline("run", file, "--no-progress", cwd=tmp_path)
    assert refused.returncode == 1
    assert "outbox moved FILE" in refused.stderr
    assert syncline("outbox", "moved", file, cwd=tmp_path).returncode == 0
    assert "linked to ids" not in syncline("run", file, "--no-progress", "--full", cwd=tmp_path).stderr


@pytest.mark.slow
def test_r33_asked_to_stop_a_slow_destination_does_not_hold_the_run_up(
    book: tuple[Contacts, str], tmp_path: Path
) -> None:
    contacts, url = book
    file = file_for(tmp_path, url, {**INTO, "idempotency_header": "Idempotency-Key", "batch": 1})
    contacts.idempotent = True
    contacts.strike(Limited(at=2, times=FOREVER, wait=300))
    process = subprocess.Popen(
        command("run", file, "--no-progress"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while len(contacts.writes()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)  # a real process in real time: there is nothing else to wait on
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - began < 10
    contacts.strike()
    assert syncline("run", file, "--no-progress", cwd=tmp_path).returncode == 0
    assert set(contacts.counted("create").values()) == {1}
    assert len(contacts.records) == 12
