"""Where does the service of this machine answer, and where do ESPs reach it?"""

from service.settings import Settings, SourceSettings

_EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - recognised, not bound to


def own_url(bind: str) -> str:
    """The address at which a command reaches the web that listens on `bind`."""
    host, _, port = bind.rpartition(":")
    return f"http://{'127.0.0.1' if host in _EVERYWHERE else host}:{port}"


def webhook_url(source: SourceSettings, settings: Settings) -> str:
    """The address to enter at the ESP."""
    own = source.options.get("public_url", ())
    return own[0] if own else f"{settings.public_url}/webhooks/{source.name}"
