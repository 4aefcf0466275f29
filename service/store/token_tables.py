"""Which table holds the tokens of the API? What holds for all tables is in `tables.py`."""

from sqlalchemy import BigInteger, Column, Integer, String, Table

from service.store.tables import metadata

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(10), nullable=False),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("created_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
    sqlite_autoincrement=True,
    comment="Bearer tokens of the API; only their digests are kept.",
)
