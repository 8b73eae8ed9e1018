"""Kafka with TLS, users, and the rights of each.

Clients speak SASL_SSL; the broker and its controller know each other by their certificate.
"""

from collections.abc import Iterator, Mapping

from kafka.admin import ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePattern, ResourceType

from dualsink.settings import Settings
from dualsink_workbench.servers import certificates
from dualsink_workbench.servers.server import LOOPBACK

MECHANISM = "SCRAM-SHA-512"
_GROUPS = {"stream": "spark-kafka-", "reader": "dualsink-"}
"""Prefix of the consumer groups of those who read."""


def properties(settings: Settings, ports: Mapping[str, int], port: int) -> dict[str, object]:
    """Return the broker's properties that make it secure."""
    place = settings.tls_path
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    listeners = {"SASL_SSL": port, "INTERNAL": ports["internal"], "CONTROLLER": ports["controller"]}
    named = {name: f"{name}://{LOOPBACK}:{number}" for name, number in listeners.items()}
    return {
        "listeners": ",".join(named.values()),
        "advertised.listeners": ",".join(named[name] for name in ("SASL_SSL", "INTERNAL")),
        "listener.security.protocol.map": "CONTROLLER:SSL,INTERNAL:SSL,SASL_SSL:SASL_SSL",
        "inter.broker.listener.name": "INTERNAL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": place / "kafka-both.pem",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": place / certificates.AUTHORITY,
        "listener.name.internal.ssl.client.auth": "required",
        "listener.name.controller.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": MECHANISM,
        f"listener.name.sasl_ssl.{MECHANISM.lower()}.sasl.jaas.config": login,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:admin;User:{certificates.subject('kafka')}",
    }


def formatting(users: Mapping[str, str]) -> Iterator[str]:
    """Yield the arguments that create users with the storage."""
    for user, password in users.items():
        yield from ("--add-scram", f"{MECHANISM}=[name={user},password={password}]")


def rights(settings: Settings) -> list[ACL]:
    """Return who may do what with the topic.

    The administrator may do everything; nobody else may do what is not named here.
    """
    topic = ResourcePattern(ResourceType.TOPIC, settings.kafka_topic)
    found = [_may("producer", operation, topic) for operation in (ACLOperation.WRITE, ACLOperation.DESCRIBE)]
    for user, prefix in _GROUPS.items():
        group = ResourcePattern(ResourceType.GROUP, prefix, ACLResourcePatternType.PREFIXED)
        found += [_may(user, operation, topic) for operation in (ACLOperation.READ, ACLOperation.DESCRIBE)]
        found.append(_may(user, ACLOperation.READ, group))
    return found


def _may(user: str, operation: ACLOperation, pattern: ResourcePattern) -> ACL:
    return ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, pattern)
