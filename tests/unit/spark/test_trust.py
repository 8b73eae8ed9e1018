"""The trust store of Spark's JVM, read by a JVM."""

import subprocess

import pytest
from tests.support.secured import Certificates

from dualsink.errors import SettingsError
from dualsink.iceberg.archive import Archive
from dualsink.settings import Settings
from dualsink.spark import java, trust


def test_a_jvm_trusts_public_authorities_and_the_settings(tmp_path):
    certificates = Certificates.make(tmp_path / "tls")
    settings = Settings.from_values({"nessie_ca_file": str(certificates.ca), "s3_ca_file": str(certificates.ca)})
    options = trust.java_options(Archive.of(settings), tmp_path)
    program = tmp_path / "Trusted.java"
    program.write_text(
        """
        import javax.net.ssl.*;
        public class Trusted {
            public static void main(String[] arguments) throws Exception {
                var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
                factory.init((java.security.KeyStore) null);
                for (var each : ((X509TrustManager) factory.getTrustManagers()[0]).getAcceptedIssuers())
                    System.out.println(each.getSubjectX500Principal());
            }
        }
        """
    )
    command = [java.find(java.SPARK).executable, *options, program]
    names = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert len(names) > 100 and sum("trustme" in name for name in names) == 1


def test_without_an_authority_the_jvm_keeps_its_own(tmp_path):
    assert trust.java_options(Archive.of(Settings()), tmp_path) == ()


def test_a_file_without_certificates_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    settings = Settings.from_values({"s3_ca_file": str(tmp_path / "ca.pem")})
    with pytest.raises(SettingsError, match="s3_ca_file: .*ca.pem holds no certificate"):
        trust.java_options(Archive.of(settings), tmp_path)
