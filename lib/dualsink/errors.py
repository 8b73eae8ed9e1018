"""One exception type per kind of failure a caller can act on.

Every message says what was wrong, where, and what to do; the command line prints it as it is.
"""

import re


class DualsinkError(Exception):
    """Base of every error that this package raises on purpose."""


class SettingsError(DualsinkError):
    """A parameter is unknown, of the wrong type or impossible."""


class PlatformError(DualsinkError):
    """The machine lacks something: a Java, a free port, disk space, a server that answers."""


class ServiceUnavailable(DualsinkError):
    """A server did not answer within the retry deadline; a later run completes the work."""


class ShapeMismatch(DualsinkError):
    """A table, topic or index exists in another shape than this version needs."""


class DeploymentError(DualsinkError):
    """A server refused the whole request (credentials, missing index, cluster block)."""


class MappingRefused(DualsinkError):
    """So many documents of a batch were refused that the mapping is wrong, not the data."""


class CheckpointError(DualsinkError):
    """The checkpoint is damaged, in use, or belongs to another topic."""


class MaintenanceRefused(DualsinkError):
    """Files of a table may not be deleted now, because something else may need them."""


class FilesChanged(DualsinkError):
    """Files of a table were rewritten or deleted by somebody else meanwhile; a new plan finds the new ones."""


class LedgerMismatch(DualsinkError):
    """The two stores do not hold the same events; the message names coordinates."""


class InputError(DualsinkError):
    """An input file cannot be read in any known shape."""


def from_traceback(text: str) -> DualsinkError | None:
    """The error of this package that a Spark worker raised, found in the traceback that Spark hands over."""
    found = re.findall(r"dualsink\.errors\.(\w+): (.+)", text)
    if not found:
        return None
    name, message = found[-1]
    return globals()[name](message)
