"""How far the stream is behind."""

from dualsink import kafka
from dualsink.batch import BatchReport
from dualsink.checkpoint import Checkpoint
from dualsink.settings import Settings


def behind(settings: Settings, batch: BatchReport | None = None) -> int:
    """Records in Kafka that no batch has taken: neither a committed one nor `batch`, which is about to be committed."""
    committed = Checkpoint(settings.checkpoint_path).committed().get(settings.kafka_topic, {})
    following = {int(partition): offset for partition, offset in committed.items()}
    for name, (_, last) in (batch.offsets if batch else {}).items():
        following[int(name.rpartition("-")[2])] = last + 1
    marks = kafka.watermarks(settings)
    return sum(end - max(following.get(partition, first), first) for partition, (first, end) in marks.items())
