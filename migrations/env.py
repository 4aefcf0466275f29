"""How does Alembic reach the database? Over the connection that `service.store.schema` hands in, one transaction each."""

from alembic import context

from service.store.reply_tables import reply_hourly
from service.store.source_tables import source_alerts

_OF_EACH_MODULE = (source_alerts, reply_hourly)  # importing it makes its tables known
metadata = _OF_EACH_MODULE[0].metadata
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
