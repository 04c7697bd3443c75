"""Debian's Docker registry with credentials, and repositories to list."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import Request

from tests.real.node import need
from tests.real.process import direct, serving

USER, PASSWORD = "practice", "practice-registry"
HASHED = "$2b$04$abcdefghijklmnopqrstuuPvYNPnghgV3OzSn8A8fsula2vBugfZO"
BASIC = {"Authorization": f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
REPOSITORIES = 37
SETTINGS = """
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: practice, path: {folder}/htpasswd}}}}
"""


@contextmanager
def serve_registry() -> Iterator[str]:
    """The registry's address; it has 37 repositories, most of them with a tag `latest`."""
    program = need("docker-registry")

    def command(port: int, folder: Path) -> list[str]:
        (folder / "htpasswd").write_text(f"{USER}:{HASHED}\n")
        (folder / "settings.yml").write_text(SETTINGS.format(folder=folder, port=port))
        return [program, "serve", "settings.yml"]

    with serving(command, health="/") as url:
        for number in range(REPOSITORIES):
            tags = ["latest"] * (number % 3 > 0) + [f"v{tag}" for tag in range(number % 4)]
            push(url, f"team-{number % 5}/app.{number:02}", f"content {number}", *(tags or ["only"]))
        yield url


def push(url: str, repository: str, content: str, *tags: str) -> None:
    """Put an image without layers there, under these tags."""
    place = f"{url}/v2/{repository}"
    config = json.dumps({"content": content}).encode()
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    upload = urljoin(url, _send("POST", f"{place}/blobs/uploads/", b"", "application/octet-stream"))
    _send("PUT", f"{upload}{'&' if '?' in upload else '?'}digest={digest}", config, "application/octet-stream")
    described = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": digest}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []}
    for tag in tags:
        _send("PUT", f"{place}/manifests/{tag}", json.dumps(manifest).encode(), MANIFEST)


def _send(method: str, url: str, body: bytes, kind: str) -> str:
    request = Request(url, data=body, method=method, headers={**BASIC, "Content-Type": kind})
    with direct.open(request, timeout=10) as answer:
        return str(answer.headers["Location"])
