"""Log explorer as a page on loopback.

The servers of an environment run while it is served.
"""

import asyncio
import hmac
import json
import os
import secrets
import socket
import sys
import webbrowser
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from dualsink.errors import PlatformError
from dualsink.notebook.explorer import page, requests
from dualsink.notebook.explorer.cancellation import Cancellation
from dualsink.notebook.explorer.stores import Stores
from dualsink.settings import Settings
from dualsink_workbench.runner.runner import servers

_LOOPBACK = "127.0.0.1"
_NAMES = (_LOOPBACK, "localhost")
_MORE_PORTS = 50
_KEY = "X-Dualsink-Key"
_SEARCHES = 4
"""Searches at the same time."""
# The page runs its own script and nothing else, whatever a log line says.
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:"


def run(settings: Settings, out: Console, port: int) -> int:
    """Serve the page until SIGTERM or Ctrl-C.

    It binds to 127.0.0.1, on `port` or the next free one, and prints the address. Raises PlatformError without one.
    """
    with servers(settings, out):
        asyncio.run(serve(settings, out, port))
    return 0


async def serve(settings: Settings, out: Console, port: int, key: str = "") -> None:
    """Serve the page until it is cancelled.

    Whoever asks needs the `key`, by default a new one. It stands behind the `#` of the address, which a browser keeps
    to itself.
    """
    listening, key = listen(port), key or secrets.token_urlsafe(24)
    address = f"http://{_LOOPBACK}:{listening[0].getsockname()[1]}/#key={key}"
    server = HTTPServer(application(settings, key), max_body_size=1_000_000)
    server.add_sockets(listening)
    out.print(f"The log explorer is at {address} ; Ctrl-C stops it and the servers.", soft_wrap=True)
    if _has_desktop():
        webbrowser.open(address)
    await asyncio.Event().wait()


def listen(port: int) -> list[socket.socket]:
    """Return sockets on a port, or the next free one.

    Raises PlatformError if fifty ports are taken.
    """
    for each in range(port, port + _MORE_PORTS):
        try:
            return bind_sockets(each, _LOOPBACK)
        except OSError:
            continue
    raise PlatformError(f"Ports {port} to {port + _MORE_PORTS - 1} are taken: choose another with --port.")


def application(settings: Settings, key: str) -> Application:
    """Return the page's web application.

    It answers those who know the `key`: other users of this machine reach the port too.
    """
    pool = ThreadPoolExecutor(_SEARCHES)
    files = {
        "/": ("text/html", (page.STATIC / "index.html").read_text("utf-8")),
        "/explorer.css": ("text/css", (page.STATIC / "explorer.css").read_text("utf-8")),
        "/explorer.js": ("text/javascript", page.script()),
    }
    handlers = [(path, _File, {"kind": kind, "text": text}) for path, (kind, text) in files.items()]
    return Application(
        [*handlers, ("/ask", _Answers, {"stores": Stores.of(settings), "pool": pool, "key": key})], log_function=_no_log
    )


class _Guarded(RequestHandler):
    """Handler for this machine's own browsers.

    Another host name is that of another site, pointed here.
    """

    def prepare(self) -> None:
        if self.request.host_name not in _NAMES:
            raise HTTPError(403)

    def set_default_headers(self) -> None:
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")


class _File(_Guarded):
    def initialize(self, kind: str, text: str) -> None:
        self._kind, self._text = kind, text

    def get(self) -> None:
        self.set_header("Content-Type", f"{self._kind}; charset=utf-8")
        self.write(self._text)


class _Answers(_Guarded):
    def initialize(self, stores: Stores, pool: ThreadPoolExecutor, key: str) -> None:
        self._stores, self._pool, self._key = stores, pool, key
        self._cancellation = Cancellation()

    async def post(self) -> None:
        # A form of another site cannot send this type without being asked first, and is then refused.
        if not self.request.headers.get("Content-Type", "").startswith("application/json"):
            raise HTTPError(415)
        if not hmac.compare_digest(self.request.headers.get(_KEY, "").encode(), self._key.encode()):
            raise HTTPError(401)
        try:
            asked = json.loads(self.request.body)
        except ValueError:
            raise HTTPError(400) from None
        loop = asyncio.get_running_loop()
        reply = await loop.run_in_executor(self._pool, requests.answer, self._stores, asked, self._cancellation)
        self.set_header("Content-Type", "application/json")
        self.write(json.dumps(reply))

    def on_connection_close(self) -> None:
        """Cancel a search that nobody waits for.

        The browser has gone away or asked for something else.
        """
        self._cancellation.request()


def _no_log(_: RequestHandler) -> None:
    """Log no request.

    Its message holds what a person looks for.
    """


def _has_desktop() -> bool:
    shown = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.stdout.isatty() and bool(shown)
