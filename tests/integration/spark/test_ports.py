"""Ports of Spark's driver on loopback: who does not know its secret is told nothing."""

import socket
import struct

import pytest
from pyspark.sql import SparkSession

RPC_REQUEST = 3


def answer(port: int, body: bytes) -> bytes:
    """What a port says to a request in Spark's protocol that nobody signed for."""
    frame = struct.pack(">qbqi", 21 + len(body), RPC_REQUEST, 1, len(body)) + body
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(frame)
        said = connection.recv(8)
        while len(said) < struct.unpack(">q", said[:8])[0]:
            said += connection.recv(65_536)
    return said


@pytest.mark.parametrize("name", ["driver", "blocks"])
def test_a_port_of_spark_takes_no_request_before_the_secret(spark: SparkSession, name: str):
    context = spark.sparkContext
    blocks = context._jsc.sc().env().blockManager().blockManagerId().port()
    port = int(context.getConf().get("spark.driver.port")) if name == "driver" else blocks
    assert b"maybe your client does not have SASL enabled?" in answer(port, b"anything")


def test_the_secret_is_in_no_option_that_spark_shows(spark: SparkSession):
    shown = dict(spark.sparkContext.getConf().getAll())
    assert shown["spark.authenticate"] == "true"
    assert [name for name in shown if "secret" in name] == []
