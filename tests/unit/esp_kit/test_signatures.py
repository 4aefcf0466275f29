"""Was a request signed with a secret or key that the source holds? The vectors were made independently of this code."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from service.esp_kit.adapter import Accepted, Refused, SourceTrust, Verification, WebhookRequest
from service.esp_kit.proof import NO_SECRET, any_equal, header_bytes, refuse_age
from service.esp_kit.sign import (
    STANDARD_WEBHOOK,
    hex_of_body_signer,
    seconds_of,
    sign_standard_webhook,
    timestamped_hex_signer,
    token_triple,
)
from service.esp_kit.sign_keys import ecdsa_keys, rsa_keys, sign_ecdsa, sign_rsa
from service.esp_kit.verify_hmac import (
    standard_webhook_key,
    verify_embedded_md5,
    verify_hex_of_body,
    verify_standard_webhook,
    verify_timestamped_hex,
    verify_token,
    verify_url_and_form,
)
from service.esp_kit.verify_keys import public_key, verify_ecdsa, verify_rsa

NOW = datetime.fromtimestamp(1_760_000_000, UTC)
BODY = b'{"event":"test","n":1}'
A = "abf595458349df7fedf506417b99e92a86747bf0e2d07571aaa3345924b0d34b"
B = "84a3f71232551c9d86b3b2dbdf1593d5abe74556c67b0bf480de5f1ef9faa663"
C = "v1,epFKv2aKNXMPiO9CGL2OwYEYEg1JQpYr1Di2g+8ehog="
C_SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
D = "5770f2a78b51c13d4c9aa7121061ea63c50f986e4065e00638aad8f46f01fffd"
E = "AI7YqQJL5Ctgi603krIK+2xEziY="
F = "e938c25d72e0f49c6a9d4f3c2aef1548"
TOKEN = "a" * 50
CHANCE = bytes(range(32))


def request(headers: dict[str, str] | None = None, body: bytes = BODY) -> WebhookRequest:
    return WebhookRequest(method="POST", url="https://hooks.example.com/x", headers=headers or {}, query="", body=body)


def trust(*secrets: str) -> SourceTrust:
    return SourceTrust(secrets=secrets)


def standard(headers: dict[str, str], *secrets: str, now: datetime = NOW) -> Verification:
    given = {"webhook-id": "msg_1", "webhook-timestamp": "1760000000", "webhook-signature": C, **headers}
    return verify_standard_webhook(request(given), trust(*secrets), now)


def token(signatures: list[str], *secrets: str, now: datetime = NOW) -> Verification:
    return verify_token("1760000000", TOKEN, signatures, trust(*secrets), now, past=timedelta(hours=26))


def url_and_form(signature: str, *secrets: str, form: tuple[tuple[str, str], ...] = (("mandrill_events", "[]"),)) -> Verification:
    url = "https://hooks.example.com/mandrill"
    return verify_url_and_form(request({"x-s": signature}), trust(*secrets), url=url, form=form, header="x-s")


def embedded(digest: str, *secrets: str) -> Verification:
    return verify_embedded_md5(request(body=b'{"auth":"%s","events_by_user":[]}' % digest.encode()), trust(*secrets))


def hex_of_body(signature: str, *secrets: str) -> Verification:
    return verify_hex_of_body(request({"x-s": signature}), trust(*secrets), header="x-s")


def timestamped(signature: str, *secrets: str, now: datetime = NOW) -> Verification:
    return verify_timestamped_hex(request({"x-s": signature}), trust(*secrets), now, header="x-s")


@pytest.mark.parametrize(
    "verification",
    [
        hex_of_body(A, "other", "s3cret"),
        hex_of_body(A.upper(), "s3cret", "other"),
        timestamped(f"t=1760000000,v1={B}", "s3cret"),
        timestamped(f"v1=00, t=1760000000, v1={B}", "other", "s3cret"),
        standard({}, C_SECRET),
        standard({"webhook-signature": f"v1a,xx v1,AAAA {C}"}, STANDARD_WEBHOOK.make_keys(CHANCE).private, C_SECRET),
        token([D], "s3cret"),
        token(["00", D], "other", "s3cret"),
        url_and_form(E, "other", "s3cret"),
        embedded(F, "other", "APIKEY"),
        embedded(F.upper(), "APIKEY"),
    ],
)
def test_vector_is_accepted_by_any_of_the_secrets(verification: Verification) -> None:
    assert verification == Accepted()


@pytest.mark.parametrize(
    "verification",
    [
        hex_of_body(A, "wrong"),
        hex_of_body("", "s3cret"),
        hex_of_body("\udc80", "s3cret"),
        timestamped(f"t=1760000001,v1={B}", "s3cret"),
        timestamped("t=1760000000", "s3cret"),
        timestamped("", "s3cret"),
        timestamped(f"t=1760000000,v1={B}", "wrong"),
        timestamped(f"t=1760000000,v1={B}", "s3cret", now=NOW + timedelta(minutes=6)),
        timestamped(f"t=1760000000,v1={B}", "s3cret", now=NOW - timedelta(minutes=6)),
        standard({"webhook-id": "msg_2"}, C_SECRET),
        standard({"webhook-signature": C.removeprefix("v1,")}, C_SECRET),
        standard({"webhook-timestamp": "soon"}, C_SECRET),
        standard({}, C_SECRET, now=NOW + timedelta(minutes=6)),
        standard({}, "whsec_!"),
        verify_standard_webhook(request(), trust(C_SECRET), NOW),
        token([D], "wrong"),
        token([], "s3cret"),
        token([""], "s3cret"),
        token([D], "s3cret", now=NOW + timedelta(hours=27)),
        token([D], "s3cret", now=NOW - timedelta(hours=2)),
        url_and_form(E, "wrong"),
        url_and_form("", "s3cret"),
        url_and_form(E, "s3cret", form=(("mandrill_events", "[1]"),)),
        embedded(F, "wrong"),
        embedded("short", "APIKEY"),
    ],
)
def test_anything_else_is_refused(verification: Verification) -> None:
    assert isinstance(verification, Refused)


@pytest.mark.parametrize(
    "verification",
    [
        hex_of_body(A),
        hex_of_body(A, ""),
        timestamped(f"t=1760000000,v1={B}", ""),
        standard({}),
        standard({}, ""),
        token([D], ""),
        url_and_form(E),
        embedded(F, ""),
        verify_ecdsa(BODY, "AAAA", ()),
        verify_ecdsa(BODY, "AAAA", ("no key",)),
        verify_rsa(BODY, "AAAA", ecdsa_keys(CHANCE).trust.secrets),
    ],
)
def test_source_without_a_usable_secret_refuses(verification: Verification) -> None:
    assert verification == NO_SECRET


def test_signers_make_what_the_vectors_say() -> None:
    a = hex_of_body_signer("x-s")
    b = timestamped_hex_signer("x-s")
    keys = a.make_keys(CHANCE)
    assert verify_hex_of_body(a.sign(request(), keys, NOW), keys.trust, header="x-s") == Accepted()
    assert verify_timestamped_hex(b.sign(request(), keys, NOW), keys.trust, NOW, header="x-s") == Accepted()
    svix = sign_standard_webhook(request(), STANDARD_WEBHOOK.make_keys(CHANCE), NOW, prefix="svix")
    assert verify_standard_webhook(svix, STANDARD_WEBHOOK.make_keys(CHANCE).trust, NOW) == Accepted()
    triple = token_triple("s3cret", BODY, NOW)
    assert (triple["timestamp"], len(triple["token"])) == (seconds_of(NOW), 50)
    assert triple["token"] != token_triple("s3cret", b"other", NOW)["token"]


def test_ecdsa_signature_covers_every_byte() -> None:
    keys = ecdsa_keys(CHANCE)
    signature = sign_ecdsa(keys.private, BODY)
    assert verify_ecdsa(BODY, signature, ("other", *keys.trust.secrets)) == Accepted()
    assert verify_ecdsa(BODY + b"\r\n", signature, keys.trust.secrets) == Refused("the signature is wrong")
    assert isinstance(verify_ecdsa(BODY, "", keys.trust.secrets), Refused)
    assert isinstance(verify_ecdsa(BODY, "no base64 é", keys.trust.secrets), Refused)
    assert isinstance(verify_ecdsa(BODY, base64.b64encode(b"no DER").decode(), keys.trust.secrets), Refused)


def test_rsa_signature_covers_every_byte() -> None:
    keys = rsa_keys(CHANCE)
    signature = sign_rsa(keys.private, BODY)
    assert verify_rsa(BODY, signature, ("other", *keys.trust.secrets)) == Accepted()
    assert verify_rsa(BODY + b"\n", signature, keys.trust.secrets) == Refused("the signature is wrong")
    assert isinstance(verify_rsa(BODY, "", keys.trust.secrets), Refused)


def test_signing_takes_a_key_of_the_right_kind() -> None:
    with pytest.raises(TypeError):
        sign_ecdsa(rsa_keys(CHANCE).private, BODY)
    with pytest.raises(TypeError):
        sign_rsa(ecdsa_keys(CHANCE).private, BODY)


def test_public_key_is_read_from_pem_or_base64() -> None:
    written = ecdsa_keys(CHANCE).trust.secrets[0]
    pem = f"-----BEGIN PUBLIC KEY-----\n{written}\n-----END PUBLIC KEY-----\n"
    assert written.startswith("MFkwEwYH")
    assert public_key(pem) == public_key(written) == public_key(f" {written[:50]}\n{written[50:]} ")
    assert public_key("MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=") is None, "an Ed25519 key is no key of these families"


def test_standard_webhook_key_is_base64_with_or_without_prefix() -> None:
    assert standard_webhook_key(C_SECRET) == b"012345678901234567890123"
    assert standard_webhook_key("MDEy") == b"012"
    assert standard_webhook_key("") is None


def test_all_secrets_are_compared() -> None:
    secrets = iter((b"a", b"b", b"c"))
    assert any_equal(b"a", secrets)
    assert list(secrets) == []


def test_bounds_of_an_age_are_allowed() -> None:
    hour = timedelta(hours=1)
    assert refuse_age(NOW - hour, NOW, past=hour, future=hour) is None
    assert refuse_age(NOW + hour, NOW, past=hour, future=hour) is None


def test_header_is_compared_as_it_was_on_the_wire() -> None:
    assert header_bytes("é".encode().decode("latin-1")) == "é".encode()
    assert header_bytes("\N{SNOWMAN}") == "\N{SNOWMAN}".encode()
