"""PyIceberg's file access to a storage of a private authority."""

from urllib.parse import urlsplit

from pyarrow.fs import FileSystem, S3FileSystem
from pyiceberg.io.pyarrow import PyArrowFileIO

from dualsink.iceberg.security import CA_PROPERTY


class TrustingFileIO(PyArrowFileIO):
    """PyIceberg's storage of Arrow that trusts an authority of ours."""

    def _initialize_s3_fs(self, netloc: str | None) -> FileSystem:
        def property_of(name: str) -> str | None:
            return self.properties.get(f"s3.{name}")

        address = urlsplit(self.properties["s3.endpoint"])
        return S3FileSystem(
            scheme=address.scheme,
            endpoint_override=address.netloc,
            region=property_of("region"),
            access_key=property_of("access-key-id"),
            secret_key=property_of("secret-access-key"),
            session_token=property_of("session-token"),
            tls_ca_file_path=self.properties[CA_PROPERTY],
            connect_timeout=float(self.properties["s3.connect-timeout"]),
        )
