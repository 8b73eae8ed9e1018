"""A process that runs commands of `python -m dualsink`, one line of JSON each, in one JVM that stays warm.

Started by `world.Console`. It is the command line in all but the process: module, arguments, output, exit status.
"""

import io
import json
import os
import runpy
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout

from pyspark import SparkContext


def main() -> None:
    """Answer every command on standard input with its exit status and output, until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the JVM prints belongs into the log
    # Sessions end with their commands; the context and its Python workers take longer to start than all the rest.
    SparkContext.stop = lambda context: None
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), file=answers, flush=True)


def run(arguments: list[str]) -> dict[str, object]:
    """Run one command as a process of its own would."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = _status(arguments)
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


def _status(arguments: list[str]) -> int:
    sys.argv = ["dualsink", *arguments]
    try:
        runpy.run_module("dualsink", run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
