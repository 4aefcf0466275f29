"""Which inboxes can be configured, and what does a wrong one say?"""

from pathlib import Path

import pytest

from service.settings import SettingsError, load_settings

THREE = "nats://hopp:s3cret@one:4222,two:4222,three:4222/inbox"


@pytest.mark.parametrize(
    "url",
    [
        THREE,
        "nats://one",
        "nats://token@one:4222/",
        "nats://hopp:p%40ss%2F@10.0.0.1:4222,[::1]:4222",
        "nats://nats.example.com/hopp-2",
    ],
)
def test_an_inbox_in_nats_can_be_configured(tmp_path: Path, url: str) -> None:
    url = url.rstrip("/")
    assert load_settings({"HOPP_INBOX": url}, tmp_path).inbox == url


@pytest.mark.parametrize(
    "url",
    [
        "nats://",
        "nats://one,",
        "nats://one:port",
        "nats://one, two",
        "nats://hopp:s3cret/@one",
        "nats://hopp:s3cret@one@two",
        "nats://one/a.b",
        "nats://one/a/b",
    ],
)
def test_a_wrong_address_says_how_it_is_written_and_shows_no_secret(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="HOPP_INBOX: has to be written as nats://") as wrong:
        load_settings({"HOPP_INBOX": url}, tmp_path)
    assert "s3cret" not in str(wrong.value)


def test_the_main_database_is_never_in_nats(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HOPP_DATABASE"):
        load_settings({"HOPP_DATABASE": THREE}, tmp_path)


@pytest.mark.parametrize(
    ("variables", "replicas"),
    [
        ({"HOPP_INBOX": THREE}, 3),
        ({"HOPP_INBOX": "nats://one,two"}, 1),
        ({"HOPP_INBOX": "nats://balanced.example.com", "HOPP_INBOX_REPLICAS": "3"}, 3),
        ({"HOPP_INBOX": THREE, "HOPP_INBOX_REPLICAS": "1"}, 1),
        ({}, 1),
    ],
)
def test_three_servers_keep_three_replicas_unless_told_otherwise(tmp_path: Path, variables: dict[str, str], replicas: int) -> None:
    assert load_settings(variables, tmp_path).inbox_replicas == replicas


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"HOPP_INBOX": THREE, "HOPP_INBOX_REPLICAS": "6"}, "at most 5"),
        ({"HOPP_INBOX": THREE, "HOPP_INBOX_REPLICAS": "0"}, "at least 1"),
        ({"HOPP_INBOX_REPLICAS": "3"}, "only an inbox in NATS"),
    ],
)
def test_a_wrong_number_of_replicas_stops_the_start(tmp_path: Path, variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=f"HOPP_INBOX_REPLICAS.*{message}"):
        load_settings(variables, tmp_path)


def test_an_inbox_in_nats_has_several_web_processes(tmp_path: Path) -> None:
    settings = load_settings({"HOPP_INBOX": THREE}, tmp_path)
    assert (settings.web_processes, settings.web_threads, settings.is_embedded) == (2, 32, False)
