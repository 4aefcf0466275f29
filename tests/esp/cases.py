"""Which payloads are there for each ESP, and how are they asked about?

They are the samples that come with Hopp (`service/esp/samples`): `expected` is what parsing has to give, events with the keys of `parse`
that are not null, problems as parts of their texts.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from service.cli.samples.load import Sample, load_samples
from service.esp import adapters
from service.esp_kit.adapter import Adapter, SigningKeys, WebhookRequest
from service.esp_kit.printing import event_as_dict
from service.model.events import Delivery, Event, Parsed

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CHANCE = bytes(range(32))
OTHER_CHANCE = bytes(range(1, 33))


def delivery_of(body: bytes, headers: Mapping[str, str]) -> Delivery:
    """The body as it would wait in the inbox."""
    return Delivery(id="0" * 32, source="s", received_at=NOW, body=body, content_type=headers.get("content-type", ""), headers=headers)


def request_of(body: bytes, headers: Mapping[str, str]) -> WebhookRequest:
    """The body as the web would get it."""
    return WebhookRequest(method="POST", url="https://hooks.example.com/webhooks/s", headers=headers, query="", body=body)


@cache
def keys_of(adapter: Adapter, chance: bytes = CHANCE) -> SigningKeys:
    """Made once, for an RSA pair takes its time."""
    return adapter.signer.make_keys(chance)


def signed(case: Sample, age: timedelta = timedelta()) -> WebhookRequest:
    """The payload as its ESP would have posted it at that age."""
    adapter = adapters()[case.esp]
    return adapter.signer.sign(request_of(case.body, case.headers), keys_of(adapter), NOW - age)


def one_case(adapter: Adapter) -> Sample:
    """A payload of the ESP with an address in it, so that a change to it matters."""
    return next(case for case in CASES if case.esp == adapter.name and b".example" in case.body)


def shown(event: Event) -> dict[str, object]:
    """The event's keys that are not null."""
    return {key: value for key, value in event_as_dict(event).items() if value is not None}


def shown_all(parsed: Parsed) -> dict[str, object]:
    """All that was read, without what is empty."""
    found: dict[str, object] = {
        "events": [shown(event) for event in parsed.events],
        "problems": [problem.error for problem in parsed.problems],
        "unknown_kinds": list(parsed.unknown_kinds),
        "acts": [act.url for act in parsed.acts],
        "proof": parsed.proof.token if parsed.proof else None,
    }
    return {key: value for key, value in found.items() if value or key == "events"}


ADAPTERS = list(adapters().values())
CASES = [sample for adapter in ADAPTERS for sample in load_samples(adapter.name)]
