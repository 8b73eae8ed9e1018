"""Keys, passwords, tokens and certificates of the local servers: made once, private, and replaced in time."""

import json
import ssl
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from dualsink.settings import Settings
from dualsink_workbench.servers import certificates, credentials, issuer

SECURED = {
    "kafka_security_protocol": "SASL_SSL",
    "opensearch_tls": True,
    "nessie_uri": "https://127.0.0.1:19120/api/v2",
    "s3_endpoint": "https://127.0.0.1:8333",
}


@pytest.fixture
def secured(tmp_path: Path) -> Settings:
    settings = Settings.from_values(SECURED | {"data_dir": str(tmp_path / "data")})
    credentials.ensure(settings)
    return settings


def test_plain_servers_get_keys_of_s3_and_nothing_else(tmp_path):
    settings = Settings.from_values({"data_dir": str(tmp_path)})
    credentials.ensure(settings)
    assert json.loads(settings.credentials_file.read_text()).keys() == {"access_key", "secret_key"}
    assert not settings.tls_path.exists()
    assert settings.kafka_ca_file == settings.s3_ca_file == ""


def test_secured_servers_get_an_identity_for_each_leg(secured):
    assert (secured.secret("kafka_user_env"), secured.secret("opensearch_user_env")) == ("admin", "stream")
    assert secured.as_keeper().secret("opensearch_user_env") == "keeper"
    assert secured.secret("kafka_password_env") == credentials.users(secured, "kafka")["admin"]
    assert secured.secret("nessie_token_env") == credentials.users(secured, "nessie")["admin"]
    passwords = [
        each for server in ("kafka", "opensearch", "s3") for each in credentials.users(secured, server).values()
    ]
    assert len(passwords) == len(set(passwords)) and min(map(len, passwords)) >= 32


def test_files_with_secrets_are_their_owners_alone(secured):
    files = [secured.credentials_file, *secured.tls_path.glob("*.key"), *secured.tls_path.glob("*-both.pem")]
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
    assert secured.tls_path.stat().st_mode & 0o777 == 0o700


def test_what_is_there_stays(secured):
    before = {file.name: file.read_bytes() for file in [secured.credentials_file, *secured.tls_path.iterdir()]}
    credentials.ensure(secured)
    assert {file.name: file.read_bytes() for file in [secured.credentials_file, *secured.tls_path.iterdir()]} == before


def test_a_plain_data_folder_that_is_secured_keeps_its_keys(tmp_path):
    credentials.ensure(Settings.from_values({"data_dir": str(tmp_path)}))
    settings = Settings.from_values(SECURED | {"data_dir": str(tmp_path)})
    before = json.loads(settings.credentials_file.read_text())
    credentials.ensure(settings)
    assert json.loads(settings.credentials_file.read_text()).items() >= before.items()


def test_the_authoritys_key_is_nowhere(secured):
    names = {file.stem for file in secured.tls_path.glob("*.key")}
    assert names == {"kafka", "opensearch", "nessie", "s3", "trino", "opensearch-admin", "tokens"}
    assert "PRIVATE" not in (secured.tls_path / "ca.pem").read_text()


def test_local_servers_are_trusted_by_their_own_authority_and_external_ones_by_the_systems(secured):
    found = [getattr(secured, f"{server}_ca_file") for server in ("kafka", "opensearch", "nessie", "s3")]
    assert found == [str(secured.tls_path / "ca.pem")] * 4
    assert ssl.create_default_context(cafile=secured.kafka_ca_file).get_ca_certs()
    assert Settings.from_values(SECURED | {"servers": "external"}).kafka_ca_file == ""
    assert Settings.from_values(SECURED | {"kafka_ca_file": "mine.pem"}).kafka_ca_file == "mine.pem"


def test_certificates_and_tokens_are_made_anew_before_they_expire(secured, monkeypatch):
    authority, token = (secured.tls_path / "ca.pem").read_bytes(), secured.secret("nessie_token_env")
    monkeypatch.setattr(issuer, "_SPARE", timedelta(days=31))
    credentials.ensure(secured)
    renewed = secured.secret("nessie_token_env")
    assert renewed != token and (secured.tls_path / "ca.pem").read_bytes() == authority
    monkeypatch.setattr(certificates, "_SPARE_DAYS", 398)
    credentials.ensure(secured)
    assert (secured.tls_path / "ca.pem").read_bytes() != authority
    monkeypatch.setattr(issuer, "_SPARE", timedelta(days=7))
    assert issuer.is_fresh(secured.secret("nessie_token_env"), secured.tls_path, "nessie")
    assert not issuer.is_fresh(renewed, secured.tls_path, "nessie")


def test_a_token_names_its_user_and_ends_after_thirty_days(secured):
    claims = jwt.decode(credentials.users(secured, "nessie")["stream"], options={"verify_signature": False})
    assert (claims["sub"], claims["aud"]) == ("stream", "nessie")
    assert claims["exp"] - claims["iat"] == timedelta(days=30).total_seconds()
