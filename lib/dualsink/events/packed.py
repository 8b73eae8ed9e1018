"""Values that a producer compressed by itself: gzip and zstd."""

import zlib

from dualsink.events.model import Reason, Refused

MAX_UNPACKED = 64 * 1024 * 1024
"""Most bytes that a value may unpack to."""
_GZIP, _ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"


def is_packed(value: bytes) -> bool:
    """Return whether a value begins like gzip or zstd.

    No JSON and no OTLP does.
    """
    return value[:3] == _GZIP or value[:4] == _ZSTD


def unpacked(value: bytes) -> bytes:
    """Return the content of a compressed value.

    Raises Refused: invalid_utf8 for a damaged one, which is no text either, too_large beyond MAX_UNPACKED.
    """
    try:
        content = _gunzipped(value) if value[:3] == _GZIP else _from_zstd(value)
    except (zlib.error, OSError, ValueError, EOFError) as error:
        raise Refused(Reason.INVALID_UTF8, f"compressed, and damaged ({type(error).__name__})") from None
    if len(content) > MAX_UNPACKED:
        raise Refused(Reason.TOO_LARGE, f"unpacks to more than {MAX_UNPACKED} bytes")
    if is_packed(content):
        raise Refused(Reason.INVALID_UTF8, "compressed twice")
    return content


def _gunzipped(value: bytes) -> bytes:
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    content = unpacker.decompress(value, MAX_UNPACKED + 1)
    if not unpacker.eof and len(content) <= MAX_UNPACKED:
        raise EOFError
    return content


def _from_zstd(value: bytes) -> bytes:
    import pyarrow as pa  # takes as long to import as all else that parses

    with pa.CompressedInputStream(pa.BufferReader(value), "zstd") as stream:
        return stream.read(MAX_UNPACKED + 1)
