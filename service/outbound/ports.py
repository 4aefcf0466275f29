"""Could this process listen there?"""

import errno
import socket

_WORDS = {
    errno.EADDRINUSE: "somebody listens there already. Stop that (another `serve`?), or set HOPP_BIND to another port",
    errno.EADDRNOTAVAIL: "this machine has no such address. Set HOPP_BIND to one of its own, or to 0.0.0.0:PORT for all of them",
    errno.EACCES: "this user may not listen on that port. Set HOPP_BIND to a port of 1024 or more",
}


def find_flaw(bind: str) -> str | None:
    """Why this process could not listen on ADDRESS:PORT, with the mend; None where it could."""
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that was left a moment ago is free
        try:
            probe.bind((host.strip("[]"), int(port)))
        except socket.gaierror:
            return f"HOPP_BIND={bind}: there is no host of this name. Set it to an address of this machine, such as 127.0.0.1:{port}."
        except OSError as error:
            words = _WORDS.get(error.errno or 0, f"cannot listen there ({error.strerror}). Set HOPP_BIND to an address of this machine")
            return f"HOPP_BIND={bind}: {words}."
    return None
