"""What does a first start need that nobody has configured yet? A hopp.toml with four demo sources and keys that nobody else has."""

import os
import secrets
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.esp import adapters
from service.esp_kit.adapter import SigningKeys
from service.esp_kit.sign import BASIC
from service.esp_kit.sign_keys import public_text
from service.settings import DEFAULT_CONFIG, SettingsError

DEMO_PREFIX = "demo-"
DEMO_KEY_FILE = Path("var/demo-sendgrid.pem")
_CHANCE_BYTES = 32

_TEXT = """\
# Written by the first start of Hopp: four demo sources, each with a key that was made here and exists nowhere else.
# `make demo` posts signed, made-up mail to them. Hopp never changes this file again; every setting is in docs/settings.md.
#
# To take mail of your own: add another [[source]] with a name of its own and what your ESP shows you, and start Hopp again.
# `python -m service sources` prints the address to enter at the ESP, `python -m service sources --available` all ESPs.
# Secrets need not stand here: secrets = ["env:NAME"] or ["file:/path"] reads them from elsewhere. Before real mail counts,
# delete the demo sources: whoever can read this file can post to them.

[[source]]
# SendGrid signs with a private key, this is the public half. Its private half, for `make demo` alone, is {key_file}.
# Yours: the verification key of your Event Webhook (Settings > Mail Settings > Event Webhooks > Signed Event Webhook).
name = "demo-sendgrid"
esp = "sendgrid"
secrets = ["{sendgrid}"]

[[source]]
# Amazon SES by raw delivery, proven by user and password, for nobody but AWS can sign as SNS.
# Yours: leave raw delivery off, no `auth` and no `secrets`, and list your topic: topic_arns = ["arn:aws:sns:…"].
name = "demo-ses"
esp = "ses"
auth = "basic"
secrets = ["{ses}"]

[[source]]
# Postmark does not sign, so user and password stand in.
# Yours: the user and password that you enter beside the address of the webhook (auth = "header:NAME" works too).
name = "demo-postmark"
esp = "postmark"
auth = "basic"
secrets = ["{postmark}"]

[[source]]
# Mailgun signs a token with a key that both sides hold.
# Yours: the HTTP webhook signing key of your account (not the API key).
name = "demo-mailgun"
esp = "mailgun"
secrets = ["{mailgun}"]
"""


def write_demo_config(folder: Path | None = None) -> Path:
    """Write hopp.toml with four demo sources, for its owner's eyes only; one that is there already stays as it is."""
    folder = folder or Path()
    path = folder / DEFAULT_CONFIG
    try:
        _write(path, folder / DEMO_KEY_FILE)
    except OSError as error:
        message = f"{path}: cannot be written ({error}). Start Hopp in a folder that it may write to, or write {path.name} yourself."
        raise SettingsError(message) from error
    return path


def _write(path: Path, key_file: Path) -> None:
    text = _TEXT.format(
        key_file=DEMO_KEY_FILE,
        sendgrid=_sendgrid_public(key_file),
        ses=BASIC.make_keys(_chance()).private,
        postmark=_fresh("postmark").private,
        mailgun=_fresh("mailgun").private,
    )
    write_once(path, text)


def _sendgrid_public(key_file: Path) -> str:
    """The public half of the key in the file, which is made where it is missing. The file comes first: a crash leaves a usable key."""
    key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # the databases come here, too, and hold addresses
    write_once(key_file, _fresh("sendgrid").private)
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        message = f"{key_file}: holds no private key on an elliptic curve. Remove the file; the next start makes a new one."
        raise SettingsError(message)
    return public_text(key)


def _fresh(esp: str) -> SigningKeys:
    return adapters()[esp].signer.make_keys(_chance())


def _chance() -> bytes:
    return secrets.token_bytes(_CHANCE_BYTES)


def write_once(path: Path, text: str) -> None:
    """All of the file or none of it, and never over one that is there: of two first starts at once, one wins."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # for its owner's eyes only, and so is what it becomes
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
