"""The filter of the JVM's standard error: remarks of its start stay out, everything else arrives."""

import io

from dualsink.spark.noise import _pass_on


def test_remarks_of_the_start_stay_out_and_errors_arrive_as_they_are(capfdbinary):
    noise = [
        b"WARNING: Using incubator modules: jdk.incubator.vector\n",
        b'Setting default log level to "OFF".\n',
        b"To adjust logging level use sc.setLogLevel(newLevel). For SparkR, use setLogLevel(newLevel).\n",
    ]
    errors = [b"12:00:01 ERROR Utils: Aborting task \xff\n", b"Exception in thread main"]
    _pass_on(io.BytesIO(b"".join([*noise, *errors])))
    assert capfdbinary.readouterr().err == b"".join(errors)
