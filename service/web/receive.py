"""What came in for a source, does it prove where it comes from, and is it kept before it is answered?

Nothing is parsed here. The way of a post: find the source, read the body, verify it over the raw bytes, append it to the
inbox, and only then answer 2xx.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache, partial
from http import HTTPStatus
from time import perf_counter
from typing import Any

import structlog
from flask import Flask, Response, request

from service.bootstrap import Hopp
from service.esp_kit.adapter import Accepted, Handshake, NeedsCertificate, Refused, Verification, WebhookRequest
from service.model.errors import BodyTooLargeError, HoppError, InboxUnavailableError, RemoteUnavailableError
from service.model.events import Delivery
from service.telemetry.metrics import WebMetrics
from service.web.answers import Answer, refusal
from service.web.bodies import BrokenBodyError, UnknownEncodingError, read_body
from service.web.delivery_ids import delivery_id
from service.web.doors import Door, open_doors
from service.web.plain import PlainHead
from service.web.problems import RETRY_SECONDS
from service.web.refusals import Refusals

log = structlog.get_logger()
ENDPOINT = "receive"
PREFIX = "/webhooks/"
_METHODS = ("POST", "GET", "HEAD", "OPTIONS")
_UNKNOWN = "unknown"
_CONTENT_TYPE_LENGTH = 200
_NAME_LENGTH = 100
_RETRY = {"Retry-After": str(RETRY_SECONDS)}
_BODY_STATUS: Mapping[type[HoppError], tuple[int, str]] = {
    BodyTooLargeError: (413, "too_large"),
    BrokenBodyError: (400, "unreadable"),
    UnknownEncodingError: (415, "unreadable"),
}


def register_receiver(app: Flask, receiver: "Receiver") -> None:
    """Open `/webhooks/<source>`."""

    def receive(source: str) -> Response:
        answer = receiver.receive(source, request.environ)
        return Response(answer.body, answer.status, headers=dict(answer.headers), content_type=answer.content_type or None)

    app.add_url_rule(f"{PREFIX}<source>", ENDPOINT, receive, methods=list(_METHODS), provide_automatic_options=False, strict_slashes=False)


class Receiver:
    """Answers ESPs. Holds nothing that changes between two requests."""

    def __init__(self, hopp: Hopp, metrics: WebMetrics, refusals: Refusals) -> None:
        self._hopp = hopp
        self._metrics = metrics
        self._refusals = refusals
        self._doors = open_doors(hopp, metrics)

    @property
    def sources(self) -> Iterable[str]:
        """The names of all sources."""
        return self._doors

    def receive(self, source: str, environ: Mapping[str, Any]) -> Answer:
        """One request to a source's address."""
        door = self._doors.get(source)
        if door is None:
            return self._answer_unknown(source, environ)
        method = environ["REQUEST_METHOD"]
        if method != "POST" and method not in door.adapter.methods:
            return refusal(405, {"Allow": ", ".join(dict.fromkeys(("POST", *door.adapter.methods)))})
        try:
            return self._receive(door, method, environ)
        except Exception:  # whatever it was, the ESP may come back with it
            log.exception("webhook_failed", source=source)
            return self._answer_unavailable(door)

    def _answer_unknown(self, source: str, environ: Mapping[str, Any]) -> Answer:
        self._metrics.webhooks.labels(_UNKNOWN, "unknown_source").inc()
        meant = get_close_matches(source[:_NAME_LENGTH], self._doors, n=1)
        log.warning("webhook_unknown_source", source=source[:_NAME_LENGTH], meant=meant[0] if meant else "", remote=_remote(environ))
        return refusal(404)

    def _receive(self, door: Door, method: str, environ: Mapping[str, Any]) -> Answer:
        started = perf_counter()
        try:
            asked = self._read(door, environ)
        except HoppError as error:
            return self._answer_unread(door, error)
        if method != "POST":
            probed = self._answer_probe(door, asked)
            if probed is not None:
                return probed
        return self._take_in(door, asked, started, _remote(environ))

    def _read(self, door: Door, environ: Mapping[str, Any]) -> WebhookRequest:
        query = environ.get("QUERY_STRING", "")
        headers = {_header_name(name): value for name, value in environ.items() if name.startswith("HTTP_")}
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        return WebhookRequest(
            method=environ["REQUEST_METHOD"],
            url=door.asked_url(query),
            headers=headers,
            query=query,
            body=read_body(environ, self._hopp.settings.body_limit_bytes),
        )

    def _answer_unread(self, door: Door, error: HoppError) -> Answer:
        status, outcome = _BODY_STATUS[type(error)]
        self._metrics.webhooks.labels(door.source.name, outcome).inc()
        log.warning("webhook_unread", source=door.source.name, status=status, reason=str(error))
        return refusal(status)

    def _answer_probe(self, door: Door, asked: WebhookRequest) -> Answer | None:
        """What an ESP asks before it posts; None where a GET is itself the event."""
        handshake = self._handshake(door, asked)
        if handshake is not None:
            return handshake
        if asked.method == "OPTIONS":
            return Answer(status=204, headers={"Allow": ", ".join(door.adapter.methods)})
        return Answer(status=200) if asked.method == "HEAD" else None

    def _handshake(self, door: Door, asked: WebhookRequest) -> Answer | None:
        if door.adapter.handshake is None:
            return None
        try:
            found = door.adapter.handshake(asked, door.trust)
            answer = None if found is None else _shake(found)
        except Exception as error:  # noqa: BLE001 - no input may end in a 5xx, whatever an adapter does with it
            log.warning("adapter_failed", source=door.source.name, step="handshake", error=type(error).__name__)
            return None
        if answer is None:
            return None
        self._metrics.webhooks.labels(door.source.name, "handshake").inc()
        log.info("webhook_handshake", source=door.source.name, method=asked.method, status=answer.status)
        return answer

    def _take_in(self, door: Door, asked: WebhookRequest, started: float, remote: str) -> Answer:
        received_at = self._hopp.now()
        try:
            verification = self._verify(door, asked, received_at)
        except RemoteUnavailableError as error:
            log.warning("certificate_unavailable", source=door.source.name, reason=str(error))
            return self._answer_unavailable(door)
        found = self._admit(door, asked, verification, received_at, remote)
        if isinstance(found, Answer):
            return found
        return self._answer_settled(door, found, self._keep(found), len(asked.body), started)

    def _keep(self, delivery: Delivery) -> Exception | None:
        try:
            self._hopp.inbox.append(delivery)
        except Exception as error:  # noqa: BLE001 - whatever it is becomes an answer
            return error
        return None

    def begin(self, source: str, head: PlainHead, body: bytes, remote: str, answered: Callable[[Answer], None]) -> bool:
        """A plain post, without waiting for anything; False where that is not possible, and nothing was done.

        `answered` is called once, from any thread and maybe at once.
        """
        started, door = perf_counter(), self._doors[source]
        if len(body) > self._hopp.settings.body_limit_bytes:
            return False
        try:
            asked = WebhookRequest(method="POST", url=door.asked_url(head.query), headers=head.headers, query=head.query, body=body)
            received_at = self._hopp.now()
            verification = _verified(door, asked, received_at)
            if isinstance(verification, NeedsCertificate):
                return False
            found = self._admit(door, asked, verification, received_at, remote)
            if not isinstance(found, Answer):
                self._hopp.inbox.begin(found, partial(self._settle, answered, door, found, len(body), started))
                return True
        except Exception:  # as in `receive`
            log.exception("webhook_failed", source=source)
            found = self._answer_unavailable(door)
        answered(found)
        return True

    def _settle(
        self, answered: Callable[[Answer], None], door: Door, delivery: Delivery, size: int, started: float, error: Exception | None
    ) -> None:
        """Answer, whatever goes wrong: nobody else would."""
        try:
            answer = self._answer_settled(door, delivery, error, size, started)
        except Exception:  # as in `receive`
            log.exception("webhook_failed", source=door.source.name)
            answer = self._answer_unavailable(door)
        answered(answer)

    def _admit(
        self, door: Door, asked: WebhookRequest, verification: Accepted | Refused, received_at: datetime, remote: str
    ) -> Answer | Delivery:
        """What has to be kept of a post; its answer where that is nothing."""
        if isinstance(verification, Refused):
            return self._refuse(door, asked, verification, remote)
        handshake = self._handshake(door, asked) if asked.method == "POST" else None
        if handshake is not None:
            return handshake
        return Delivery(
            id=delivery_id(received_at),
            source=door.source.name,
            esp=door.adapter.name,
            received_at=received_at,
            body=door.kept_body(asked.body),
            content_type=asked.headers["content-type"][:_CONTENT_TYPE_LENGTH],
            headers=door.kept_headers(asked.headers),
            query=door.kept_query(asked.query),
        )

    def _answer_settled(self, door: Door, delivery: Delivery, error: Exception | None, size: int, started: float) -> Answer:
        """What an ESP hears once its post is kept, or is not."""
        if error is None:
            door.accepted.inc()
            door.accepted_bytes.inc(size)
            self._metrics.webhook_seconds.observe(perf_counter() - started)
            return Answer(status=door.adapter.answers.accepted, body=f'{{"id":"{delivery.id}"}}\n', content_type="application/json")
        if isinstance(error, BodyTooLargeError):
            return self._answer_unread(door, error)
        if isinstance(error, InboxUnavailableError):
            log.warning("inbox_unavailable", source=door.source.name, reason=str(error))
        else:
            log.error("webhook_failed", source=door.source.name, exc_info=error)
        return self._answer_unavailable(door)

    def _verify(self, door: Door, asked: WebhookRequest, now: datetime) -> Accepted | Refused:
        """Verify, fetching a certificate at most once; raises RemoteUnavailableError where it cannot be had."""
        found = _verified(door, asked, now)
        if isinstance(found, NeedsCertificate):
            pem = self._hopp.certificates.load(found.url)
            found = _verified(replace(door, trust=replace(door.trust, certificates={found.url: pem})), asked, now)
        if isinstance(found, NeedsCertificate):
            raise RemoteUnavailableError("The adapter asks for a certificate that it was given.")
        return found

    def _refuse(self, door: Door, asked: WebhookRequest, refused: Refused, remote: str) -> Answer:
        self._metrics.webhooks.labels(door.source.name, "refused").inc()
        self._metrics.count_refused(door.source.name, refused.reason)
        self._refusals.count(door.source.name, is_challenged=refused.challenge is not None and "authorization" not in asked.headers)
        log.warning("webhook_refused", source=door.source.name, esp=door.adapter.name, reason=refused.reason, remote=remote)
        status = door.adapter.answers.refused
        if refused.challenge is None:
            return refusal(status)
        # Only a 401 makes a sender come back with its credentials (RFC 9110, section 15.5.2); SNS waits for it.
        return refusal(401 if status == HTTPStatus.FORBIDDEN else status, {"WWW-Authenticate": refused.challenge})

    def _answer_unavailable(self, door: Door) -> Answer:
        self._metrics.webhooks.labels(door.source.name, "unavailable").inc()
        return refusal(door.adapter.answers.unavailable, _RETRY)


def _remote(environ: Mapping[str, Any]) -> str:
    """The IP address of who asks; of the proxy, where one stands between."""
    return str(environ.get("REMOTE_ADDR", ""))


def _verified(door: Door, asked: WebhookRequest, now: datetime) -> Verification:
    try:
        return door.adapter.verify(asked, door.trust, now)
    except Exception as error:  # noqa: BLE001 - no input may end in a 5xx, whatever an adapter does with it
        log.warning("adapter_failed", source=door.source.name, step="verify", error=type(error).__name__)
        return Refused("the adapter failed")


def _shake(handshake: Handshake) -> Answer:
    """What the adapter says; raises ValueError where a header would say more than one line, or what cannot be written."""
    for value in (*handshake.headers.values(), handshake.content_type):
        if not value.isprintable():
            raise ValueError("A header of the answer holds a control character.")
        value.encode("latin-1")
    handshake.body.encode()
    return Answer(status=handshake.status, body=handshake.body, content_type=handshake.content_type, headers=dict(handshake.headers))


@lru_cache(maxsize=1_000)
def _header_name(variable: str) -> str:
    """The name that a header has on the wire, in lower case."""
    return variable.removeprefix("HTTP_").replace("_", "-").lower()
