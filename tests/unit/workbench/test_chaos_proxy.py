"""The proxy between a client and a real server: it passes on, answers in its place, drops, and betrays."""

import gzip
import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.support.secured import Answering, Certificates, listening

from dualsink import tls
from dualsink_workbench.chaos.proxy import Exchange, Proxy, Rule, Tls

DROPPED = (http.client.BadStatusLine, ConnectionError)


class Target(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append((self.command, self.path, body))
        answer = b"got " + body
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.send_header("x-target", "yes")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_HEAD = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def target() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Target)
    server.seen = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def ask(proxy: Proxy, method: str = "GET", path: str = "/", body=None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_listens_on_loopback_only(target):
    with Proxy(target.server_port) as proxy:
        assert proxy._server.server_address[0] == "127.0.0.1"


def test_without_rules_the_real_server_answers(target):
    with Proxy(target.server_port) as proxy:
        assert ask(proxy, "POST", "/a?b=c", b"body") == (200, b"got body")
    assert target.seen == [("POST", "/a?b=c", b"body")]


def test_before_a_server_with_tls_it_speaks_tls_to_both_sides(tmp_path):
    class Target(Answering):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
            self.answer(200, self.path)

    certificates, foreign = (Certificates.make(tmp_path / name) for name in ("ours", "foreign"))
    shown = certificates.issue("server", "127.0.0.1")
    busy = Rule("/busy", lambda exchange: exchange.answer(429))
    gone = Rule("/gone", lambda exchange: exchange.drop())
    with listening(Target, *shown) as address:
        port = urlsplit(address).port
        with Proxy(port, busy, gone, tls=Tls.of(*shown, certificates.ca)) as proxy:
            assert [securely(proxy, path, certificates.ca) for path in ("/any", "/busy")] == [200, 429]
            with pytest.raises(DROPPED):
                securely(proxy, "/gone", certificates.ca)
            with pytest.raises(ssl.SSLCertVerificationError):
                securely(proxy, "/any", foreign.ca)
        with Proxy(port, tls=Tls.of(*shown, foreign.ca)) as proxy, pytest.raises(DROPPED):
            securely(proxy, "/any", certificates.ca)


def securely(proxy: Proxy, path: str, authority: Path) -> int:
    context = tls.context(str(authority))
    with closing(http.client.HTTPSConnection("127.0.0.1", proxy.port, timeout=5, context=context)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status


def test_a_chunked_body_arrives_whole(target):
    with Proxy(target.server_port) as proxy:
        assert ask(proxy, "POST", "/", iter([b"one ", b"two"])) == (200, b"got one two")


def test_the_answer_to_a_head_request_keeps_its_length(target):
    with Proxy(target.server_port) as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        assert (answer.getheader("content-length"), answer.getheader("x-target"), answer.read()) == ("4", "yes", b"")
        connection.close()


def test_several_requests_share_a_connection(target):
    with Proxy(target.server_port) as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
        for i in range(3):
            connection.request("POST", "/", str(i))
            assert connection.getresponse().read() == f"got {i}".encode()
        connection.close()


def test_a_rule_answers_in_the_servers_place_as_often_as_its_limit_says(target):
    busy = Rule("POST /_bulk", lambda exchange: exchange.answer(429, {"error": "busy"}, retry_after="1"), limit=2)
    with Proxy(target.server_port, busy) as proxy:
        assert [ask(proxy, "POST", "/_bulk")[0] for _ in range(3)] == [429, 429, 200]
        assert ask(proxy, "GET", "/_bulk")[0] == 200
    assert (busy.hits, len(target.seen)) == (2, 2)


def test_a_rule_lets_the_first_requests_pass_by(target):
    third = Rule("POST", lambda exchange: exchange.answer(503), skip=2)
    with Proxy(target.server_port, third) as proxy:
        assert [ask(proxy, "POST")[0] for _ in range(4)] == [200, 200, 503, 503]


def test_a_rule_looks_into_a_packed_body(target):
    rule = Rule("POST", lambda exchange: exchange.answer(418), body=b'"mine"')
    with Proxy(target.server_port, rule) as proxy:
        packed = {"content-encoding": "gzip"}
        assert ask(proxy, "POST", body=gzip.compress(b'["mine"]'), **packed)[0] == 418
        assert ask(proxy, "POST", body=gzip.compress(b'["yours"]'), **packed)[0] == 200


def test_a_dropped_request_never_reaches_the_server(target):
    with Proxy(target.server_port, Rule(".", Exchange.drop)) as proxy, pytest.raises(DROPPED):
        ask(proxy)
    assert target.seen == []


def test_the_server_does_what_was_asked_and_its_answer_is_lost(target):
    def lose(exchange: Exchange) -> None:
        exchange.forward()
        exchange.drop()

    with Proxy(target.server_port, Rule(".", lose)) as proxy, pytest.raises(DROPPED):
        ask(proxy, "POST", "/commit", b"rows")
    assert target.seen == [("POST", "/commit", b"rows")]


def test_a_dead_server_is_a_dropped_connection(target):
    target.shutdown()
    target.server_close()
    with Proxy(target.server_port) as proxy, pytest.raises(DROPPED):
        ask(proxy)
