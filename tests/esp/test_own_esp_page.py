"""Does the mapping file of docs/own-esp.md read the payload beside it, and does the page name all that a file may hold?"""

import re
from pathlib import Path

from service.esp_kit import mapping_file
from service.esp_kit.adapter import Accepted
from service.esp_kit.mapping import load_mapping
from service.model.words import EventKind, Phase, ReportedType
from tests.esp.cases import CHANCE, NOW, delivery_of, request_of, shown

PAGE = (Path(__file__).parents[2] / "docs" / "own-esp.md").read_text(encoding="utf-8")
PAYLOAD, FILE = (re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[0] for language in ("json", "toml"))
RELAY = load_mapping(FILE, "relay.toml")


def test_the_file_reads_the_payload() -> None:
    parsed = RELAY.parse(delivery_of(PAYLOAD.encode(), {}))
    assert (parsed.problems, parsed.unknown_kinds) == ((), ())
    assert [shown(event) for event in parsed.events] == [
        {
            "kind": "bounced",
            "esp": "relay",
            "recipient": "anna.berg@nordwerk.example",
            "occurred_at": "2026-01-05T08:02:03Z",
            "message_id": "71@relay.example",
            "esp_event_id": "71",
            "esp_event_type": "bounce",
            "reported_type": "hard",
            "esp_class": "user",
            "smtp_code": 550,
            "enhanced_status_code": "5.1.1",
            "diagnostic": "550 5.1.1 User unknown",
            "remote_host": "mx.nordwerk.example",
            "campaign": "2026-01",
            "tags": ["invoice"],
            "metadata": {"campaign": "2026-01"},
            "phase": "unknown",
        },
        *(
            {
                "kind": "delivered",
                "esp": "relay",
                "recipient": recipient,
                "occurred_at": "2026-01-05T08:02:04Z",
                "esp_event_id": "72",
                "esp_event_type": "ok",
                "remote_host": "mx.example.com",
                "campaign": "acme",
                "phase": "unknown",
            }
            for recipient in ("a@example.com", "b@example.com")
        ),
    ]


def test_the_file_verifies_its_signature() -> None:
    keys = RELAY.signer.make_keys(CHANCE)
    request = RELAY.signer.sign(request_of(PAYLOAD.encode(), {}), keys, NOW)
    assert request.headers["x-relay-signature"].startswith("sha256=")
    assert RELAY.verify(request, keys.trust, NOW) == Accepted()


def test_the_page_names_all_that_a_file_may_hold() -> None:
    words = {*re.findall(r"`\[?([\w.]+)\]?`", PAGE)}
    choices = (*mapping_file._FORMATS, *mapping_file._SIGNATURE_KEYS, *mapping_file._DIGESTS, *mapping_file._ENCODINGS)
    for known in (mapping_file._KEYS, mapping_file.FIELDS, mapping_file._KIND_KEYS, EventKind, ReportedType, Phase, choices):
        assert {str(word) for word in known} - words - {"kind"} == set()
