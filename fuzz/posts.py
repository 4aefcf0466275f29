"""How is a post written as one piece of bytes, so that a fuzzer can change it and keep it?"""

from typing import NamedTuple

from service.cli.samples.load import load_samples

_LATIN = "latin-1"


class Post(NamedTuple):
    """What an adapter is given to read: a line with the content type, a line with the query, and the body."""

    content_type: str
    query: str
    body: bytes

    @classmethod
    def read(cls, raw: bytes) -> "Post":
        """The post that any bytes stand for."""
        content_type, _, rest = raw.partition(b"\n")
        query, _, body = rest.partition(b"\n")
        return cls(content_type.decode(_LATIN), query.decode(_LATIN), body)

    def written(self) -> bytes:
        """The bytes that stand for it."""
        return b"\n".join((self.content_type.encode(_LATIN, "replace"), self.query.encode(_LATIN, "replace"), self.body))


def sample_posts(esp: str) -> list[Post]:
    """Every sample of this ESP; a form also as the query of a GET, for some ESPs ask instead of posting."""
    found = [Post(sample.headers["content-type"], "", sample.body) for sample in load_samples(esp)]
    asked = [Post("", post.body.decode(_LATIN).strip(), b"") for post in found if "urlencoded" in post.content_type]
    return [*found, *asked]
