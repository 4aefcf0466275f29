"""How does a delivery travel as one message? A version, the length of a JSON header, the header, and the body."""

import struct

import orjson

from service.model.errors import HoppError
from service.model.events import Delivery
from service.model.moments import from_us, to_us
from service.store.packing import UnreadableFrameError, pack, unpack

_VERSION = 1
_PREFIX = struct.Struct(">BI")
_PACK_FROM_BYTES = 1_000  # below that zstd saves less than it costs


class UnknownEnvelopeError(HoppError):
    """A message is none that this program wrote: it comes from a newer version, or from somebody else."""


def seal(delivery: Delivery) -> bytes:
    """The delivery as one message."""
    is_packed = len(delivery.body) >= _PACK_FROM_BYTES
    header = orjson.dumps(
        {
            "id": delivery.id,
            "source": delivery.source,
            "esp": delivery.esp,
            "received_us": to_us(delivery.received_at),
            "content_type": delivery.content_type,
            "headers": dict(delivery.headers),
            "query": delivery.query,
            "is_packed": is_packed,
        }
    )
    body = pack(delivery.body) if is_packed else delivery.body
    return b"".join((_PREFIX.pack(_VERSION, len(header)), header, body))


def unseal(message: bytes) -> Delivery:
    """The delivery that was sealed; raises UnknownEnvelopeError."""
    try:
        version, length = _PREFIX.unpack_from(message)
        if version != _VERSION:
            raise UnknownEnvelopeError(f"It has version {version}, and this program reads version {_VERSION}.")
        start = _PREFIX.size + length
        header = orjson.loads(message[_PREFIX.size : start])
        is_packed = header.pop("is_packed")
        body = unpack(message[start:]) if is_packed else message[start:]
        return Delivery(received_at=from_us(header.pop("received_us")), body=body, **header)
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, UnreadableFrameError) as error:
        raise UnknownEnvelopeError(f"It cannot be read ({type(error).__name__}).") from error
