"""Security of storage and catalogue: the settings in each client's words."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from dualsink.errors import DeploymentError, SettingsError
from dualsink.iceberg import encryption, security, storage
from dualsink.iceberg.archive import Archive
from dualsink.iceberg.catalog import Nessie
from dualsink.iceberg.servers import Catalogue, Storage
from dualsink.iceberg.storage import Bucket
from dualsink.settings import Settings
from dualsink.spark import session

KEYS = {"ACCESS_KEY": "an id", "SECRET_KEY": "a secret key", "SESSION_TOKEN": "a session"}


def given(**values: object) -> Settings:
    return Settings.from_values({"servers": "external", "nessie_uri": "https://nessie/api/v2"} | values)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(f"DUALSINK_S3_{name}", value)


# -- storage ----------------------------------------------------------------------------------------


def test_keys_and_session_token_reach_every_client_of_the_storage(keys):
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    assert security.keys(Storage.of(given())) == dict(zip(names, KEYS.values(), strict=True))
    found = security.pyiceberg(Storage.of(given()))
    assert [found[f"s3.{name}"] for name in ("access-key-id", "secret-access-key", "session-token")] == [*KEYS.values()]
    assert session.jvm_keys(Storage.of(given()))["AWS_SESSION_TOKEN"] == "a session"


def test_without_keys_each_client_looks_for_a_role_itself(monkeypatch):
    for name in KEYS:
        monkeypatch.delenv(f"DUALSINK_S3_{name}", raising=False)
    assert security.keys(Storage.of(given())) == session.jvm_keys(Storage.of(given())) == {}
    assert not [name for name in security.pyiceberg(Storage.of(given())) if "key" in name or "token" in name]


def test_a_profile_of_aws_has_the_keys_where_no_variable_holds_them(monkeypatch, tmp_path):
    for name in KEYS:
        monkeypatch.delenv(f"DUALSINK_S3_{name}", raising=False)
    (tmp_path / "credentials").write_text("[logs]\naws_access_key_id = mine\naws_secret_access_key = hidden\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    settings = given(s3_profile="logs")
    client = storage.client(Storage.of(settings))
    assert client._request_signer._credentials.access_key == "mine"
    assert security.pyiceberg(Storage.of(settings))["s3.secret-access-key"] == "hidden"
    assert session.jvm_keys(Storage.of(settings)) == {"AWS_PROFILE": "logs"}


def test_no_secret_is_in_the_catalogues_settings_that_a_command_line_shows(keys, monkeypatch):
    monkeypatch.setenv("DUALSINK_NESSIE_TOKEN", "a bearer token")
    shown = str(session.catalog(Archive.of(given(s3_sse="aws:kms", s3_kms_key="a key"))))
    assert not [secret for secret in (*KEYS.values(), "a bearer token") if secret in shown]
    assert "'spark.sql.catalog.lakehouse.s3.sse.type': 'kms'" in shown
    assert session.identity(Archive.of(given()))["spark.sql.catalog.lakehouse.authentication.token"] == "a bearer token"


def test_what_boto3_puts_is_encrypted_as_asked(moto_storage):
    encrypted = moto_storage.model_copy(update={"s3_sse": "aws:kms", "s3_kms_key": "logs"})
    client = storage.client(Storage.of(encrypted))
    client.put_object(Bucket=encrypted.s3_bucket, Key="checkpoint", Body=b"")
    head = client.head_object(Bucket=encrypted.s3_bucket, Key="checkpoint")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "logs")


def test_the_bucket_encrypts_what_arrow_writes(moto_storage):
    bucket = Bucket.of(moto_storage)
    first = encryption.ensure(bucket, "aws:kms", "logs")
    assert (first, encryption.ensure(bucket, "aws:kms", "logs")) == ("created", "exists")
    with storage.file_system(Storage.of(moto_storage)).open_output_stream(f"{bucket.name}/rows.parquet") as stream:
        stream.write(b"rows")
    assert bucket.client.head_object(Bucket=bucket.name, Key="rows.parquet")["ServerSideEncryption"] == "aws:kms"
    assert encryption.ensure(bucket, "AES256") == "updated"


# -- catalogue --------------------------------------------------------------------------------------


def test_a_token_of_the_catalogue_is_read_at_every_request(monkeypatch, tmp_path):
    file = tmp_path / "token"
    monkeypatch.setenv("DUALSINK_NESSIE_TOKEN_FILE", str(file))
    for token in ("first", "second"):
        file.write_text(token)
        assert security.http(Catalogue.of(given()))["headers"] == {"Authorization": f"Bearer {token}"}


def test_a_client_of_oauth_is_sparks_and_pythons_alike(monkeypatch):
    monkeypatch.setenv("DUALSINK_NESSIE_CLIENT_ID", "client")
    monkeypatch.setenv("DUALSINK_NESSIE_CLIENT_SECRET", "hidden")
    settings = given(nessie_oauth_url="https://login.example/token", nessie_scope="catalog")
    found = security.nessie_properties(Catalogue.of(settings))
    assert found["authentication.type"] == "OAUTH2"
    named = {name.rpartition(".")[2]: value for name, value in found.items()}
    assert (named["client-id"], named["client-secret"], named["client-scopes"]) == ("client", "hidden", "catalog")
    assert "hidden" not in repr(security._source(Catalogue.of(settings)))


@pytest.fixture
def refusing() -> Iterator[Callable[[int], str]]:
    """A server that answers every request with one status: its address by status."""
    with ExitStack() as stack:

        def start(status: int) -> str:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
                    self.send_error(status)

                def log_message(self, *_: object) -> None:
                    pass

            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}/api/v2"

        yield start


@pytest.mark.parametrize("status", [401, 403])
def test_a_catalogue_that_turns_us_away_is_told_with_the_variable(refusing, status):
    settings = given(nessie_uri=refusing(status))
    with pytest.raises(DeploymentError, match=rf"/api/v2 refuses us \({status}\): set .* nessie_token_env names"):
        Nessie.of(Archive.of(settings)).table()


def test_https_to_a_catalogue_with_plain_text_is_told(refusing):
    settings = given(nessie_uri=refusing(200).replace("http:", "https:"))
    with pytest.raises(DeploymentError, match="The catalogue at 127.0.0.1:[0-9]+: it speaks no TLS; see nessie_uri"):
        Nessie.of(Archive.of(settings)).table()


def test_a_token_does_not_travel_in_plain_text(monkeypatch):
    monkeypatch.setenv("DUALSINK_NESSIE_TOKEN", "a bearer token")
    for translate in (security.http, security.nessie_properties):
        with pytest.raises(SettingsError, match="nessie_uri with https:"):
            translate(Catalogue.of(given(nessie_uri="http://nessie:19120/api/v2")))
