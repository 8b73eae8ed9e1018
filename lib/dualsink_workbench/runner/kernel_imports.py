"""Imports of a notebook's kernel.

They take longer than the work of many a stage. What cannot be imported is reported by the notebook's own import.
"""

import gc
import os
import signal
from contextlib import suppress
from importlib import import_module

signal.signal(signal.SIGINT, signal.SIG_IGN)  # what a person types at the terminal is for the run
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # matplotlib reads it when it is imported
# Not matplotlib_inline: it looks for the kernel when it is imported, and shows no picture where there is none yet.
for _name in ("ipykernel.kernelapp", "dualsink.cli.jobs", "dualsink.notebook.plots", "dualsink.notebook.summaries"):
    with suppress(Exception):
        import_module(_name)
gc.freeze()  # or a collection in a kernel would copy every page that it shares with the others
