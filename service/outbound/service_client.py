"""How does a command talk to a running Hopp? Plain requests to one address; nothing is followed and nothing tried again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError

from service.model.errors import RemoteUnavailableError

_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        """True for a 2xx."""
        return self.status in _SUCCESS


class ServiceClient:
    """Speaks to the service at one address and keeps its connection open."""

    def __init__(self, base_url: str, *, timeout_seconds: float = 15.0) -> None:
        self.base_url = base_url.rstrip("/")
        self._pool = urllib3.PoolManager(timeout=timeout_seconds, retries=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None) -> Answer:
        """GET a path below the address; raises RemoteUnavailableError where nothing answers."""
        return self._send("GET", path, headers=headers, query=query)

    def post(self, path: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST these bytes as they are; raises RemoteUnavailableError where nothing answers."""
        return self._send("POST", path, body=body, headers=headers)

    def _send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        try:
            answer = self._pool.request(
                method, f"{self.base_url}{path}", body=body, headers=headers, fields=query, redirect=False, decode_content=True
            )
        except NewConnectionError as error:
            message = f"Nothing answers at {self.base_url}. Start it in another terminal: make run"
            raise RemoteUnavailableError(message) from error
        except HTTPError as error:
            message = f"{self.base_url} gives no whole answer ({type(error).__name__}). Is it overloaded, or no Hopp? Its log says why."
            raise RemoteUnavailableError(message) from error
        return Answer(status=answer.status, body=answer.data)
