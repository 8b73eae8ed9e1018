"""An HTTP proxy before a server, with a trap: a request that matches is held until somebody decides."""

import gzip
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Between two neighbours only (RFC 9110, 7.6.1); an upgrade to HTTP/2 would pass by the trap.
_HOP_BY_HOP = {"connection", "keep-alive", "te", "transfer-encoding", "upgrade", "http2-settings", "content-length"}


@dataclass
class Trap:
    """Holds every request whose `METHOD path` matches and whose body has `body`; with `answer`, its answer.

    `sprung` is set when one is held. Setting `release` lets them go, to nowhere if they were `cut` before. A client
    that repeats its request meanwhile is held again.
    """

    pattern: str
    body: str = ""
    answer: bool = False
    cut: bool = False
    sprung: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def catches(self, request: str, body: bytes) -> bool:
        """Whether this request is to be held."""
        return not self.release.is_set() and bool(re.search(self.pattern, request)) and self.body.encode() in body

    def hold(self) -> None:
        """Hold the thread that comes here."""
        self.sprung.set()
        self.release.wait(300)


@contextmanager
def proxied(port: int, trap: Trap) -> Iterator[int]:
    """The port of a proxy before a port of loopback; what is held is let go at the end."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.target, server.trap = port, trap
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            trap.release.set()
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    target: int
    trap: Trap

    def handle_error(self, request, client_address) -> None:
        """A client that was killed is what this proxy is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _pass_on(self) -> None:
        body, trap = self._body(), self.server.trap
        plain = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
        caught = trap.catches(f"{self.command} {self.path}", plain)
        if caught and not trap.answer:
            trap.hold()
            if trap.cut:
                self.close_connection = True
                return
        answer, content = self._forward(body)
        if caught and trap.answer:
            trap.hold()
        self._reply(answer, content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass_on

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _forward(self, body: bytes) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.target, timeout=120)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        connection.request(self.command, self.path, body or None, headers)
        answer = connection.getresponse()
        return answer, answer.read()

    def _reply(self, answer: HTTPResponse, content: bytes) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if self.command == "HEAD":
            self.send_header("content-length", answer.getheader("content-length", "0"))
        else:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *about) -> None:
        """Say nothing."""
