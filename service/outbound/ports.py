"""Does somebody listen there already?"""

import socket


def is_taken(bind: str) -> bool:
    """True where this process could not listen on ADDRESS:PORT."""
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was left a moment ago is free
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError:
            return True
    return False
