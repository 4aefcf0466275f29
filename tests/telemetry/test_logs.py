"""Is a log line readable for people and machines, and free of addresses and credentials?"""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry.logs import configure_logs
from service.telemetry.redaction import mask, mask_value


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def _logged(log_format: str, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure_logs(log_format, level, stream)
    return stream


def test_json_has_event_fields_level_and_utc_time() -> None:
    stream = _logged("json")
    structlog.get_logger("service.web").warning("webhook_refused", source="pm", count=3)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["source"], line["count"], line["level"]) == ("webhook_refused", "pm", 3, "warning")
    assert line["timestamp"].endswith("Z")


def test_text_is_one_line_with_its_fields() -> None:
    stream = _logged("text")
    structlog.get_logger().warning("webhook_refused", source="pm")
    assert "webhook_refused" in stream.getvalue()
    assert "source=pm" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_what_is_below_the_level_is_not_written() -> None:
    stream = _logged("json", "warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    assert stream.getvalue() == ""


def test_configuring_twice_writes_once() -> None:
    _logged("json")
    stream = _logged("json")
    structlog.get_logger().warning("once")
    assert stream.getvalue().count("once") == 1


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_traceback_and_a_librarys_line_hold_no_address(log_format: str) -> None:
    stream = _logged(log_format)
    try:
        int("anna@steel.example")
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("for %s", "berta@steel.example")
    written = stream.getvalue()
    assert "anna" not in written
    assert "berta" not in written
    assert written.count("***@steel.example") >= 3
    assert "ValueError" in written


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to anna@steel.example now", "to ***@steel.example now"),
        ("ANNA%40steel.example", "***@steel.example"),
        ("<Änna.b+c@bücher.example>", "<***@bücher.example>"),
        ("a@b.example,c@d.example", "***@b.example,***@d.example"),
        ("postgresql://hopp:secret@db.example/hopp", "postgresql://***@db.example/hopp"),
        ("GET /webhooks/pm?token=s3cret&a=1", "GET /webhooks/pm?token=***&a=1"),
        ("/x?a=1&Secret=s3cret", "/x?a=1&Secret=***"),
        ("nothing here", "nothing here"),
    ],
)
def test_addresses_logins_and_tokens_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("name", ["authorization", "Cookie", "api_token", "client_secret", "password"])
def test_a_field_whose_name_says_secret_is_hidden(name: str) -> None:
    assert mask_value(name, "anything") == "***"


def test_values_inside_values_are_masked() -> None:
    fields = {"to": ["anna@steel.example", b"berta@steel.example"], "deep": {"carl@steel.example": 1, "token": "x"}, "n": None, "ok": True}
    assert mask_value("fields", fields) == {
        "to": ["***@steel.example", "***@steel.example"],
        "deep": {"***@steel.example": 1, "token": "***"},
        "n": None,
        "ok": True,
    }


@given(st.text(max_size=500))
def test_masking_ends_and_leaves_no_address(text: str) -> None:
    assert "anna@steel" not in mask(f"{text}anna@steel.example")


def test_masking_takes_linear_time_on_a_hostile_text() -> None:
    assert len(mask("a" * 200_000 + "@")) > 0
