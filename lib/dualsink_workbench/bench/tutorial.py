"""Tutorial pipeline as usually written: count, append, bulk, count twice.

It is a program of its own. No quarantine, no outcome of items, no proof; the id is deterministic, or a second run would
double every document. The client's helper sends its own 500 documents at a time.
"""

import json
import sys
import time
from pathlib import Path

from opensearchpy import OpenSearch, helpers
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from dualsink.kafka import security
from dualsink.kafka.brokers import Brokers
from dualsink.opensearch import security as search_security
from dualsink.opensearch.cluster import Cluster
from dualsink.settings import Settings
from dualsink.spark.session import spark_session

FIELDS = "log_id string, timestamp string, level string, service string, host string, message string, \
stack_trace string, trace_id string, span_id string"


def main(params: str) -> None:
    """Run the query over the topic once, with telemetry.

    It notes every batch as dualsink does.
    """
    settings = Settings.load([params])
    spark = spark_session(settings, "tutorial")
    settings.run_path.mkdir(parents=True, exist_ok=True)
    log = (settings.run_path / "batches.jsonl").open("w", buffering=1, encoding="utf-8")

    def process(batch: DataFrame, batch_id: int) -> None:
        count = batch.count()
        logs = parsed(batch)
        logs.writeTo(settings.archive_table).append()
        logs.foreachPartition(lambda rows: index(rows, settings))
        good, errors = logs.count(), logs.where("level = 'ERROR'").count()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() % 10**9:09d}"[:7] + "Z"
        log.write(json.dumps({"timestamp": moment, "events": count, "good": good, "errors": errors}) + "\n")

    stream = (
        spark.readStream.format("kafka")
        .options(**security.spark_options(Brokers.of(settings)))
        .option("subscribe", settings.kafka_topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", settings.max_offsets_per_trigger)
        .load()
    )
    query = stream.writeStream.foreachBatch(process).option("checkpointLocation", str(settings.checkpoint_path))
    query.trigger(availableNow=True).start().awaitTermination()
    spark.stop()


def parsed(batch: DataFrame) -> DataFrame:
    """Typed columns and the coordinates."""
    event = F.from_json(F.col("value").cast("string"), FIELDS).alias("event")
    columns = batch.select(event, "topic", "partition", "offset", F.col("timestamp").alias("kafka_timestamp"))
    typed = columns.select("event.*", "topic", "partition", "offset", "kafka_timestamp")
    return typed.withColumns(
        {
            "timestamp": F.to_timestamp("timestamp"),
            "attributes": F.lit(None).cast("string"),
            "topic_id": F.lit(None).cast("string"),
            "position": F.lit(0),
            "positions": F.lit(1),
        }
    )


def index(rows: "list[Row]", settings: Settings) -> None:
    """Send the rows of a partition with the client's helper."""
    hosts = [{"host": settings.opensearch_host, "port": settings.opensearch_port}]
    options = search_security.options(Cluster.of(settings))
    client = OpenSearch(hosts, use_ssl=settings.opensearch_tls, timeout=60, **options)
    helpers.bulk(client, (action(row, settings.opensearch_index) for row in rows))


def action(row: Row, alias: str) -> dict:
    """Build the helper's action for a row."""
    document = {name: value for name, value in row.asDict().items() if value is not None}
    document["timestamp"] = row.timestamp.isoformat() + "Z"
    document["kafka_timestamp"] = int(row.kafka_timestamp.timestamp() * 1000)
    identity = f"{row.topic}-{row.partition}-{row.offset}"
    return {"_index": f"{alias}-{row.timestamp:%Y.%m.%d}", "_id": identity, "_source": document}


if __name__ == "__main__":
    main(str(Path(sys.argv[1])))
