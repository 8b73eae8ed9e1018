"""Brokers of Kafka: address, trust, identity."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from dualsink.settings import Secret, Settings


@dataclass(frozen=True)
class Brokers:
    """Brokers: address, trust, and whose requests they are.

    `address` is `host:port`, with commas between several; `protocol` is PLAINTEXT, SSL or SASL_SSL. The files are PEM,
    empty means none. `user` and `password` are id and secret of the client where `mechanism` is OAUTHBEARER and
    `token_url` gives the tokens. `options` are further ones, under Kafka's own names.
    """

    address: str
    protocol: str
    mechanism: str
    ca_file: str
    cert_file: str
    key_file: str
    user: Secret
    password: Secret
    token_url: str
    scope: str
    options: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings) -> "Brokers":
        """Return the brokers of the settings."""
        options = json.loads(settings.kafka_options or "{}")
        mechanism = options.get("sasl.mechanism", settings.kafka_sasl_mechanism)
        names = ("client_id", "client_secret") if mechanism == "OAUTHBEARER" else ("user", "password")
        user, password = (Secret.of(settings, f"kafka_{name}_env") for name in names)
        return cls(
            settings.kafka_bootstrap_servers,
            settings.kafka_security_protocol,
            mechanism,
            settings.kafka_ca_file,
            settings.kafka_cert_file,
            settings.kafka_key_file,
            user,
            password,
            settings.kafka_token_url,
            settings.kafka_scope,
            options,
        )
