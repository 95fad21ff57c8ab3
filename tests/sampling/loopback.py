"""An HTTP server on a free port of loopback while it is entered; what it answers is its subclass's."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


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
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End what runs."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
