"""HTTP proxy on loopback whose rules interfere with requests.

A rule answers, delays, drops or alters a request on its way to a real server. Before a server with TLS the proxy speaks
TLS to both sides: to clients with the server's own certificate, which is for every port of loopback.
"""

import gzip
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from dualsink import tls

LOOPBACK = "127.0.0.1"
# Headers between two neighbours only (RFC 9110, 7.6.1). An upgrade to HTTP/2 would pass by the rules.
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "te", "transfer-encoding", "upgrade", "http2-settings", "expect", "content-length"}
)


class Request(NamedTuple):
    """Request of a client; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def plain_body(self) -> bytes:
        """The body, unpacked."""
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body


class Response(NamedTuple):
    """Response to a client."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Exchange:
    """Exchange: one request in the hands of a rule.

    The rule ends it with `answer`, `pass_on` or `drop`.
    """

    def __init__(self, handler: "_Handler", request: Request):
        self.request = request
        self._handler = handler

    def forward(self) -> Response:
        """Forward to the real server without answering the client.

        Raises OSError if the server is away.
        """
        return self._handler.server.proxy.forward(self.request)

    def answer(self, status: int, content: Any = None, **headers: str) -> None:
        """Answer with JSON in the server's place."""
        body = b"" if content is None else json.dumps(content).encode()
        names = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self._handler.reply(Response(status, [("content-type", "application/json"), *names], body))

    def pass_on(self) -> None:
        """Forward, and answer what the real server answers.

        A dead server is a dropped connection.
        """
        try:
            self._handler.reply(self.forward())
        except (OSError, HTTPException):
            self.drop()

    def drop(self) -> None:
        """Cut the connection without an answer."""
        self._handler.cut()


@dataclass
class Rule:
    """Rule for requests that match a pattern.

    `METHOD /path` matches a regular expression and the body holds `body`.

    The first `skip` of them pass by, then the rule takes `limit` (None: all); `hits` counts those that it took.
    """

    pattern: str
    act: Callable[[Exchange], None]
    body: bytes = b""
    skip: int = 0
    limit: int | None = None
    hits: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def takes(self, request: Request) -> bool:
        """Return whether the rule applies; if so, count the request."""
        if not re.search(self.pattern, f"{request.method} {request.path}") or self.body not in request.plain_body:
            return False
        with self._lock:
            if self.skip:
                self.skip -= 1
                return False
            if self.hits == self.limit:
                return False
            self.hits += 1
            return True


@dataclass(frozen=True)
class Tls:
    """TLS of a proxy to both sides."""

    shown: ssl.SSLContext
    trusted: ssl.SSLContext

    @classmethod
    def of(cls, certificate: Path, key: Path, authority: Path) -> "Tls":
        """Show a certificate, and trust one authority; all are PEM."""
        shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown.load_cert_chain(certificate, key)
        return cls(shown, tls.context(str(authority)))


class Proxy:
    """Proxy to a real server on loopback; a context manager.

    It forwards, except where a rule says otherwise.
    """

    def __init__(self, port: int, *rules: Rule, tls: Tls | None = None):
        self.rules = list(rules)
        self.tls = tls
        self._target = port
        self._server = _Server((LOOPBACK, 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        """Port on which it listens."""
        return self._server.server_address[1]

    def __enter__(self) -> "Proxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def treat(self, exchange: Exchange) -> None:
        """Apply the first matching rule, else pass the request on."""
        for rule in self.rules:
            if rule.takes(exchange.request):
                return rule.act(exchange)
        exchange.pass_on()

    def forward(self, request: Request) -> Response:
        """Return the real server's answer."""
        connection = self._connection()
        try:
            connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name not in _HOP_BY_HOP:
                    connection.putheader(name, value)
            if request.body or request.method in ("POST", "PUT"):
                connection.putheader("content-length", str(len(request.body)))
            connection.endheaders(request.body)
            answer = connection.getresponse()
            return Response(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        if self.tls:
            return HTTPSConnection(LOOPBACK, self._target, timeout=120, context=self.tls.trusted)
        return HTTPConnection(LOOPBACK, self._target, timeout=120)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Proxy

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, its handshake too, in its own thread."""
        if not self.proxy.tls:
            return super().finish_request(request, client_address)
        with self.proxy.tls.shown.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that went away: these proxies are for that."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _treat(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self._body())
        self.server.proxy.treat(Exchange(self, request))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _treat

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _chunks(self):
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def reply(self, response: Response) -> None:
        """Send an answer.

        That of a HEAD request keeps the length of the body that it lacks.
        """
        length = next((v for n, v in response.headers if n.lower() == "content-length"), "0")
        head = self.command == "HEAD"
        self.send_response_only(response.status)
        for name, value in response.headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if response.status not in (204, 304):
            self.send_header("content-length", length if head else str(len(response.body)))
        self.end_headers()
        if not head:
            self.wfile.write(response.body)
        self.wfile.flush()

    def cut(self) -> None:
        """Close the connection."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
