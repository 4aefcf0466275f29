"""Where does the service of this machine answer?"""

_EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - recognised, not bound to


def own_url(bind: str) -> str:
    """The address at which a command reaches the web that listens on `bind`."""
    host, _, port = bind.rpartition(":")
    return f"http://{'127.0.0.1' if host in _EVERYWHERE else host}:{port}"
