"""Progress: the logger for lines about what takes long."""

import logging

PROGRESS = logging.getLogger("dualsink.progress")
"""The command line shows its lines, a notebook does not."""
