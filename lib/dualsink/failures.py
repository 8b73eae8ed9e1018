"""What a failure inside Spark is told as: the root that somebody can act on, where one can be found."""

from py4j.protocol import Py4JError, Py4JNetworkError

from dualsink import checks
from dualsink.errors import DualsinkError, PlatformError, ServiceUnavailable, from_traceback
from dualsink.settings import Settings

GONE = (ConnectionError, Py4JNetworkError)
"""What a call to Spark raises when its JVM has ended before."""
_NEXT = "Nothing is lost: what was not finished is done again by the next run."


def explained(error: Exception, settings: Settings) -> Exception:
    """The error of this package that `error` amounts to, else `error` itself.

    Servers are asked only where nothing else explains it: one that does not answer is then named.
    """
    if isinstance(error, DualsinkError):
        return error
    # Py4JError itself, without a Java exception: the JVM ended in the middle of the call.
    if isinstance(error, GONE) or type(error) is Py4JError:
        return PlatformError(f"Spark's JVM ended while it worked: was it killed, or did memory run out? {_NEXT}")
    text = str(error)
    return from_traceback(text) or _told_by_spark(text) or _silent_server(settings) or error


def _told_by_spark(text: str) -> Exception | None:
    if "CommitStateUnknownException" in text:
        return ServiceUnavailable(
            "The catalogue's answer to a commit was lost, so whether it was done is unknown. The next run finds out, "
            "and writes only what is missing."
        )
    if "Python worker exited unexpectedly" in text:
        return PlatformError(f"A Python worker of Spark ended: was it killed, or did memory run out? {_NEXT}")
    return None


def _silent_server(settings: Settings) -> Exception | None:
    silent = [f"{check.name} ({check.detail})" for check in checks.check_servers(settings) if not check.ok]
    return ServiceUnavailable(f"No answer from {'; '.join(silent)}. {_NEXT}") if silent else None
