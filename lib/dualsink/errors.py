"""Errors: one exception type per failure to act on.

Every message says what was wrong, where, and what to do; the command line prints it as it is.
"""

import re

from dualsink import invocation


class DualsinkError(Exception):
    """Base of every error that this package raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows of it.

        Its message alone, as on the command line: it says what to do, and IPython would add every call that led to it.
        """
        return f"{type(self).__name__}: {self}".splitlines()


class SettingsError(DualsinkError):
    """A parameter is unknown, of the wrong type or impossible."""


class PlatformError(DualsinkError):
    """Lack of the machine: Java, port, disk space, server."""


class ServiceUnavailable(DualsinkError):
    """Silence of a server within the retry deadline.

    A later run completes the work.
    """


class PartialAnswer(ServiceUnavailable):
    """Incomplete answer of OpenSearch.

    From a part of its shards, or in part of the time: of the rest nothing is known.
    """


class ShapeMismatch(DualsinkError):
    """Foreign shape of a table, topic or index."""


class DeploymentError(DualsinkError):
    """Refusal of a whole request by a server.

    Wrong credentials, a missing index and a cluster block are such reasons.
    """


class NotSetUp(DeploymentError):
    """Lack of what setup creates.

    Its arguments name what is missing.
    """

    def __init__(self, *missing: str):
        super().__init__(
            f"Setup has to run first (01_setup, or {invocation.command('setup')}): there is no {', no '.join(missing)}."
        )


class MappingRefused(DualsinkError):
    """Refusal of so many documents that the mapping is wrong.

    The data is not at fault.
    """


class CheckpointError(DualsinkError):
    """Fault of a checkpoint: damaged, in use, another topic's."""


class MaintenanceRefused(DualsinkError):
    """Refusal to delete files that something else may need."""


class FilesChanged(DualsinkError):
    """Change of a table's files by somebody else meanwhile.

    A new plan takes the new files into account.
    """


class LedgerMismatch(DualsinkError):
    """Difference between the two stores; the message names coordinates."""


class InputError(DualsinkError):
    """An input file cannot be read in any known shape."""


def from_traceback(text: str) -> DualsinkError | None:
    """Return the error of ours that a Spark worker raised.

    It is read from the traceback that Spark passes on; None if it was not ours.
    """
    found = re.findall(r"dualsink\.errors\.(\w+): (.+)", text)
    if not found:
        return None
    name, message = found[-1]
    return globals()[name](message)
