"""What a Spark session changes in this process."""

import logging

from py4j import java_gateway

from dualsink import spark


def test_py4j_does_not_speak_for_the_root_logger_and_everybody_else_may():
    spark._silence_py4j()
    spoken = [record_of(java_gateway.__file__), record_of(__file__)]
    assert [bool(logging.getLogger().filter(record)) for record in spoken] == [False, True]
    assert not logging.getLogger("py4j.clientserver").isEnabledFor(logging.ERROR)


def record_of(file: str) -> logging.LogRecord:
    """A record as the root logger makes it for a call in a file."""
    return logging.getLogger().makeRecord("root", logging.ERROR, file, 1, "Exception while sending command.", (), None)
