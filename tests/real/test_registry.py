"""The example against Debian's Docker registry: Basic credentials, relative links, and manifests that did not change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urljoin

import pytest

from syncline.engine import Report, arun
from syncline.events import Event, RequestSent, Scope
from tests.real.independent import get
from tests.real.registry import BASIC, MANIFEST, PASSWORD, REPOSITORIES, USER, push, serve_registry
from tests.support.landed import assert_landed

EXAMPLE = Path(__file__).parents[2] / "examples" / "docker-registry.yaml"


@pytest.fixture
def registry() -> Iterator[str]:
    with serve_registry() as url:
        yield url


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def listed(url: str) -> Iterator[str]:
    """The other reader: the catalogue by its relative links."""
    following: str | None = f"{url}/v2/_catalog?n=10"
    while following:
        page, headers = get(following, BASIC)
        yield from page["repositories"]
        found = re.search(r'<([^>]*)>;\s*rel="next"', headers.get("link", ""))
        following = urljoin(url, found[1]) if found else None


def manifest(url: str, repository: str) -> dict[str, Any] | None:
    try:
        found, _ = get(f"{url}/v2/{quote(repository)}/manifests/latest", {**BASIC, "Accept": MANIFEST})
    except HTTPError as error:
        assert error.code == 404
        return None
    return {
        "repository": repository, "media_type": found["mediaType"],
        "config": found["config"]["digest"], "size": found["config"]["size"],
    }  # fmt: skip


async def run(url: str, password: str = PASSWORD) -> tuple[Report, list[int]]:
    """The report, and the statuses of everything asked for manifests."""
    statuses: list[int] = []

    def listen(scope: Scope, event: Event) -> None:
        if isinstance(event, RequestSent) and scope.stream == "manifests" and "/manifests/" in event.url:
            statuses.append(event.status)

    environment = {"REGISTRY_URL": url, "REGISTRY_USER": USER, "REGISTRY_PASSWORD": password}
    return await arun(EXAMPLE, environment=environment, listeners=[listen]), statuses


async def test_a_docker_registry_by_relative_links_and_with_manifests_not_sent_twice(
    registry: str, tmp_path: Path
) -> None:
    report, statuses = await run(registry)
    assert (report.status, report.error) == ("done", None)
    names = list(listed(registry))
    assert len(names) == len(set(names)) == REPOSITORIES
    database = tmp_path / "docker-registry.db"
    assert_landed(database, "repositories", [{"name": name} for name in names], "name")
    tags = [get(f"{registry}/v2/{quote(name)}/tags/list", BASIC)[0] for name in names]
    assert_landed(database, "tags", tags, "name")
    manifests = [found for name in names if (found := manifest(registry, name)) is not None]
    assert_landed(database, "manifests", manifests, "repository")
    assert sorted(set(statuses)) == [200, 404]
    assert statuses.count(200) == len(manifests)

    push(registry, names[4], "another content", "latest")
    again, statuses = await run(registry)
    assert again.status == "done"
    assert statuses.count(200) == 1
    assert statuses.count(304) == len(manifests) - 1, "its ETag is the manifest's digest"
    account = again.streams[2].account
    assert (account.read, account.written, account.unchanged) == (len(manifests), 1, len(manifests) - 1)
    changed = [found for name in names if (found := manifest(registry, name)) is not None]
    assert changed != manifests
    assert_landed(database, "manifests", changed, "repository")


async def test_a_registry_refuses_a_wrong_password(registry: str) -> None:
    report, _ = await run(registry, password="practice-mistake")
    assert (report.status, report.exit_code) == ("failed", 4)
    assert report.error
    assert report.error["code"] == "auth"
    assert "practice-mistake" not in str(report.to_data())
