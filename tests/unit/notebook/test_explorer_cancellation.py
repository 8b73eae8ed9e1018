"""A question that nobody waits for any more: what runs for it ends in both tiers."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from dualsink.errors import DualsinkError
from dualsink.notebook.explorer import archive_search, requests
from dualsink.notebook.explorer.cancellation import CURRENT, Cancellation, Cancelled
from dualsink.notebook.explorer.page import Page
from dualsink.notebook.explorer.stores import Stores
from dualsink.settings import Settings
from dualsink_workbench.explorer_page import application

ENDLESS = "SELECT count(*) FROM range(100000000) a, range(100000000) b"
LONG = "SELECT count(*) FROM range(1500000) AS a, range(1000) AS b WHERE hash(a.range + b.range) % 7 = 1"
"""It takes half a minute."""
SOON = 20


class Mute:
    """A server that takes requests and answers none."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.asked, self.left = threading.Event(), threading.Event()
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        connection, _ = self._listening.accept()
        while connection.recv(65536):
            self.asked.set()
        self.left.set()

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def mute() -> Iterator[Mute]:
    with closing(Mute()) as server:
        yield server


@pytest.fixture
def cancellation() -> Iterator[Cancellation]:
    """That of the question which this thread answers."""
    token = CURRENT.set(Cancellation())
    yield CURRENT.get()
    CURRENT.reset(token)


def asked_of_opensearch(mute: Mute) -> tuple[Settings, dict[str, Any]]:
    return Settings(opensearch_port=mute.port), {"ask": "search", "state": {"range": "1h", "tier": "hot"}}


def test_a_request_to_opensearch_ends_when_it_is_cancelled(mute, cancellation):
    settings, asked = asked_of_opensearch(mute)
    thread = threading.Thread(target=requests.answer, args=(Stores.of(settings), asked, cancellation))
    thread.start()
    assert mute.asked.wait(SOON) and not mute.left.is_set()
    cancellation.request()
    assert mute.left.wait(SOON)
    thread.join(SOON)
    assert not thread.is_alive()


def test_reading_the_archive_ends_when_it_is_cancelled(cancellation):
    threading.Timer(0.3, cancellation.request).start()
    start = time.monotonic()
    with pytest.raises(DualsinkError), archive_search.opened() as database:
        database.execute(ENDLESS).fetchall()
    assert time.monotonic() - start < SOON


def test_an_archive_search_that_is_cancelled_between_two_statements_ends_in_the_second(cancellation):
    with pytest.raises(Cancelled), archive_search.opened() as database:
        cancellation.request()
        time.sleep(0.5)
        database.execute(LONG).fetchall()


def test_nothing_is_begun_for_a_question_that_was_cancelled(mute, cancellation):
    cancellation.request()
    with pytest.raises(Cancelled), archive_search.opened():
        pass
    settings, asked = asked_of_opensearch(mute)
    requests.answer(Stores.of(settings), asked, cancellation)
    assert not mute.asked.is_set()


def test_a_browser_that_goes_away_cancels_its_search(mute):
    settings, asked = asked_of_opensearch(mute)

    async def ask_and_leave() -> bool:
        (listening,) = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(application(settings, "key"))
        server.add_socket(listening)
        body = json.dumps(asked).encode()
        head = "POST /ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Dualsink-Key: key\r\n"
        _, browser = await asyncio.open_connection(*listening.getsockname())
        browser.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert await asyncio.to_thread(mute.asked.wait, SOON) and not mute.left.is_set()
        browser.close()
        gone = await asyncio.to_thread(mute.left.wait, SOON)
        server.stop()
        return gone

    assert asyncio.run(ask_and_leave())


def test_a_notebook_cancels_a_search_by_its_number(mute):
    settings, asked = asked_of_opensearch(mute)
    shown = Page(Stores.of(settings))
    shown.ask({"number": 1, "message": asked})
    assert mute.asked.wait(SOON) and not mute.left.is_set()
    shown.ask({"number": 1})
    assert mute.left.wait(SOON)
