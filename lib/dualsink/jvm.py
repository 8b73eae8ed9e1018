"""One JVM for all stages of a run: a short run was mostly a JVM's first minute, once for each stage.

A process of its own starts it, with Spark's context in it, while the run starts its servers; kernels join it by their
environment. Each of the two listens to a pipe from the one that started it, so neither outlives the run.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from dualsink.errors import PlatformError
from dualsink.local.process import last_lines
from dualsink.offspring import Offspring
from dualsink.settings import Settings

FEW_EVENTS = 200_000
"""Below this a JVM is best off with its quick compiler alone; the thorough one costs more than it gives back."""
_QUICK = "-XX:TieredStopAtLevel=1"
# Seconds. A machine's first JVM writes down its classes at its end.
_PATIENCE = 60


class SharedJvm:
    """A JVM to lend; a context manager. Its output goes to `log`, it listens on loopback."""

    def __init__(self, settings: Settings, log: Path):
        self._settings = settings
        self._log = log
        self._environment: dict[str, str] = {}

    def __enter__(self) -> "SharedJvm":
        with self._log.open("wb") as log:
            self._host = subprocess.Popen(
                [sys.executable, "-P", "-m", "dualsink.jvm"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._offspring = Offspring(self._host.pid)
        with suppress(BrokenPipeError):
            print(json.dumps(self._settings.parameters()), file=self._host.stdin, flush=True)
        return self

    def __exit__(self, *error: object) -> None:
        self.dismiss()
        self._offspring.end(patience=0 if error[0] else _PATIENCE)
        self._host.stdout.close()

    def environment(self) -> dict[str, str]:
        """The variables by which a kernel joins; waits for the JVM. They hold a secret: write them down nowhere.

        Raises PlatformError where it did not start, with what its log says.
        """
        self._environment = self._environment or json.loads(self._host.stdout.readline() or "{}")
        if not self._environment:
            lines = "\n".join(f"  {line}" for line in last_lines(self._log)) or "  (its log is empty)"
            raise PlatformError(f"Spark's JVM did not start. Its log {self._log} says:\n{lines}")
        return self._environment

    def dismiss(self) -> None:
        """Ask it to end, its work being done; the end of the block waits for it."""
        self._offspring.look()
        with suppress(BrokenPipeError):
            self._host.stdin.close()

    def kill(self) -> None:
        """End it at once, with whatever it might still do for a kernel that is gone."""
        self._offspring.end(patience=0)


def _host() -> None:
    """Start the JVM, say where it is, and hold it until the pipe to this process is closed."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the JVM prints belongs into the log
    settings = Settings.from_values(json.loads(sys.stdin.readline()))
    from dualsink.local.servers import export_credentials
    from dualsink.spark import LENT, PORT, SECRET, spark_session

    if settings.servers == "local":
        export_credentials(settings)
    quick = (_QUICK,) if settings.num_log_events <= FEW_EVENTS and not settings.input_path else ()
    spark = spark_session(settings, java_options=quick, record_classes=True)
    gateway = spark.sparkContext._gateway
    where = gateway.java_parameters
    print(json.dumps({PORT: str(where.port), SECRET: where.auth_token, LENT: "1"}), file=answer, flush=True)
    sys.stdin.read()
    spark.stop()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    _host()
