"""Every parameter of the suite: its type, default and meaning.

The tutorial's names are kept. Values arrive in layers: defaults, `params/base.yaml`, the environment's file, then
`-p name value` or papermill, which on Airflow passes every value as a string: the model parses strings ("False",
"200") and refuses unknown names. Secrets are never parameters: a parameter `…_env` names the environment variable that
holds one. With `_FILE` at its end that variable names the file that does, which is read again at every use, so that a
secret can be replaced while a program runs.
"""

import ast
import difflib
import json
import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dualsink import invocation
from dualsink.errors import SettingsError
from dualsink.timeline import moment

PARAMS_FILE = "params_file"
"""A notebook's variable: the YAML file of parameters that takes the place of the environment's."""
_OF_A_RUN = frozenset({"execution_date", "run_id", "data_dir", "runs_dir"})
"""Parameters of a single run and its folders, by which no environment differs from another."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


def _without_login(value: str) -> str:
    if "@" in value.rpartition("://")[2].split("/", 1)[0]:
        raise ValueError("An address holds no user and no password: set the variables that hold them")
    return value


Address = Annotated[str, AfterValidator(_without_login)]
Port = Annotated[int, Field(ge=1, le=65535)]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable: a secret pasted in its place is mostly none, and is not repeated."""
# Secrets among the options of Kafka's clients: by name, or inside a value such as a line of JAAS or an address.
_SECRET_NAME = re.compile(r"(?i)(password|passphrase|secret|token|credentials?|keystore\.key|access.?key|user\.info)$")
_SECRET_VALUE = re.compile(r"(?i)(password|passphrase|secret|token)\w*\s*=|PRIVATE KEY|://[^/\s]*:[^/\s]*@")


def _blank_is_today(value: Any) -> Any:
    return datetime.now(UTC).date() if value in ("", None) else value


def _options(value: Any) -> Any:
    """Write a mapping as JSON: all parameters are plain values."""
    try:
        options = yaml.safe_load(value) or {} if isinstance(value, str) else value
    except yaml.YAMLError:
        options = None
    if not isinstance(options, Mapping) or any(isinstance(each, dict | list) for each in options.values()):
        raise ValueError("Options are a mapping, such as {sasl.mechanism: AWS_MSK_IAM}")
    plain = {str(name): _plain(each) for name, each in sorted(options.items())}
    if clear := [name for name, each in plain.items() if _SECRET_NAME.search(name) or _SECRET_VALUE.search(each)]:
        raise ValueError(f"{', '.join(clear)}: a secret in clear, where only variables that hold one may be named")
    return json.dumps(plain) if plain else ""


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _folder_or_s3(value: str) -> str:
    if is_url(value) and not re.fullmatch(r"s3://[^/]+/.+", value):
        raise ValueError("A checkpoint is in a folder, or in object storage as s3://bucket/folder")
    return value


def _moment_in_utc(text: str) -> str:
    """Parse a time in ISO 8601 as UTC.

    UTC is meant if it names no zone; empty stays empty.
    """
    return moment(text).isoformat() if text else text


class Settings(BaseModel):
    """Parameters, typed; times UTC, sizes and counts plain integers."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, use_attribute_docstrings=True)

    # run
    execution_date: Annotated[date, BeforeValidator(_blank_is_today)] = Field("", validate_default=True)
    """Day of the run, YYYY-MM-DD, empty means today (UTC)."""
    environment: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")] = "local"
    """Name of the environment, which names the data folder."""
    run_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$")] = ""
    """Name of the run, which names its folder under runs."""
    servers: Literal["local", "external"] = "local"
    """Local for servers that `up` starts, external for servers of your own."""
    data_dir: str = ""
    """Folder for servers, checkpoints and logs, empty means .data/<environment>."""
    runs_dir: str = ""
    """Folder for results, empty means runs."""
    enable_validation: bool = True
    """05_validate fails where the ledger does not hold."""
    enable_cleanup: bool = False
    """05_validate removes everything at its end."""

    # Kafka
    kafka_bootstrap_servers: Address = "127.0.0.1:19092"
    """Address of Kafka."""
    kafka_topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = "application_logs"
    """Topic that the logs arrive on."""
    kafka_partitions: int = Field(4, ge=1)
    """Partitions of the topic."""
    kafka_replication: int = Field(1, ge=1)
    """Copies of each partition."""
    kafka_max_message_bytes: int = Field(32 * 1024 * 1024, ge=1024)
    """Largest record in bytes."""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    """How Kafka is spoken to: PLAINTEXT, SSL, or SASL_SSL with a user or a token."""
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "PLAIN", "OAUTHBEARER"] = "SCRAM-SHA-512"
    """How the user is proven with SASL_SSL: SCRAM-SHA-512, PLAIN, OAUTHBEARER."""
    kafka_ca_file: str = ""
    """Certificate authority of the brokers, PEM, empty means the system's."""
    kafka_cert_file: str = ""
    """Certificate of this client for mutual TLS, PEM, empty means none."""
    kafka_key_file: str = ""
    """Private key of this client's certificate, PEM."""
    kafka_user_env: Variable = "DUALSINK_KAFKA_USER"
    """Environment variable that holds Kafka's user."""
    kafka_password_env: Variable = "DUALSINK_KAFKA_PASSWORD"
    """Environment variable that holds Kafka's password."""
    kafka_token_url: Address = ""
    """Endpoint that gives tokens for OAUTHBEARER."""
    kafka_client_id_env: Variable = "DUALSINK_KAFKA_CLIENT_ID"
    """Environment variable that holds the client's id for a token."""
    kafka_client_secret_env: Variable = "DUALSINK_KAFKA_CLIENT_SECRET"
    """Environment variable that holds the client's secret for a token."""
    kafka_scope: str = ""
    """Scope of the token, empty means the endpoint's own choice."""
    kafka_options: Annotated[str, BeforeValidator(_options)] = ""
    """Further options of Kafka's clients as a mapping, under Kafka's own names; secrets are refused."""

    # OpenSearch
    opensearch_host: Address = "127.0.0.1"
    """Host of OpenSearch."""
    opensearch_port: Port = 9201
    """HTTP port of OpenSearch."""
    opensearch_tls: bool = False
    """Whether to speak HTTPS to OpenSearch."""
    opensearch_ca_file: str = ""
    """Certificate authority of OpenSearch, PEM, empty means the system's."""
    opensearch_user_env: Variable = "DUALSINK_OPENSEARCH_USER"
    """Environment variable that holds OpenSearch's user."""
    opensearch_password_env: Variable = "DUALSINK_OPENSEARCH_PASSWORD"
    """Environment variable that holds OpenSearch's password."""
    opensearch_cert_file: str = ""
    """Certificate of this client for mutual TLS, PEM, empty means none."""
    opensearch_key_file: str = ""
    """Private key of this client's certificate, PEM."""
    opensearch_token_env: Variable = "DUALSINK_OPENSEARCH_TOKEN"
    """Environment variable that holds a bearer token."""
    opensearch_sigv4_region: str = ""
    """Region for requests signed with AWS keys, empty means unsigned."""
    opensearch_keeper_user_env: Variable = "DUALSINK_OPENSEARCH_KEEPER_USER"
    """Environment variable that holds the user who may delete, unset means the same user."""
    opensearch_keeper_password_env: Variable = "DUALSINK_OPENSEARCH_KEEPER_PASSWORD"
    """Environment variable that holds the password of the user who may delete."""
    opensearch_index: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")] = "application-logs"
    """Alias over one index a day."""
    opensearch_shards: int = Field(1, ge=1)
    """Shards of each day's index."""
    opensearch_replicas: int = Field(0, ge=0)
    """Replicas of each shard."""
    opensearch_refresh_interval: Annotated[str, Field(pattern=r"^(-1|\d+(ms|s|m))$")] = "30s"
    """How soon a written document is found."""
    opensearch_codec: Literal["default", "best_compression", "zstd", "zstd_no_dict"] = "default"
    """Compression of stored fields: default, best_compression, zstd, zstd_no_dict."""
    hot_days: int = Field(7, ge=1)
    """Days that OpenSearch keeps."""
    hot_merge_days: int = Field(1, ge=1)
    """Days after which a day is merged to one segment."""
    hot_read_only: bool = False
    """Whether a merged day takes no more writes."""
    hot_shard_gb: float = Field(50, gt=0)
    """Size of a shard from which on the next days get more of them."""
    rehydrated_days: int = Field(7, ge=1)
    """Days that a rehydrated day of the archive stays in OpenSearch."""

    # Trino: SQL over the archive, where it runs
    trino_uri: Annotated[Address, Field(pattern=r"^https?://")] = "http://127.0.0.1:18080"
    """Address of Trino, SQL over the archive where it runs."""
    trino_user_env: Variable = "DUALSINK_TRINO_USER"
    """Environment variable that holds Trino's user."""
    trino_password_env: Variable = "DUALSINK_TRINO_PASSWORD"
    """Environment variable that holds Trino's password."""
    trino_token_env: Variable = "DUALSINK_TRINO_TOKEN"
    """Environment variable that holds a bearer token for Trino, in a password's place."""
    trino_ca_file: str = ""
    """Certificate authority of Trino, PEM, empty means the system's."""

    # The archive's bucket over the years
    object_lock_mode: Literal["", "GOVERNANCE", "COMPLIANCE"] = ""
    """Object Lock of the bucket, GOVERNANCE or COMPLIANCE, empty means none."""
    object_lock_days: int = Field(365, ge=1)
    """Days for which Object Lock keeps what is written."""
    tier_storage_class: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]*$")] = ""
    """Storage class for old data files, such as GLACIER_IR, empty means none."""
    tier_after_days: int = Field(365, ge=1)
    """Days after which a data file moves to the cheaper storage class."""

    # Cost: storage prices are examples, of a GB for a month
    cost_events_per_day: int = Field(10_000_000, ge=1)
    """Events a day, for what a year of them costs."""
    cost_years: int = Field(7, ge=1)
    """Years for which the monthly bill is drawn."""
    price_hot_gb_month: float = Field(0.122, ge=0)
    """Price of a GB for a month in OpenSearch."""
    price_archive_gb_month: float = Field(0.023, ge=0)
    """Price of a GB for a month in the archive's storage."""
    price_tier_gb_month: float = Field(0.004, ge=0)
    """Price of a GB for a month in the tier for old files."""
    price_currency: str = "USD"
    """Currency of the prices."""

    # Archive
    catalog_name: Name = "lakehouse"
    """Name of the Iceberg catalogue in Spark."""
    database_name: Name = "demo"
    """Namespace of the tables."""
    iceberg_table: Name = "application_logs_archive"
    """Archive table, <name>_quarantine stands beside it."""
    nessie_uri: Address = "http://127.0.0.1:19120/api/v2"
    """Address of the catalogue."""
    nessie_ref: str = "main"
    """Branch of the catalogue."""
    nessie_ca_file: str = ""
    """Certificate authority of the catalogue, PEM, empty means the system's."""
    nessie_token_env: Variable = "DUALSINK_NESSIE_TOKEN"
    """Environment variable that holds a bearer token."""
    nessie_oauth_url: Address = ""
    """Endpoint that gives tokens to this client, empty means none."""
    nessie_client_id_env: Variable = "DUALSINK_NESSIE_CLIENT_ID"
    """Environment variable that holds the client's id for a token."""
    nessie_client_secret_env: Variable = "DUALSINK_NESSIE_CLIENT_SECRET"
    """Environment variable that holds the client's secret for a token."""
    nessie_scope: str = ""
    """Scope of the token, empty means the endpoint's own choice."""
    warehouse: Annotated[str, Field(pattern=r"^s3://[^/]+/.+")] = "s3://openlakes/warehouse"
    """Bucket and folder of the tables."""
    s3_endpoint: Address = "http://127.0.0.1:8333"
    """Address of the storage."""
    s3_region: str = "us-east-1"
    """Region of the storage."""
    s3_ca_file: str = ""
    """Certificate authority of the storage, PEM, empty means the system's."""
    s3_access_key_env: Variable = "DUALSINK_S3_ACCESS_KEY"
    """Environment variable that holds the access key, unset means the machine's profile or role."""
    s3_secret_key_env: Variable = "DUALSINK_S3_SECRET_KEY"
    """Environment variable that holds the secret key."""
    s3_session_token_env: Variable = "DUALSINK_S3_SESSION_TOKEN"
    """Environment variable that holds the session token of temporary keys."""
    s3_profile: str = ""
    """Profile of the AWS configuration that has the keys, empty means the default one."""
    s3_sse: Literal["", "AES256", "aws:kms"] = ""
    """Encryption of what is written by the storage: AES256, aws:kms, empty means the bucket's own."""
    s3_kms_key: str = ""
    """Key of KMS for aws:kms, empty means the account's."""
    s3_keeper_access_key_env: Variable = "DUALSINK_S3_KEEPER_ACCESS_KEY"
    """Environment variable that holds the access key that may delete, unset means the same key."""
    s3_keeper_secret_key_env: Variable = "DUALSINK_S3_KEEPER_SECRET_KEY"
    """Environment variable that holds the secret key that may delete."""
    s3_keeper_session_token_env: Variable = "DUALSINK_S3_KEEPER_SESSION_TOKEN"
    """Environment variable that holds the session token of temporary keys that may delete."""

    # Records
    formats: str = ""
    """YAML file of formats of your own, empty means none."""
    record_format: Literal["auto", "json", "otlp_proto"] = "auto"
    """What the bytes of a record are: auto tells by themselves, json, otlp_proto."""

    # 02_produce
    num_log_events: int = Field(200, ge=0)
    """Events that 02_produce generates."""
    seed: int = Field(0, ge=0)
    """Texts of the generated events, the same for the same seed, 0 means others in every run."""
    events_per_second: float = Field(0, ge=0)
    """Pace of sending, 0 means as fast as possible."""
    malformed_share: float = Field(0.0, ge=0, le=1)
    """Share of the events that is broken on purpose, 0 to 1."""
    input_path: str = ""
    """File of real logs to send, empty means generated events."""
    shift_to_now: bool = False
    """Move the file's times so that the newest is now."""

    # 03_stream
    streaming_mode: Literal["available_now", "live"] = "available_now"
    """Available_now reads what is there and ends, live polls for a while."""
    streaming_duration_seconds: int = Field(25, ge=0)
    """How long live polls, 0 means until a signal ends it."""
    trigger_seconds: float = Field(5, gt=0)
    """Seconds from batch to batch in live mode."""
    max_offsets_per_trigger: int = Field(500_000, ge=1)
    """Most records of one batch."""
    bulk_max_bytes: int = Field(8 * 1024 * 1024, ge=1024)
    """Largest bulk request in bytes."""
    bulk_max_documents: int = Field(5_000, ge=1)
    """Most documents of one bulk request."""
    retry_deadline_seconds: float = Field(300, gt=0)
    """Seconds for which a busy OpenSearch is tried again."""
    retry_cap_seconds: float = Field(60, gt=0)
    """Longest pause between two attempts in seconds."""
    max_refused_share: float = Field(0.05, ge=0, le=1)
    """Share of documents that the mapping may refuse before the stream ends between two batches."""
    checkpoint_dir: Annotated[str, AfterValidator(_folder_or_s3)] = ""
    """Folder or s3://bucket/folder of the stream's checkpoint, empty means one under data_dir."""
    metrics_port: int = Field(0, ge=0, le=65535)
    """Port for Prometheus metrics on 127.0.0.1, 0 means none."""
    spark_master: str = "local[2]"
    """Where Spark runs."""
    spark_driver_memory: Annotated[str, Field(pattern=r"^\d+[mg]$")] = "2g"
    """Memory of Spark's driver."""

    # 06_chaos
    chaos_scenarios: str = "kill-archive-ahead,opensearch-killed,checkpoint-deleted"
    """Scenarios of chaos by name, with commas, or all."""
    chaos_seed: int = 7
    """Seed of chaos, the same chooses the same events and random moments."""

    # 07_operate
    snapshot_days: float = Field(1, ge=0)
    """Days that snapshots of the tables are kept."""
    remove_orphans: bool = False
    """Whether maintenance deletes old files that no snapshot knows."""
    orphan_hours: int = Field(72, ge=24)
    """Hours after which a file that no snapshot knows is of no batch in flight, at least 24."""
    archive_years: int = Field(7, ge=1)
    """Years that the archive keeps an event day."""
    quarantine_years: int = Field(7, ge=1)
    """Years that the quarantine keeps a day."""
    legal_holds: str = ""
    """YAML file of legal holds, empty means none."""

    # 08_audit
    audit_at: Annotated[str, AfterValidator(_moment_in_utc)] = ""
    """Time that an audit asks about, ISO 8601, UTC, empty means now."""

    @classmethod
    def load(cls, files: Iterable[Path | str] = (), overrides: Mapping[str, Any] | None = None) -> "Settings":
        """Load settings from YAML files, then `overrides`.

        Later files override earlier ones. Raises SettingsError naming the file and the parameter that is unknown or
        impossible.
        """
        values: dict[str, Any] = {}
        for file in files:
            values |= read_params(Path(file))
        return cls.from_values(values | dict(overrides or {}))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Settings":
        """Parse settings from a mapping.

        Strings are parsed. Raises SettingsError with every problem found.
        """
        refuse_unknown(values, "parameters")
        try:
            return cls(**values)._with_local_authority()
        except ValidationError as error:
            problems = [f"  {e['loc'][0]}: {e['msg']}{_got(e)}" for e in error.errors()]
            raise SettingsError("Impossible parameters:\n" + "\n".join(problems)) from None

    @classmethod
    def from_notebook(cls, namespace: Mapping[str, Any]) -> "Settings":
        """Take settings from a notebook's globals.

        Defaults, `params/base.yaml`, the environment's file (or `params_file` in its place), then what the notebook
        says: injected variables, and those that somebody changed in the parameters cell. Papermill only warns about
        names that it does not know; here they are refused. Raises SettingsError.
        """
        injected = _injected_names(namespace.get("In", []))
        refuse_unknown(injected - {PARAMS_FILE}, "injected parameters")
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        given = {
            name: namespace[name]
            for name, default in defaults.items()
            if name in namespace and (name in injected or namespace[name] != default)
        }
        file = namespace.get(PARAMS_FILE)
        settings = cls.load(params_files(file or given.get("environment", defaults["environment"])), given)
        named = settings.environment if not file or settings._has_values_of_its_name() else _beside_the_project(file)
        invocation.choose(f" --env {shlex.quote(named)}")
        return settings

    def _has_values_of_its_name(self) -> bool:
        """Return whether the environment's name gives the same parameters."""
        try:
            return not self.differing(type(self).load(params_files(self.environment)))
        except SettingsError:
            return False

    def differing(self, other: "Settings") -> set[str]:
        """Return parameters that have another value in `other`.

        Those of a single run do not count.
        """
        theirs = other.parameters()
        places = {"data_dir"} if self.data_path != other.data_path else set()
        return places | {
            name for name, value in self.parameters().items() if name not in _OF_A_RUN and value != theirs[name]
        }

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
        """Folder of this run, `interactive` without a run id."""
        return self.runs_path / (self.run_id or "interactive")

    @property
    def checkpoint_path(self) -> Path:
        """Folder of Spark's checkpoint, absolute.

        One per environment, topic and table.
        """
        if self.checkpoint_dir and not self.checkpoint_url:
            return Path(self.checkpoint_dir).resolve()
        return self.data_path / "checkpoints" / f"{self.kafka_topic}--{self.database_name}.{self.iceberg_table}"

    @property
    def checkpoint_url(self) -> str:
        """Address `s3://…` of a stored checkpoint, else empty."""
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
        """Prefix of rehydrated days.

        They match the template, and so are behind the alias.
        """
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
        """Address of OpenSearch, without credentials.

        Those of several nodes are separated by commas.
        """
        scheme = "https" if self.opensearch_tls else "http"
        return ",".join(f"{scheme}://{host}:{self.opensearch_port}" for host in self.opensearch_hosts)

    @property
    def nessie_root(self) -> str:
        """Address of the Nessie server without its API path."""
        return self.nessie_uri.split("/api/", 1)[0]

    @property
    def credentials_file(self) -> Path:
        """File of the local servers' keys, readable by its owner."""
        return self.data_path / "credentials.json"

    @property
    def servers_file(self) -> Path:
        """File of the local servers' processes and addresses."""
        return self.data_path / "servers.json"

    @property
    def logs_path(self) -> Path:
        """Folder of the local servers' logs."""
        return self.data_path / "logs"

    @property
    def secured_servers(self) -> list[str]:
        """Names of the servers that are spoken to with TLS."""
        kafka = {"kafka"} if self.kafka_security_protocol != "PLAINTEXT" else set()
        addresses = {"opensearch": self.opensearch_url, "nessie": self.nessie_uri, "s3": self.s3_endpoint}
        addresses["trino"] = self.trino_uri
        return sorted(kafka | {name for name, address in addresses.items() if address.startswith("https:")})

    @property
    def tls_path(self) -> Path:
        """Folder of the local servers' certificates."""
        return self.data_path / "tls"

    def _with_local_authority(self) -> "Settings":
        """Return settings that trust the authority of their local servers.

        An authority that they name wins.
        """
        names = [f"{server}_ca_file" for server in self.secured_servers if self.servers == "local"]
        return self.model_copy(
            update={name: str(self.tls_path / "ca.pem") for name in names if not getattr(self, name)}
        )

    def secret(self, parameter: str) -> str | None:
        """Return the secret that `parameter` names, or None.

        The environment variable of that name holds it, or with `_FILE` at its end the path of a file that does; the
        secrets of local servers, made by their first start, are in the credentials file otherwise. Raises SettingsError
        if the file cannot be read.
        """
        variable = getattr(self, parameter)
        if value := os.environ.get(variable):
            return value
        if file := os.environ.get(f"{variable}_FILE"):
            return _content(file, f"{variable}_FILE")
        keys, twin = self._local_keys(), _of_keeper(parameter)
        return keys.get(twin if getattr(self, twin, "") == variable else parameter)

    def as_keeper(self) -> "Settings":
        """Return these settings with the identities that may delete.

        For retention, repair, rescue, rehydration and maintenance; an identity that has none of its own stays the same.
        """
        names = [name for names in _IDENTITIES if self.secret(_of_keeper(names[0])) for name in names]
        return self.model_copy(update={name: getattr(self, _of_keeper(name)) for name in names})

    def _local_keys(self) -> dict[str, str]:
        if self.servers != "local" or not self.credentials_file.is_file():
            return {}
        keys = json.loads(self.credentials_file.read_text(encoding="utf-8"))
        return {name if name in Settings.model_fields else f"s3_{name}_env": key for name, key in keys.items()}

    def parameters(self) -> dict[str, Any]:
        """Return all values as plain YAML and JSON types.

        They suit papermill and `report.json`.
        """
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Secret:
    """Secret of a parameter `…_env`, read at each use.

    `variable` is the environment variable that the parameter names; the text itself is kept nowhere. `read` returns and
    raises what `Settings.secret` does.
    """

    parameter: str
    variable: str
    read: Callable[[], str | None] = field(repr=False, compare=False)

    @classmethod
    def of(cls, settings: Settings, parameter: str) -> "Secret":
        """Return the secret of one of the settings' parameters."""
        return cls(parameter, getattr(settings, parameter), partial(settings.secret, parameter))


_IDENTITIES = (
    ("opensearch_user_env", "opensearch_password_env"),
    ("s3_access_key_env", "s3_secret_key_env", "s3_session_token_env"),
)


def _of_keeper(name: str) -> str:
    leg, _, rest = name.partition("_")
    return f"{leg}_keeper_{rest}"


PATHS = (
    "data_dir", "runs_dir", "input_path", "checkpoint_dir", "legal_holds", "formats",
    "kafka_ca_file", "kafka_cert_file", "kafka_key_file",
    "opensearch_ca_file", "opensearch_cert_file", "opensearch_key_file",
    "nessie_ca_file", "s3_ca_file", "trino_ca_file",
)  # fmt: skip
"""Parameters that name a file or folder."""


def _got(problem: Any) -> str:
    """Return what was given, unless it may be a secret.

    Somebody pasted one where the name of its variable belongs.
    """
    name, given = str(problem["loc"][0]), problem["input"]
    secret = name.endswith("_env") or name == "kafka_options" or "@" in str(given)
    return "" if secret else f" (got {given!r})"


def _content(file: str, variable: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(f"Cannot read the secret's file {file}, which {variable} names: {reason}.") from None


def is_url(place: str) -> bool:
    """Return whether a path is none of a file system."""
    return "://" in place


def anchored(place: str, folder: Path) -> str:
    """Make a path absolute, seen from `folder`.

    A URL, or nothing, stays as it is.
    """
    return str((folder / place).resolve()) if place and not is_url(place) else place


def project_root(start: Path | None = None) -> Path:
    """Return the nearest folder upwards with `params/base.yaml`.

    Upwards of `start`; without one `start` itself. Without `start`: upwards of the current folder, then of this
    package, which in a checkout is the checkout.
    """
    places = [start.resolve()] if start else [Path.cwd(), Path(__file__).resolve()]
    folders = (folder for place in places for folder in (place, *place.parents))
    return next((folder for folder in folders if (folder / "params" / "base.yaml").is_file()), places[0])


def _beside_the_project(file: str) -> str:
    """Return a file as commands in the project name it."""
    root, place = project_root(), Path(file).resolve()
    return str(place.relative_to(root) if place.is_relative_to(root) else place)


def params_files(environment: str) -> list[Path]:
    """Return `base.yaml` and the file of an environment.

    It is given by name (`local`) or by path. Raises SettingsError listing the known names.
    """
    folder = project_root() / "params"
    named = folder / f"{environment}.yaml"
    chosen = named if named.is_file() else Path(environment)
    if not chosen.is_file():
        known = ", ".join(sorted(f.stem for f in folder.glob("*.yaml") if f.stem != "base"))
        names = f"one of {known}, or " if known else ""
        raise SettingsError(f"No environment {environment!r}: give {names}the path of a params file.")
    base = folder / "base.yaml"
    return [base, chosen] if base.is_file() else [chosen]


def read_params(file: Path) -> dict[str, Any]:
    """Read one params file as a mapping.

    Raises SettingsError naming the file.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"Cannot read params file {file}: {error}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"Params file {file} must hold `name: value` lines.")
    refuse_unknown(values, str(file))
    return values


def refuse_unknown(names: Iterable[str], where: str) -> None:
    """Raise SettingsError for unknown names, with the nearest known."""
    known = Settings.model_fields
    unknown = [name for name in names if name not in known]
    if unknown:
        hints = {name: difflib.get_close_matches(str(name), known, n=1) for name in unknown}
        lines = [f"  {name}" + (f" (did you mean {hint[0]}?)" if hint else "") for name, hint in hints.items()]
        raise SettingsError(f"Unknown parameters in {where}:\n" + "\n".join(lines))


def _injected_names(cells: Iterable[str]) -> set[str]:
    """Return names assigned in papermill's injected cell.

    Papermill marks the cell with the comment `# Parameters`.
    """
    injected = [cell for cell in cells if cell.startswith("# Parameters\n")]
    statements = [s for cell in injected for s in ast.parse(cell).body if isinstance(s, ast.Assign)]
    return {target.id for s in statements for target in s.targets if isinstance(target, ast.Name)}
