"""Is a wrong mapping file refused with its place, the fault and the mend?"""

import pytest

from service.esp_kit.mapping_file import MappingError, read_mapping

GOOD = """
name = "relay"
events = "batch[]"
[fields]
esp_event_type = "what"
recipient = ["rcpt[]", "to"]
[kinds]
ok = "delivered"
note = "other"
"""


def test_the_file_that_is_spoilt_here_is_a_good_one() -> None:
    mapping = read_mapping(GOOD, "relay.toml")
    assert (mapping.name, mapping.title, mapping.format, list(mapping.kinds)) == ("relay", "relay", "json", ["ok", "note"])


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('name = "relay"', 'name = "Relay!"', "name is 'Relay!'"),
        ('name = "relay"', "name = 3", "name is no text"),
        ('name = "relay"', "", "name is missing"),
        ('name = "relay"', "name = ", "is not valid TOML"),
        ('events = "batch[]"', 'events = ["a", "b"]', "events has to be one path"),
        ('events = "batch[]"', 'events = "$.batch"', "events has to be one path"),
        ('events = "batch[]"', 'events = "a..b"', "events holds a wrong path"),
        ('events = "batch[]"', "events = []", "events is no path"),
        ('events = "batch[]"', 'events = "batch"\nformat = "lines"', "events does not go with"),
        ('events = "batch[]"', 'format = "xml"', "format is 'xml'"),
        ('events = "batch[]"', 'evnts = "batch"', "evnts is not known here"),
        ('recipient = ["rcpt[]", "to"]', "", "[fields] recipient is missing"),
        ('recipient = ["rcpt[]", "to"]', 'recipient = ["to", 3]', "[fields] recipient is no path"),
        ('recipient = ["rcpt[]", "to"]', 'recipient = "to"\nemail = "to"', "[fields] email is not known here"),
        ("[fields]", "fields = 3\n[other]", "other is not known here"),
        ("[fields]\n", "[x.fields]\n", "x is not known here"),
        ('ok = "delivered"', 'ok = "arrived"', "[kinds] ok: kind is 'arrived'"),
        ('ok = "delivered"', "ok = 3", "[kinds] ok says no kind"),
        ('ok = "delivered"', 'ok = { reported_type = "hard" }', "[kinds] ok says no kind"),
        ('ok = "delivered"', 'ok = { kind = "bounced", reported_type = "solid" }', "[kinds] ok: reported_type is 'solid'"),
        ('ok = "delivered"', 'ok = { kind = "bounced", phase = 3 }', "[kinds] ok: phase is 3"),
        ('ok = "delivered"', 'ok = { kind = "bounced", suppressed_by_esp = 1 }', "[kinds] ok: suppressed_by_esp is 1"),
        ('ok = "delivered"', 'ok = { kind = "bounced", hard = true }', "[kinds] ok: hard is not known here"),
        ('note = "other"', "[signature]", "[signature] scheme is missing"),
        ('note = "other"', '[signature]\nscheme = "md5"', "[signature] scheme is 'md5'"),
        ('note = "other"', '[signature]\nscheme = "hmac"', "[signature] header is missing"),
        ('note = "other"', '[signature]\nscheme = "hmac"\nheader = "X: y"', "[signature] header is 'X: y'"),
        ('note = "other"', '[signature]\nscheme = "hmac"\nheader = "X"\ndigest = "md5"', "[signature] digest is 'md5'"),
        ('note = "other"', '[signature]\nscheme = "timestamped"\nheader = "X"\ndigest = "sha1"', "digest is not known here"),
        ('note = "other"', "[answers]\nrefused = 500", "[answers] refused is 500"),
        ('note = "other"', "[answers]\nunavailable = true", "[answers] unavailable is True"),
        ('note = "other"', "[answers]\naccepted = 204", "[answers] accepted is not known here"),
    ],
)
def test_a_wrong_file_names_itself_the_place_and_the_mend(old: str, new: str, place: str) -> None:
    assert old in GOOD
    with pytest.raises(MappingError) as caught:
        read_mapping(GOOD.replace(old, new), "relay.toml")
    message = str(caught.value)
    assert message.startswith("relay.toml: ")
    assert place in message
    assert message.endswith((".", '"', "}", "]"))


@pytest.mark.parametrize("text", ["", "[kinds]\n", 'name = "relay"\n[fields]\nrecipient = "a"\nesp_event_type = "b"\n[kinds]\n'])
def test_a_file_that_lacks_what_is_needed_is_refused(text: str) -> None:
    with pytest.raises(MappingError, match=r"is missing|is empty"):
        read_mapping(text, "relay.toml")


def test_tables_have_to_be_tables() -> None:
    with pytest.raises(MappingError, match=r"\[kinds\] is no table"):
        read_mapping('name = "relay"\nkinds = 3\n[fields]\nrecipient = "a"\nesp_event_type = "b"\n', "relay.toml")
