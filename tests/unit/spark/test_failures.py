"""What Spark says of a failure, as an error that someone can act on."""

import pytest

from dualsink.errors import DeploymentError, PlatformError
from dualsink.spark.failures import explained


@pytest.mark.parametrize(
    "text",
    [
        "org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [logs]",
        "org.apache.kafka.common.errors.GroupAuthorizationException: Not authorized to access group: spark-1",
        "org.projectnessie.error.NessieForbiddenException: Forbidden (HTTP/403): drop of table 'demo.logs'",
        "software.amazon.awssdk.services.s3.model.S3Exception: denied (Service: S3, Status Code: 403, Request ID: 1)",
        "OSError: When deleting object: AWS Error ACCESS_DENIED during DeleteObject operation: Access Denied.",
    ],
)
def test_a_missing_right_is_told_in_one_line_with_what_it_is_missing_on(text):
    told = explained(RuntimeError(f"An error occurred while calling o1.save.\n: {text}\n\tat java.base/Thread.run"))
    assert isinstance(told, DeploymentError) and "\n" not in str(told)
    assert str(told).startswith("A right is missing: ") and text.rsplit(" ", 1)[-1].rstrip(".") in str(told)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "org.apache.iceberg.exceptions.NotFoundException: Location does not exist: s3://b/t/data/a.parquet",
            "a.parquet",
        ),
        ("[KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE] Some data may have been lost", "Kafka dropped records"),
    ],
)
def test_what_a_store_has_lost_is_told_in_one_line(text, named):
    told = explained(RuntimeError(f"Job aborted.\nCaused by: {text}\n\tat java.base/Thread.run"))
    assert isinstance(told, PlatformError) and "\n" not in str(told)
    assert named in str(told)


def test_what_is_unknown_stays_as_it_is():
    assert explained(RuntimeError("Job aborted due to stage failure")) is None
