"""Security of Kafka: options of kafka-python and Java's clients.

PEM serves both: what Java's clients need travels as text in memory, so that Spark's executors find it on any machine
and no key store is made.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError
from kafka.net.sasl.oauth import AbstractTokenProvider

from dualsink import invocation
from dualsink.errors import DeploymentError, DualsinkError, ServiceUnavailable, SettingsError
from dualsink.kafka.brokers import Brokers
from dualsink.tls import Leg
from dualsink.tokens import TokenSource

_LOGIN = "org.apache.kafka.common.security"
_MODULES = {
    "SCRAM-SHA-512": f"{_LOGIN}.scram.ScramLoginModule",
    "PLAIN": f"{_LOGIN}.plain.PlainLoginModule",
    "OAUTHBEARER": f"{_LOGIN}.oauthbearer.OAuthBearerLoginModule",
}
_PORT = 9092
_CLIENTS = (KafkaAdminClient, KafkaConsumer, KafkaProducer)
_REFUSALS = (SaslAuthenticationFailedError, UnsupportedSaslMechanismError)
ALLOWED_TOKEN_URLS = "org.apache.kafka.sasl.oauthbearer.allowed.urls"
"""System property without which Java's clients ask no endpoint of tokens."""


def client_options(brokers: Brokers) -> dict[str, Any]:
    """Return options of kafka-python's clients: address, TLS, user.

    Secrets are read at this call. Raises SettingsError if a user, password or file is missing.
    """
    options: dict[str, Any] = {"bootstrap_servers": brokers.address}
    if brokers.protocol == "PLAINTEXT":
        return options | _shared(brokers)
    files = {"ssl_cafile": "ca", "ssl_certfile": "cert", "ssl_keyfile": "key"}
    options |= {name: str(_file(brokers, kind)) for name, kind in files.items() if _file(brokers, kind)}
    options["security_protocol"] = brokers.protocol
    return options | _client_login(brokers) | _shared(brokers)


def java_options(brokers: Brokers) -> dict[str, str]:
    """Return options of Java's clients, under their own names.

    Keep them in memory: they hold secrets. Raises as `client_options` does.
    """
    options = {"bootstrap.servers": brokers.address}
    if brokers.protocol != "PLAINTEXT":
        options |= {"security.protocol": brokers.protocol, **_java_stores(brokers)}
        options |= _java_login(brokers)
    return {**options, **brokers.options}


def spark_options(brokers: Brokers) -> dict[str, str]:
    """Return the same as options of Spark's source and sink."""
    return {f"kafka.{name}": value for name, value in java_options(brokers).items()}


@contextmanager
def opening(brokers: Brokers) -> Iterator[None]:
    """Translate the failure of a client opened in the block.

    Raises what `explained` returns.
    """
    log, reason = logging.getLogger("kafka.net.manager"), _Reason()
    level = log.level
    log.addFilter(reason)
    log.setLevel(logging.WARNING)
    try:
        yield
    except KafkaError as error:
        raise explained(brokers, reason.found or error) from None
    finally:
        log.setLevel(level)
        log.removeFilter(reason)


class _Reason(logging.Filter):
    """Reason for which a client does not get in.

    kafka-python says it in its log alone: to its caller it is a timeout. Nobody else hears of it where Kafka's log is
    muted, as the command line does.
    """

    found: Exception | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        for each in record.args or ():
            if isinstance(each, (*_REFUSALS, DualsinkError)):
                self.found = each
        return logging.getLogger("kafka").isEnabledFor(record.levelno)


def explained(brokers: Brokers, error: Exception) -> DualsinkError:
    """Return cause and remedy of a client's failure, one line.

    DeploymentError if the broker turns us away or TLS fails, ServiceUnavailable if it is silent.
    """
    if isinstance(error, DualsinkError):
        return error
    address = brokers.address
    if isinstance(error, _REFUSALS):
        return DeploymentError(
            f"Kafka at {address} refuses the user ({brokers.mechanism}): check the variables that "
            f"{brokers.user.parameter} and {brokers.password.parameter} name, and kafka_sasl_mechanism."
        )
    if failure := _leg(brokers).failure(error):
        return failure
    return ServiceUnavailable(
        f"No Kafka broker answers at {address} ({type(error).__name__}). "
        f"Start it (`{invocation.command('up')}` for the local one) or set kafka_bootstrap_servers."
    )


def _leg(brokers: Brokers) -> Leg:
    first = urlsplit(f"//{brokers.address.split(',')[0].strip().rpartition('://')[2]}")
    return Leg(
        "Kafka",
        f"{first.hostname}:{first.port or _PORT}",
        brokers.protocol != "PLAINTEXT",
        "kafka_security_protocol",
        "kafka_ca_file",
        *(brokers.ca_file, brokers.cert_file, brokers.key_file),
    )


def _shared(brokers: Brokers) -> dict[str, str]:
    """Return those further options that kafka-python has too."""
    named = {name.replace(".", "_"): value for name, value in brokers.options.items()}
    known = [
        name for name in named if all(isinstance(each.DEFAULT_CONFIG.get(name, 0), str | None) for each in _CLIENTS)
    ]
    return {name: named[name] for name in known}


# -- secrets ----------------------------------------------------------------------------------------


def _login(brokers: Brokers) -> tuple[str, str]:
    """Return user and password, or a client's id and secret."""
    user, password = brokers.user.read(), brokers.password.read()
    if user and password:
        return user, password
    missing = [each for each, value in ((brokers.user, user), (brokers.password, password)) if not value]
    raise SettingsError(
        f"Kafka with {brokers.protocol} needs {' and '.join(each.parameter for each in missing)}: set "
        f"{' and '.join(each.variable for each in missing)}."
    )


def _client_login(brokers: Brokers) -> dict[str, Any]:
    mechanism = brokers.mechanism
    if brokers.protocol == "SSL":
        return {}
    if mechanism == "OAUTHBEARER":
        return {"sasl_mechanism": mechanism, "sasl_oauth_token_provider": _Tokens(brokers)}
    if mechanism not in _MODULES:
        return {"sasl_mechanism": mechanism}
    user, password = _login(brokers)
    return {"sasl_mechanism": mechanism, "sasl_plain_username": user, "sasl_plain_password": password}


class _Tokens(AbstractTokenProvider):
    """Provider of tokens for kafka-python."""

    def __init__(self, brokers: Brokers):
        _login(brokers)
        self._source = TokenSource("Kafka", brokers.token_url, lambda: _login(brokers), brokers.scope, brokers.ca_file)

    def token(self) -> str:
        """Return a token that lives."""
        return self._source.token()


def _java_login(brokers: Brokers) -> dict[str, str]:
    mechanism = brokers.mechanism
    if brokers.protocol == "SSL" or mechanism not in _MODULES:
        return {}
    names = ("clientId", "clientSecret") if mechanism == "OAUTHBEARER" else ("username", "password")
    fields = dict(zip(names, _login(brokers), strict=True))
    options = {"sasl.mechanism": mechanism}
    if mechanism == "OAUTHBEARER":
        # The endpoint of tokens is asked over a connection of its own, whose trust is told here or is the JVM's.
        fields |= ({"scope": brokers.scope} if brokers.scope else {}) | _java_trust(brokers)
        options["sasl.login.callback.handler.class"] = f"{_LOGIN}.oauthbearer.OAuthBearerLoginCallbackHandler"
        options["sasl.oauthbearer.token.endpoint.url"] = brokers.token_url
    line = " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())
    return options | {"sasl.jaas.config": f"{_MODULES[mechanism]} required {line};"}


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


# -- files ------------------------------------------------------------------------------------------


def _java_stores(brokers: Brokers) -> dict[str, str]:
    options = _java_trust(brokers)
    certificate, key = _file(brokers, "cert"), _file(brokers, "key")
    if certificate:
        chain, private = certificate.read_text("utf-8"), (key or certificate).read_text("utf-8")
        stores = {"certificate.chain": chain, "key": private}
        options |= {"ssl.keystore.type": "PEM", **{f"ssl.keystore.{name}": text for name, text in stores.items()}}
    return options


def _java_trust(brokers: Brokers) -> dict[str, str]:
    ca = _file(brokers, "ca")
    return {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": ca.read_text("utf-8")} if ca else {}


def _file(brokers: Brokers, kind: str) -> Path | None:
    name = f"kafka_{kind}_file"
    place = getattr(brokers, f"{kind}_file")
    if place and not Path(place).is_file():
        raise SettingsError(f"{name}: there is no file {place}.")
    return Path(place) if place else None
