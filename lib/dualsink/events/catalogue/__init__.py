"""Catalogue: the formats that people send.

Each names its own documentation. Every format is completed by `GENERAL`, the names that loggers share, so a declaration
holds only what is particular. The order is that of preference: what an early format takes a later one does not.
"""

from dualsink.events.catalogue import clouds, envelopes, loggers, security, servers
from dualsink.events.catalogue.general import GENERAL, OWN

FORMATS = (OWN, *envelopes.FORMATS, *loggers.FORMATS, *servers.FORMATS, *clouds.FORMATS, *security.FORMATS)
"""Every format that is known, in order of preference."""

__all__ = ["FORMATS", "GENERAL"]
