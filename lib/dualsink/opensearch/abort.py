"""Searches that are broken off by closing their connection."""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from opensearchpy import OpenSearch


def aborting(client: OpenSearch) -> Callable[[], None]:
    """Return a function that breaks the client's requests off.

    They fail at once, and so does every later one. OpenSearch cancels a search whose connection is gone: unlike the
    tasks API this needs no right. Call it before the client's first request.
    """
    sockets: list[socket.socket] = []
    aborted: list[bool] = []

    def watched(kind: type[Any]) -> type[Any]:
        class Watched(kind):
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)
                if aborted:
                    raise ConnectionAbortedError

        return Watched

    def abort() -> None:
        aborted.append(True)
        for each in sockets:
            with suppress(OSError):
                # The plain one also beneath TLS, whose own would disturb the thread that reads.
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    for connection in client.transport.connection_pool.connections:
        connection.pool.ConnectionCls = watched(connection.pool.ConnectionCls)
    return abort
