"""The image, as far as it can be tried without Docker: its own steps build it, and it runs as it will in a container.

`make image` has buildah build it, which takes minutes.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from tests.deploy.image import Image, built_by_buildah, built_by_steps, last

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    build = built_by_buildah if os.environ.get("SYNCLINE_IMAGE") == "buildah" else built_by_steps
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    tmp_path.joinpath("work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def integrations(tmp_path: Path) -> Path:
    file = tmp_path / "integrations/shop-orders.yaml"
    file.parent.mkdir()
    file.write_text(
        """
name: shop-orders
schedule: every 15 minutes
source: {kind: rest, base_url: "http://127.0.0.1:1", retry: {attempts: 1}}
streams: [{name: orders, primary_key: id}]
destination: {kind: sql, url: "sqlite:///shop.db"}
"""
    )
    return file.parent


def test_nothing_can_be_written_but_the_volume_and_no_right_is_left(
    image: Image, work: Path, integrations: Path
) -> None:
    places = "/ /opt/syncline /opt/syncline/bin /integrations /usr /etc /work"
    script = (
        f"id -u; for place in {places}; do touch $place/x 2>/dev/null && echo $place; done; grep Cap /proc/self/status"
    )
    user, *rest = image.run(script, work, integrations).stdout.split("\n")
    assert user == "10001"
    assert rest[0] == "/work"
    assert {line.split()[1] for line in rest[1:] if line} == {"0" * 16}


def test_it_serves_is_healthy_and_leaves_in_good_order(image: Image, work: Path, integrations: Path) -> None:
    command = shlex.join(last("ENTRYPOINT").words + last("CMD").words)
    health = shlex.join(last("HEALTHCHECK").words)
    script = f"""{command} & server=$!
until {health} 2>/dev/null; do kill -0 $server || exit 1; sleep 0.1; done
kill -TERM $server; wait $server; echo "left with $?" """
    done = image.run(script, work, integrations)
    assert done.stdout.rstrip() == "left with 0", done.stderr
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [event["integration"] for event in events if event["event"] == "file_read"] == ["shop-orders"]


def test_a_run_writes_its_state_and_its_report_to_the_volume(image: Image, work: Path, integrations: Path) -> None:
    done = image.run("syncline run /integrations/shop-orders.yaml --json", work, integrations)
    assert json.loads(done.stdout)["streams"][0]["error"]["code"] == "transport"
    assert list(work.glob(".syncline/runs/shop-orders/*/run.json"))
    assert work.joinpath("shop.db").exists()


def test_the_drivers_that_the_extras_name_are_there(image: Image, work: Path, integrations: Path) -> None:
    done = image.run(
        "python -c 'import psycopg, zoneinfo; print(zoneinfo.ZoneInfo(\"Europe/Paris\"))'", work, integrations
    )
    assert done.stdout.strip() == "Europe/Paris", done.stderr
