"""TLS of every leg, and the causes of failed handshakes."""

import socket
import ssl
from dataclasses import dataclass

from dualsink.errors import DeploymentError, DualsinkError, ServiceUnavailable, SettingsError

TIMEOUT = 5
"""Seconds for each step of a handshake that looks for a cause."""


@dataclass(frozen=True)
class Cause:
    """Cause of a failed connection, with its remedy.

    `silent` means that nobody answered.
    """

    text: str
    remedy: str
    silent: bool = False


_CAUSES = {
    9: Cause("its certificate is not valid yet", "compare the clocks"),
    10: Cause("its certificate has expired", "renew it there"),
    18: Cause("its certificate is self-signed", "set {ca_file} to it if it is meant"),
    62: Cause("its certificate is for another name", "use a name that is in it, or have it issued for this one"),
    64: Cause("its certificate is for another address", "use a name that is in it, or have it issued for this one"),
}
_UNKNOWN = Cause("its certificate is from an authority that is not trusted", "set {ca_file} to that authority")


@dataclass(frozen=True)
class Leg:
    """Way to one server, as the settings have it.

    `ca_parameter` and `switch` are the parameters to name in a message: the authority's file, and what decides on TLS.
    `address` is `host:port`.
    """

    name: str
    address: str
    tls: bool
    switch: str
    ca_parameter: str
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def objection(self) -> str:
        """Return cause and remedy of a failed connection.

        In one line; empty if a connection succeeds. Takes a few seconds at most.
        """
        cause = self._cause()
        return self._line(cause) if cause else ""

    def failure(self, client_error: Exception | None = None) -> DualsinkError | None:
        """Return the objection as an error, None without one.

        It ends in the name of the client's own error. ServiceUnavailable if nobody answers, else DeploymentError.
        """
        cause = self._cause()
        if not cause:
            return None
        kind = ServiceUnavailable if cause.silent else DeploymentError
        return kind(self._line(cause) + (f" ({type(client_error).__name__})" if client_error else ""))

    def _line(self, cause: Cause) -> str:
        return f"{self.name} at {self.address}: {cause.text}; {cause.remedy.format(ca_file=self.ca_parameter)}."

    def _cause(self) -> Cause | None:
        host, _, port = self.address.rpartition(":")
        host = host.strip("[]")
        try:
            with socket.create_connection((host, int(port)), TIMEOUT) as plain:
                return self._handshake(plain, host) if self.tls else self._unencrypted(plain)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                return Cause("no answer of the name service", "try again", silent=True)
            return Cause("the name is unknown", "correct the address")
        except ConnectionRefusedError:
            return Cause("nothing listens there", "start it or correct the address", silent=True)
        except TimeoutError:
            return _silence(f"within {TIMEOUT} s")
        except OSError as error:
            return _silence(f"({error.strerror or type(error).__name__})")

    def _handshake(self, plain: socket.socket, host: str) -> Cause | None:
        trusted = context(self.ca_file, self.cert_file, self.key_file)
        try:
            with trusted.wrap_socket(plain, server_hostname=host) as secure:
                return self._admission(secure)
        except ssl.SSLCertVerificationError as error:
            return _CAUSES.get(error.verify_code, _UNKNOWN)
        except ssl.SSLError as error:
            if "ALERT" in (error.reason or ""):
                return _refused(error)
            return Cause("it speaks no TLS", f"see {self.switch}")
        except TimeoutError:
            return Cause(
                f"no answer to TLS within {TIMEOUT} s", f"look at the server, and at {self.switch}", silent=True
            )
        except (ConnectionResetError, BrokenPipeError):
            return Cause("it speaks no TLS", f"see {self.switch}")

    def _admission(self, secure: ssl.SSLSocket) -> Cause | None:
        """Wait for the alert that refuses a client.

        In TLS 1.3 it comes only after the handshake.
        """
        secure.settimeout(0.5)
        try:
            secure.recv(1)
        except TimeoutError:
            return None
        except ssl.SSLError as error:
            return _refused(error)
        return None

    def _unencrypted(self, plain: socket.socket) -> Cause | None:
        unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        encrypted = Cause("it speaks TLS alone", f"see {self.switch}")
        try:
            with unverified.wrap_socket(plain):
                return encrypted
        except OSError as error:
            return encrypted if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "") else None


def _silence(how: str) -> Cause:
    return Cause(f"no answer {how}", "look at the server and the network between", silent=True)


def context(ca_file: str = "", cert_file: str = "", key_file: str = "") -> ssl.SSLContext:
    """Return a context that verifies certificate and host name.

    By the system's authorities, or with `ca_file` by those in it alone; the other two are this client's. Raises
    SettingsError naming a file that cannot be used.
    """
    found = ssl.create_default_context()
    if ca_file:
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(found.load_verify_locations, ca_file)
    if cert_file:
        _load(found.load_cert_chain, cert_file, key_file or None)
    return found


def _load(load, *files: str | None) -> None:
    try:
        load(*files)
    except OSError as error:
        names = " and ".join(filter(None, files))
        raise SettingsError(f"Cannot use {names}: {error.strerror or error}. Certificates and keys are PEM.") from None


def _refused(error: ssl.SSLError) -> Cause:
    reason = (error.reason or "").rpartition("ALERT_")[2].replace("_", " ").lower()
    return Cause(
        f"it turns this client's certificate away ({reason})", "set certificate and key of this client to ones it knows"
    )
