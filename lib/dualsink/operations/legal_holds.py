"""Legal holds: services and days to keep, in YAML."""

import hashlib
from datetime import date, timedelta
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pyspark.sql import Column
from pyspark.sql import functions as F

from dualsink.errors import SettingsError

NO_SERVICE = "unknown"
"""Service of an event whose record named none."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Hold(_Model):
    """Hold on events of `services` from `from` to `to`.

    Without a list it is on all services; days are event days (UTC), both included.

    Without `from` it reaches back to the first event, without `to` it has no end.
    """

    name: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    services: list[str] = []
    first: date | None = Field(None, alias="from")
    last: date | None = Field(None, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> "Hold":
        if self.first and self.last and self.first > self.last:
            raise ValueError(f"`from` {self.first} is after `to` {self.last}")
        return self

    def of_event(self) -> Column:
        """Return the condition that an event is held.

        One that names no service may be anybody's, and is held.
        """
        day, held = F.to_date("timestamp"), F.lit(True)
        if self.first:
            held &= day >= F.lit(self.first)
        if self.last:
            held &= day <= F.lit(self.last)
        if self.services:
            named = [service.lower() for service in (*self.services, NO_SERVICE)]
            held &= F.lower("service").isin(named) | F.col("service").isNull()
        return held

    def of_record(self) -> Column:
        """Return the condition that a quarantined record may be held.

        Its service and its day are unknown. Only that it cannot be of the held time is known: it arrived more than a
        day before that began.
        """
        return F.to_date("kafka_timestamp") >= F.lit(self.first - timedelta(days=1)) if self.first else F.lit(True)


class Holds(_Model):
    """File of holds.

    `digest` is the SHA-256 of its bytes, empty without a file.
    """

    holds: list[Hold] = []
    digest: str = Field("", exclude=True)

    def __str__(self) -> str:
        return f"{len(self.holds)} legal holds (SHA-256 {self.digest[:16]})" if self.digest else "no legal holds"


def read(path: str) -> Holds:
    """Read the holds of a file; none without a path.

    Raises SettingsError naming the file and what is wrong in it: an unreadable hold must not delete anything.
    """
    if not path:
        return Holds()
    file = Path(path)
    try:
        content = file.read_bytes()
        found = Holds.model_validate(yaml.safe_load(content)).model_copy(update={"digest": _digest(content)})
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"Cannot read the legal holds {file}: {error}") from None
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SettingsError(f"The legal holds {file} cannot be used:\n" + "\n".join(lines)) from None
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
