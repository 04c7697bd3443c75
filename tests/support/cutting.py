"""A proxy that cuts connections where it hurts: between a request and its answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

COMMITS = {"mariadb": b"\x03COMMIT", "postgresql": b"COMMIT\0"}
"""How a COMMIT looks on its way to the server: a COM_QUERY packet; a Query or Parse message."""


class CuttingProxy:
    """Passes bytes on, in threads. Armed, it cuts the next connection on which the client sends a text, once.

    The request reaches the server, and its answer is thrown away. With `held_until`, it reaches the server only when another
    connection has sent that text, as after a network's hiccup.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._armed: tuple[bytes, bytes | None] | None = None
        self._held: tuple[socket.socket, bytes, bytes] | None = None
        self._open: list[socket.socket] = [self._listener]
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, text: bytes, *, held_until: bytes | None = None) -> None:
        with self._lock:
            self._armed = (text, held_until)

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [client, server]
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(65_536):
                with self._lock:
                    armed = self._armed
                    hit = armed is not None and armed[0] in data
                    if hit:
                        self._armed = None
                        self.cuts += 1
                if armed is not None and hit:
                    self._cut(client, server, data, armed[1])
                    return
                server.sendall(data)
                self._release(data)
        except OSError:
            pass
        _shut(server)

    def _cut(self, client: socket.socket, server: socket.socket, data: bytes, held_until: bytes | None) -> None:
        _shut(client)  # whatever is answered from now on finds nobody
        if held_until is None:
            server.sendall(data)
        else:
            with self._lock:
                self._held = (server, data, held_until)

    def _release(self, data: bytes) -> None:
        with self._lock:
            held = self._held
            if held is None or held[2] not in data:
                return
            self._held = None
        held[0].sendall(held[1])

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(65_536):
                with suppress(OSError):
                    client.sendall(data)
        except OSError:
            pass
        _shut(client)


def _shut(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(port: int) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
