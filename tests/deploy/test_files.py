"""What is shipped for deploying: as far as it can be tried without a daemon, each file means what the command line knows."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from syncline.cli.words import parse
from tests.deploy.image import last
from tests.deploy.tools import DEPLOY, hadolint
from tests.support.services import cannot


def test_the_image_runs_what_there_is_as_nobody_in_particular() -> None:
    assert last("ENTRYPOINT").words == ["syncline"]
    verb, arguments = parse(last("CMD").words)
    assert (verb.name, arguments.host, arguments.port, arguments.allow_writes) == ("serve", "0.0.0.0", 8321, False)
    assert last("USER").text == "10001:10001"


def test_hadolint_finds_nothing_to_say_against_the_dockerfile() -> None:
    done = subprocess.run([hadolint(), DEPLOY / "docker/Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_names_what_is_there_and_publishes_to_this_machine_only() -> None:
    compose = yaml.safe_load(DEPLOY.joinpath("docker/compose.yaml").read_text())
    services = compose["services"]
    ours = services["syncline"]
    verb, arguments = parse([str(word) for word in ours["command"]])
    target = yaml.safe_load(DEPLOY.joinpath("prometheus/prometheus.yml").read_text())["scrape_configs"][0][
        "static_configs"
    ][0]["targets"]
    assert verb.name == "serve"
    assert set(target) <= set(arguments.allow_host)
    assert ours["read_only"] is True
    assert ours["cap_drop"] == ["ALL"]
    assert int(ours["stop_grace_period"].rstrip("s")) > 10
    for name, service in services.items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith(".") or not source.startswith("$"):
                there = source in compose["volumes"] or (DEPLOY / "docker" / source).exists()
                assert there, source
        assert not re.search(r"PASSWORD: (?!\$\{)", yaml.safe_dump(service))


def test_prometheus_accepts_its_configuration() -> None:
    tool = shutil.which("promtool") or cannot("promtool is not installed (Debian package prometheus)")
    done = subprocess.run(
        [tool, "check", "config", DEPLOY / "prometheus/prometheus.yml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_runs_what_there_is_and_waits_for_checkpoints() -> None:
    unit = DEPLOY.joinpath("systemd/syncline.service").read_text()
    program, *words = shlex.split(re.findall(r"^ExecStart=(.*)$", unit, re.M)[0])
    assert program.endswith("/syncline")
    assert parse(words)[0].name == "serve"
    assert int(re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.M)[0]) > 10


@pytest.mark.slow
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze") or cannot("systemd-analyze is not installed (Debian package systemd)")
    unit = DEPLOY.joinpath("systemd/syncline.service").read_text()
    copy = tmp_path / "syncline.service"
    copy.write_text(unit.replace("/opt/syncline/bin/syncline", "/bin/true"))  # it wants the program to be there
    done = subprocess.run([tool, "verify", "--recursive-errors=no", copy], capture_output=True, text=True, timeout=60)
    assert "syncline.service" not in done.stdout + done.stderr, done.stderr


def test_the_line_for_cron_runs_what_there_is() -> None:
    line = DEPLOY.joinpath("cron/syncline").read_text().splitlines()[-1]
    command = line.split("&&")[1].split(">")[0]
    assert parse(shlex.split(command)[1:])[0].name == "run"
