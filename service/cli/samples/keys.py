"""Where is the key that samples are signed with, where the ESP signs with a private key of its own?

In `var/sample-<esp>.pem` of the working directory, made where it is missing, for its owner's eyes only; a source believes it once it holds
the public half.
"""

from collections.abc import Collection
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from service.cli.first_start import DEMO_KEY_FILE, write_once
from service.esp_kit.adapter import SigningKeys, SourceTrust
from service.esp_kit.sign_keys import public_text
from service.settings import SettingsError

KEY_FOLDER = Path("var")


def load_keys(beside: Path, esp: str, fresh: SigningKeys, believed: Collection[str]) -> SigningKeys:
    """The key that is kept, or else the fresh one, kept from now on; the demo's, beside hopp.toml, where the source believes that."""
    demo = beside / DEMO_KEY_FILE
    if esp in demo.name and demo.is_file() and _public_half(demo) in believed:
        return _keys_in(demo)
    path = KEY_FOLDER / f"sample-{esp}.pem"
    _keep(path, fresh.private)
    return _keys_in(path)


def _keys_in(path: Path) -> SigningKeys:
    return SigningKeys(private=_text(path), trust=SourceTrust(secrets=(_public_half(path),)))


def _keep(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_once(path, text)
    except OSError as error:
        message = f"{path}: cannot be written ({error}). Run this in a folder that you may write to."
        raise SettingsError(message) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read ({error}). Remove it: it is made anew."
        raise SettingsError(message) from error


def _public_half(path: Path) -> str:
    try:
        key = serialization.load_pem_private_key(_text(path).encode(), password=None)
    except ValueError:
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        message = f"{path}: holds no private key. Remove it: it is made anew."
        raise SettingsError(message)
    return public_text(key)
