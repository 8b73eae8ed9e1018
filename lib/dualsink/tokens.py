"""OAuth2 client credentials: tokens, renewed before they expire."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import urllib3

from dualsink import tls
from dualsink.errors import DeploymentError, ServiceUnavailable

_MARGIN = 30
"""Seconds before its end at which a token is replaced."""


@dataclass
class TokenSource:
    """Source of tokens for one client; safe for threads.

    `client` returns id and secret and is asked at every request, so that a new secret needs no restart. `leg` names
    whom the token is for in messages.
    """

    leg: str
    url: str
    client: Callable[[], tuple[str | None, str | None]] = field(repr=False)
    scope: str = ""
    ca_file: str = ""
    _token: str = field(default="", init=False, repr=False)
    _end: float = field(default=0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def token(self) -> str:
        """Return a token that lives.

        Raises ServiceUnavailable if the endpoint does not answer, DeploymentError if it refuses.
        """
        with self._lock:
            if time.monotonic() >= self._end:
                answer = self._ask()
                self._token = answer["access_token"]
                self._end = time.monotonic() + float(answer.get("expires_in", 300)) - _MARGIN
            return self._token

    def _ask(self) -> dict:
        user, secret = self.client()
        trusted = tls.context()
        if self.ca_file:
            trusted.load_verify_locations(self.ca_file)
        fields = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {})
        headers = urllib3.make_headers(basic_auth=f"{user or ''}:{secret or ''}")
        try:
            with urllib3.PoolManager(ssl_context=trusted, timeout=10, retries=False) as pool:
                answer = pool.request("POST", self.url, fields=fields, headers=headers, encode_multipart=False)
        except urllib3.exceptions.HTTPError as error:
            raise ServiceUnavailable(
                f"{self.leg}: the endpoint of tokens {self.url} does not answer: {type(error).__name__}."
            ) from None
        if answer.status != 200:
            raise DeploymentError(
                f"{self.leg}: the endpoint of tokens {self.url} gives none ({answer.status}): check the client's id, "
                "its secret and the scope."
            )
        return json.loads(answer.data)
