"""Database servers that a test has to itself, to kill and to start again. They listen on free ports of the loopback address."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.services import cannot

START_SECONDS = 60.0


class OwnServer:
    """`url` names a database in it that is there from the start."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def connect(self) -> Any:
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        return {}

    def start(self) -> None:
        """Returns when it lets people in."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, start_new_session=True, **self.options()
            )
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except Exception:
                if self._process.poll() is not None or time.monotonic() > until:
                    said = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise AssertionError(f"the server does not start: {said}") from None
                time.sleep(0.05)  # a real process: there is nothing else to wait on

    def kill(self) -> None:
        """With SIGKILL, and all processes that it has started."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class OwnMariadb(OwnServer):
    @classmethod
    def made_in(cls, folder: Path) -> OwnMariadb:
        if not (shutil.which("mariadbd") and shutil.which("mariadb-install-db")):
            cannot("there is no mariadbd to start")
        server = cls(folder)
        subprocess.run(
            [
                "mariadb-install-db", "--no-defaults", *_as_root(), f"--datadir={folder / 'data'}",
                "--auth-root-authentication-method=normal", "--skip-name-resolve", "--skip-test-db",
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip
        return server

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/mysql"

    def command(self) -> list[str]:
        return [
            "mariadbd", "--no-defaults", *_as_root(), f"--datadir={self.folder / 'data'}", f"--port={self.port}",
            "--bind-address=127.0.0.1", f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}",
            "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--performance-schema=OFF",
        ]  # fmt: skip

    def connect(self) -> Any:
        import pymysql

        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", autocommit=True)


class OwnPostgresql(OwnServer):
    @classmethod
    def made_in(cls, folder: Path) -> OwnPostgresql:
        server = cls(folder)
        if server._program("initdb") is None:
            cannot("there is no initdb to make a PostgreSQL server with")
        if server.options():
            shutil.chown(folder, "postgres")
        subprocess.run(
            [str(server._program("initdb")), "-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd=folder,
            **server.options(),
        )
        return server

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def command(self) -> list[str]:
        return [
            str(self._program("postgres")), "-D", str(self.folder / "data"), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "shared_buffers=16MB",
        ]  # fmt: skip

    def options(self) -> dict[str, Any]:
        """PostgreSQL does not run as root."""
        if os.getuid() != 0:
            return {}
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            cannot("there is no user postgres to run a server as")
        return {"user": "postgres", "group": "postgres", "extra_groups": []}

    def connect(self) -> Any:
        import psycopg

        return psycopg.connect(self.url, connect_timeout=2)

    def _program(self, name: str) -> Path | None:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        if found:
            return found[-1]
        where = shutil.which(name)
        return Path(where) if where else None


OWN_SERVERS: dict[str, type[OwnMariadb] | type[OwnPostgresql]] = {"mariadb": OwnMariadb, "postgresql": OwnPostgresql}


@contextmanager
def own_server(kind: str) -> Iterator[OwnServer]:
    """A running server of its own; it and its files are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="syncline-server-") as name:  # pytest's folders are closed to other users
        folder = Path(name)
        folder.chmod(0o755)
        server = OWN_SERVERS[kind].made_in(folder)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _as_root() -> list[str]:
    return ["--user=root"] if os.getuid() == 0 else []
