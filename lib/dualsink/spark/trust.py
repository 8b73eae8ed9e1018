"""Trust of Spark's JVM: public authorities and the archive's."""

import warnings
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore
from cryptography.utils import CryptographyDeprecationWarning

from dualsink.errors import SettingsError
from dualsink.files import write_atomically
from dualsink.iceberg.archive import Archive


def java_options(archive: Archive, folder: Path) -> tuple[str, ...]:
    """Return the options by which a JVM trusts the authorities.

    Those of catalogue and storage, as Kafka's travel with its options. Empty if there are none. Writes the store, which
    holds no secret, into `folder`. Raises SettingsError naming a file that cannot be used.
    """
    files = {"nessie_ca_file": archive.catalogue.ca_file, "s3_ca_file": archive.storage.ca_file}
    named = {name: file for name, file in files.items() if file}
    if not named:
        return ()
    trusted = [each for name, file in named.items() for each in _certificates(name, Path(file))]
    trusted += _public()
    store = folder / "trust.p12"
    entries = [PKCS12Certificate(each, f"authority-{n}".encode()) for n, each in enumerate(dict.fromkeys(trusted))]
    write_atomically(store, serialize_java_truststore(entries, NoEncryption()))
    return (f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStoreType=PKCS12")


def _public() -> list[x509.Certificate]:
    with warnings.catch_warnings():
        # Some of them are older than today's rules.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes())


def _certificates(name: str, file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{name}: {file} holds no certificate in PEM ({error}).") from None
