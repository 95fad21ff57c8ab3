"""An HTTP server on a free port of loopback while it is entered; what it answers is its subclass's."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import IPPROTO_TCP, TCP_NODELAY, socket
from typing import Self


class _AtOnce(ThreadingHTTPServer):
    """Sends what it has at once: a body after its headers would otherwise wait 40 ms for the client's receipt."""

    daemon_threads = True

    def get_request(self) -> tuple[socket, tuple[str, int]]:
        """A connection that holds nothing back."""
        connection, address = super().get_request()
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        return connection, address


class Loopback(ABC):
    """Serves in a thread of its own."""

    @abstractmethod
    def handler(self) -> type[BaseHTTPRequestHandler]:
        """What answers a call."""

    def address(self) -> str:
        """Where it is, without a path."""
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._http = _AtOnce(("127.0.0.1", 0), self.handler())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End what runs."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
