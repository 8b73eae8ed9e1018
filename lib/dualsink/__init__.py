"""Application logs from Kafka to two stores, with a proof.

OpenSearch holds the last days, an Iceberg archive all events; a ledger proves that both hold the same.

The names below are the library's public face; each is loaded when it is first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = [
    "DualsinkError",
    "Event",
    "Ledger",
    "Refusal",
    "Settings",
    "Source",
    "Topic",
    "create_all",
    "parse",
    "produce",
    "redrive",
    "repair",
    "replay",
    "rescue",
    "run_stream",
    "spark_session",
    "take_ledger",
]
_PLACES = {
    "DualsinkError": ("errors", "DualsinkError"),
    "Event": ("events.parser", "Event"),
    "Ledger": ("ledger.book", "Ledger"),
    "Refusal": ("events.parser", "Refusal"),
    "Settings": ("settings", "Settings"),
    "create_all": ("operations.setup", "create_all"),
    "parse": ("events.parser", "parse"),
    "produce": ("kafka.producer", "produce"),
    "Source": ("kafka.source", "Source"),
    "Topic": ("kafka.topic", "Topic"),
    "redrive": ("operations.redrive", "redrive"),
    "repair": ("operations.repair", "repair"),
    "replay": ("operations.replay", "replay"),
    "rescue": ("operations.rescue", "rescue"),
    "spark_session": ("spark.session", "spark_session"),
    "run_stream": ("stream.query", "run"),
    "take_ledger": ("ledger.ledger", "take"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
