"""Worth of a second core: one Spark worker, then two."""

import os
import sys
from typing import Any

from dualsink.settings import project_root
from dualsink_workbench.bench import contenders, loading, rig
from dualsink_workbench.servers.stack import LocalServers
from dualsink_workbench.servers.standalone import Standalone, environment, submission

_COLD_BATCHES = 1
_MAIN_FILE = project_root() / "deploy" / "log_dual_sink.py"
_OPTIONS = {"spark.driver.memory": "1g", "spark.executor.memory": "768m"}


def measure(servers: LocalServers, events: int, batch: int) -> dict[str, Any]:
    """Stream `events` events with one worker, then with two.

    A worker has one core; `rate` is events a second, warm.
    """
    return {"events": events, "batch": batch, "workers": [_turn(servers, events, batch, each) for each in (1, 2)]}


def _turn(servers: LocalServers, events: int, batch: int, workers: int) -> dict[str, Any]:
    settings = rig.own_names(servers.settings, f"scaling_{workers}", max_offsets_per_trigger=batch)
    folder = settings.data_path / "work" / settings.run_id
    around = os.environ | environment(settings) | {"PYSPARK_PYTHON": sys.executable}
    with loading.filled(settings, events), Standalone(settings, folder / "cluster", workers) as cluster:
        params = rig.params_file(settings, folder / "params.json")
        command = submission(_MAIN_FILE, cluster.master, f"--params={params}", options=_OPTIONS)
        result = contenders.program("dualsink", command, settings, servers, folder, _COLD_BATCHES, around)
    return {"workers": workers, "rate": round(result.rate)}
