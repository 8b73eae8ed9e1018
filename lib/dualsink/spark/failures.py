"""Failures inside Spark, as errors that someone can act on."""

import re

from py4j.protocol import Py4JError, Py4JNetworkError

from dualsink.errors import DeploymentError, DualsinkError, PlatformError, ServiceUnavailable, from_traceback

GONE = (ConnectionError, Py4JNetworkError)
"""What a call to Spark raises when its JVM has ended before."""
_REFUSAL = re.compile(
    r"(?:Topic|Group|Cluster|TransactionalId)AuthorizationException[^\n]*|NessieForbiddenException[^\n]*"
    r"|NessieNotAuthorizedException[^\n]*|[^\n]*\(Service: S3, Status Code: 403[^\n]*|ACCESS_DENIED during [^\n]*"
)
_MISSING_FILE = re.compile(r"NotFoundException: Location does not exist: (\S+)")
_LONGEST = 300
NEXT = "Nothing is lost: what was not finished is done again by the next run."


def explained(error: Exception) -> Exception | None:
    """Return the error of this package for `error`, if known.

    Only what Spark itself can tell is known.
    """
    if isinstance(error, DualsinkError):
        return error
    # Py4JError itself, without a Java exception: the JVM ended in the middle of the call.
    if isinstance(error, GONE) or type(error) is Py4JError:
        return PlatformError(f"Spark's JVM ended while it worked: was it killed, or did memory run out? {NEXT}")
    text = str(error)
    if known := from_traceback(text):
        return known
    if "CommitStateUnknownException" in text:
        return ServiceUnavailable(
            "The catalogue's answer to a commit was lost, so whether it was done is unknown. The next run finds out, "
            "and writes only what is missing."
        )
    if refused := _REFUSAL.search(text):
        return DeploymentError(f"A right is missing: {refused[0][:_LONGEST].strip()}. Grant it. {NEXT}")
    if missing := _MISSING_FILE.search(text):
        return PlatformError(
            f"The storage lacks {missing[1]}, which is a part of a table. Bring the object back (an earlier version of "
            "it, where the bucket keeps those), or roll the table back to a snapshot without it, then `stream`."
        )
    if "KAFKA_DATA_LOSS" in text:
        return PlatformError(
            "Kafka dropped records while they were read: its retention was faster. The same command again goes on with "
            "what is left; `validate` names what is lost."
        )
    if "Python worker exited unexpectedly" in text:
        return PlatformError(f"A Python worker of Spark ended: was it killed, or did memory run out? {NEXT}")
    return None
