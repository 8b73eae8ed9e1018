"""Filter of the JVM's standard error.

Lines that say nothing to users are dropped.
"""

import os
import threading
from subprocess import PIPE
from typing import BinaryIO

from py4j.java_gateway import JavaGateway
from pyspark import SparkConf
from pyspark.java_gateway import launch_gateway

_NOISE = (
    # Spark's launcher adds the module; no option silences the JVM's remark about it.
    b"WARNING: Using incubator modules:",
    # What PySpark's shell says of log4j2.properties, before it reads that file.
    b"Setting default log level to",
    b"To adjust logging level use",
)


def launch_quietly(conf: SparkConf) -> JavaGateway:
    """Start Spark's JVM with its standard error filtered.

    What passes arrives on ours.
    """
    gateway = launch_gateway(conf, {"stderr": PIPE})
    threading.Thread(target=_pass_on, args=(gateway.proc.stderr,), daemon=True).start()
    return gateway


def _pass_on(lines: BinaryIO) -> None:
    for line in lines:
        if not line.startswith(_NOISE):
            os.write(2, line)
