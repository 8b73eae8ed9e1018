"""Shared JVM for all stages of a run.

A short run was mostly a JVM's first minute, once for each stage.

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
from dualsink.settings import Settings
from dualsink_workbench.runner.descendants import Offspring
from dualsink_workbench.servers.process import last_lines

FEW_EVENTS = 200_000
"""Below this a JVM is best off with its quick compiler alone; the thorough one costs more than it gives back."""
# With the quick one alone Java reserves 48 MB for compiled code, of which a long run needs more.
_QUICK = ("-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")
# Seconds. A machine's first JVM writes down its classes at its end.
_END_TIMEOUT = 60


class SharedJvm:
    """Shared JVM as a context manager, listening on loopback.

    Its output goes to `log`.
    """

    def __init__(self, settings: Settings, log: Path):
        self._settings = settings
        self._log = log
        self._environment: dict[str, str] = {}

    def __enter__(self) -> "SharedJvm":
        with self._log.open("wb") as log:
            self._host = subprocess.Popen(
                [sys.executable, "-P", "-m", "dualsink_workbench.runner.shared_jvm"],
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
        self._offspring.end(timeout=0 if error[0] else _END_TIMEOUT)
        self._host.stdout.close()

    def environment(self) -> dict[str, str]:
        """Return the variables by which a kernel joins.

        Waits for the JVM. They hold a secret: write them nowhere. Raises PlatformError if it did not start, with what
        its log says.
        """
        self._environment = self._environment or json.loads(self._host.stdout.readline() or "{}")
        if not self._environment:
            lines = "\n".join(f"  {line}" for line in last_lines(self._log)) or "  (its log is empty)"
            raise PlatformError(f"Spark's JVM did not start. Its log {self._log} says:\n{lines}")
        return self._environment

    def dismiss(self) -> None:
        """Ask the JVM to end; the block's end waits."""
        self._offspring.look()
        with suppress(BrokenPipeError):
            self._host.stdin.close()

    def kill(self) -> None:
        """End the JVM at once, with any unfinished work.

        It might still work for a kernel that is gone.
        """
        self._offspring.end(timeout=0)


def _host() -> None:
    """Start the JVM and hold it until the pipe closes.

    It writes its address to the pipe.
    """
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the JVM prints belongs into the log
    settings = Settings.from_values(json.loads(sys.stdin.readline()))
    from dualsink.spark.session import PORT, SECRET, SHARED, spark_session
    from dualsink_workbench.servers import credentials

    if settings.servers == "local":
        credentials.ensure(settings)  # the JVM may start before the servers, which need the same keys
    quick = _QUICK if settings.num_log_events <= FEW_EVENTS and not settings.input_path else ()
    spark = spark_session(settings, java_options=quick, record_classes=True)
    gateway = spark.sparkContext._gateway
    where = gateway.java_parameters
    address = {PORT: str(where.port), SECRET: where.auth_token, SHARED: settings.s3_access_key_env}
    print(json.dumps(address), file=answer, flush=True)
    sys.stdin.read()
    spark.stop()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    _host()
