"""Every parameter of the suite: its type, default and meaning.

The tutorial's names are kept. Values arrive from YAML files, from `-p name value` and from papermill,
which on Airflow passes every value as a string: the model parses strings ("False", "200") and refuses
unknown names. Secrets are never parameters: a parameter names the environment variable that holds one.
"""

import ast
import difflib
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dualsink.errors import SettingsError
from dualsink.timeline import moment

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Port = Annotated[int, Field(ge=1, le=65535)]


def _blank_is_today(value: Any) -> Any:
    return datetime.now(UTC).date() if value in ("", None) else value


def _folder_or_s3(value: str) -> str:
    if is_url(value) and not re.fullmatch(r"s3://[^/]+/.+", value):
        raise ValueError("A checkpoint lies in a folder, or in object storage as s3://bucket/folder")
    return value


def _moment_in_utc(text: str) -> str:
    """A time in ISO 8601 as UTC, which is meant where it names no zone; empty stays empty."""
    return moment(text).isoformat() if text else text


class Settings(BaseModel):
    """All parameters, typed. Times are UTC, sizes and counts are plain integers."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    # run
    execution_date: Annotated[date, BeforeValidator(_blank_is_today)] = Field("", validate_default=True)
    environment: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")] = "local"
    run_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$")] = ""
    servers: Literal["local", "external"] = "local"
    data_dir: str = ""
    runs_dir: str = ""
    enable_validation: bool = True
    enable_cleanup: bool = False

    # Kafka
    kafka_bootstrap_servers: str = "127.0.0.1:19092"
    kafka_topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = "application_logs"
    kafka_partitions: int = Field(4, ge=1)
    kafka_replication: int = Field(1, ge=1)
    kafka_max_message_bytes: int = Field(32 * 1024 * 1024, ge=1024)

    # OpenSearch
    opensearch_host: str = "127.0.0.1"
    opensearch_port: Port = 9201
    opensearch_tls: bool = False
    opensearch_ca_file: str = ""
    opensearch_user_env: str = "DUALSINK_OPENSEARCH_USER"
    opensearch_password_env: str = "DUALSINK_OPENSEARCH_PASSWORD"
    opensearch_index: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")] = "application-logs"
    opensearch_shards: int = Field(1, ge=1)
    opensearch_replicas: int = Field(0, ge=0)
    opensearch_refresh_interval: Annotated[str, Field(pattern=r"^(-1|\d+(ms|s|m))$")] = "30s"
    opensearch_codec: Literal["default", "best_compression", "zstd", "zstd_no_dict"] = "default"
    hot_days: int = Field(7, ge=1)
    hot_merge_days: int = Field(1, ge=1)
    hot_read_only: bool = False
    hot_shard_gb: float = Field(50, gt=0)
    rehydrated_days: int = Field(7, ge=1)

    # Trino: SQL over the archive, where it runs
    trino_uri: Annotated[str, Field(pattern=r"^https?://")] = "http://127.0.0.1:18080"
    trino_user_env: str = "DUALSINK_TRINO_USER"
    trino_password_env: str = "DUALSINK_TRINO_PASSWORD"

    # The archive's bucket over the years
    object_lock_mode: Literal["", "GOVERNANCE", "COMPLIANCE"] = ""
    object_lock_days: int = Field(365, ge=1)
    tier_storage_class: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]*$")] = ""
    tier_after_days: int = Field(365, ge=1)

    # Cost: storage prices are examples, of a GB for a month
    cost_events_per_day: int = Field(10_000_000, ge=1)
    cost_years: int = Field(7, ge=1)
    price_hot_gb_month: float = Field(0.122, ge=0)
    price_archive_gb_month: float = Field(0.023, ge=0)
    price_tier_gb_month: float = Field(0.004, ge=0)
    price_currency: str = "USD"

    # Archive
    catalog_name: Name = "lakehouse"
    database_name: Name = "demo"
    iceberg_table: Name = "application_logs_archive"
    nessie_uri: str = "http://127.0.0.1:19120/api/v2"
    nessie_ref: str = "main"
    warehouse: Annotated[str, Field(pattern=r"^s3://[^/]+/.+")] = "s3://openlakes/warehouse"
    s3_endpoint: str = "http://127.0.0.1:8333"
    s3_region: str = "us-east-1"
    s3_access_key_env: str = "DUALSINK_S3_ACCESS_KEY"
    s3_secret_key_env: str = "DUALSINK_S3_SECRET_KEY"

    # 02_produce
    num_log_events: int = Field(200, ge=0)
    seed: int = 7
    events_per_second: float = Field(0, ge=0)
    malformed_share: float = Field(0.0, ge=0, le=1)
    input_path: str = ""
    shift_to_now: bool = False

    # 03_stream
    streaming_mode: Literal["available_now", "live"] = "available_now"
    streaming_duration_seconds: int = Field(25, ge=0)  # 0: until it is told to end
    trigger_seconds: float = Field(5, gt=0)
    max_offsets_per_trigger: int = Field(500_000, ge=1)
    bulk_max_bytes: int = Field(8 * 1024 * 1024, ge=1024)
    bulk_max_documents: int = Field(5_000, ge=1)
    retry_deadline_seconds: float = Field(300, gt=0)
    retry_cap_seconds: float = Field(60, gt=0)
    max_refused_share: float = Field(0.05, ge=0, le=1)
    checkpoint_dir: Annotated[str, AfterValidator(_folder_or_s3)] = ""
    metrics_port: int = Field(0, ge=0, le=65535)
    spark_master: str = "local[2]"
    spark_driver_memory: Annotated[str, Field(pattern=r"^\d+[mg]$")] = "2g"

    # 06_chaos
    chaos_scenarios: str = "kill-archive-ahead,opensearch-killed,checkpoint-deleted"
    chaos_seed: int = 7

    # 07_operate
    snapshot_days: float = Field(1, ge=0)
    remove_orphans: bool = False
    orphan_hours: int = Field(72, ge=24)
    archive_years: int = Field(7, ge=1)
    quarantine_years: int = Field(7, ge=1)
    legal_holds: str = ""

    # 08_audit
    audit_at: Annotated[str, AfterValidator(_moment_in_utc)] = ""

    @classmethod
    def load(cls, files: Iterable[Path | str] = (), overrides: Mapping[str, Any] | None = None) -> "Settings":
        """Settings from YAML files, later ones winning, then `overrides`.

        Raises SettingsError naming the file and the parameter that is unknown or impossible.
        """
        values: dict[str, Any] = {}
        for file in files:
            values |= read_params(Path(file))
        return cls.from_values(values | dict(overrides or {}))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Settings":
        """Settings from a mapping; strings are parsed. Raises SettingsError with every problem found."""
        refuse_unknown(values, "parameters")
        try:
            return cls(**values)
        except ValidationError as error:
            problems = [f"  {e['loc'][0]}: {e['msg']} (got {e['input']!r})" for e in error.errors()]
            raise SettingsError("Impossible parameters:\n" + "\n".join(problems)) from None

    @classmethod
    def from_notebook(cls, namespace: Mapping[str, Any]) -> "Settings":
        """Settings from a notebook's globals: every variable that bears a parameter's name.

        Papermill only warns about names that it does not know; here they are refused.
        """
        refuse_unknown(_injected_names(namespace.get("In", [])), "injected parameters")
        return cls.from_values({k: v for k, v in namespace.items() if k in cls.model_fields})

    # -- derived places and names ------------------------------------------------------------------

    @property
    def data_path(self) -> Path:
        """Folder of this environment: local servers' data, checkpoints, logs. Absolute."""
        return Path(self.data_dir).resolve() if self.data_dir else project_root() / ".data" / self.environment

    @property
    def runs_path(self) -> Path:
        """Folder that holds one folder per run. Absolute."""
        return Path(self.runs_dir).resolve() if self.runs_dir else project_root() / "runs"

    @property
    def run_path(self) -> Path:
        """Folder of this run (`interactive` where no run id was given)."""
        return self.runs_path / (self.run_id or "interactive")

    @property
    def checkpoint_path(self) -> Path:
        """The folder where Spark has its checkpoint: one per environment, topic and table. Absolute."""
        if self.checkpoint_dir and not self.checkpoint_url:
            return Path(self.checkpoint_dir).resolve()
        return self.data_path / "checkpoints" / f"{self.kafka_topic}--{self.database_name}.{self.iceberg_table}"

    @property
    def checkpoint_url(self) -> str:
        """`s3://…` of a checkpoint that is kept in object storage, else empty."""
        return self.checkpoint_dir if is_url(self.checkpoint_dir) else ""

    @property
    def archive_table(self) -> str:
        """Fully qualified name of the archive table."""
        return f"{self.catalog_name}.{self.database_name}.{self.iceberg_table}"

    @property
    def quarantine_table(self) -> str:
        """Fully qualified name of the quarantine table."""
        return f"{self.archive_table}_quarantine"

    @property
    def audit_table(self) -> str:
        """Fully qualified name of the audit log."""
        return f"{self.archive_table}_audit"

    @property
    def rehydrated_prefix(self) -> str:
        """What the names of rehydrated days begin with. They match the template, and so stand in the alias."""
        return f"{self.opensearch_index}-rehydrated"

    @property
    def s3_bucket(self) -> str:
        """Bucket of the warehouse."""
        return self.warehouse.removeprefix("s3://").split("/", 1)[0]

    @property
    def opensearch_hosts(self) -> list[str]:
        """Names of OpenSearch's nodes; requests go to them in turn."""
        return [host.strip() for host in self.opensearch_host.split(",")]

    @property
    def opensearch_url(self) -> str:
        """Address of OpenSearch, without credentials; with commas between those of several nodes."""
        scheme = "https" if self.opensearch_tls else "http"
        return ",".join(f"{scheme}://{host}:{self.opensearch_port}" for host in self.opensearch_hosts)

    @property
    def nessie_root(self) -> str:
        """Address of the Nessie server without its API path."""
        return self.nessie_uri.split("/api/", 1)[0]

    def secret(self, parameter: str) -> str | None:
        """Value of the environment variable that `parameter` names, or None where it is not set."""
        return os.environ.get(getattr(self, parameter)) or None

    def parameters(self) -> dict[str, Any]:
        """All values as plain YAML and JSON types, fit for papermill and for `report.json`."""
        return self.model_dump(mode="json")


def is_url(place: str) -> bool:
    """Whether a place is no path of a file system."""
    return "://" in place


def anchored(place: str, folder: Path) -> str:
    """A path as an absolute one, seen from `folder`; a URL, or nothing, stays as it is."""
    return str((folder / place).resolve()) if place and not is_url(place) else place


def project_root(start: Path | None = None) -> Path:
    """The nearest folder upwards of `start` (default: here) with `params/base.yaml`, else `start` itself."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "params" / "base.yaml").is_file():
            return folder
    return start


def params_files(environment: str) -> list[Path]:
    """`base.yaml` and the file of an environment, given by name (`local`) or by path.

    Raises SettingsError listing the known names.
    """
    folder = project_root() / "params"
    named = folder / f"{environment}.yaml"
    chosen = named if named.is_file() else Path(environment)
    if not chosen.is_file():
        known = ", ".join(sorted(f.stem for f in folder.glob("*.yaml") if f.stem != "base")) or "none"
        raise SettingsError(f"No environment {environment!r}: give one of {known}, or the path of a params file.")
    base = folder / "base.yaml"
    return [base, chosen] if base.is_file() else [chosen]


def read_params(file: Path) -> dict[str, Any]:
    """One params file as a mapping. Raises SettingsError naming the file."""
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"Cannot read params file {file}: {error}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"Params file {file} must hold `name: value` lines.")
    refuse_unknown(values, str(file))
    return values


def refuse_unknown(names: Iterable[str], where: str) -> None:
    """Raise SettingsError for names that are no parameter, with the nearest known one."""
    known = Settings.model_fields
    unknown = [name for name in names if name not in known]
    if unknown:
        hints = {name: difflib.get_close_matches(str(name), known, n=1) for name in unknown}
        lines = [f"  {name}" + (f" (did you mean {hint[0]}?)" if hint else "") for name, hint in hints.items()]
        raise SettingsError(f"Unknown parameters in {where}:\n" + "\n".join(lines))


def _injected_names(cells: Iterable[str]) -> list[str]:
    """Names assigned in papermill's injected cell, which it marks with the comment `# Parameters`."""
    injected = [cell for cell in cells if cell.startswith("# Parameters\n")]
    statements = [s for cell in injected for s in ast.parse(cell).body if isinstance(s, ast.Assign)]
    return [target.id for s in statements for target in s.targets if isinstance(target, ast.Name)]
