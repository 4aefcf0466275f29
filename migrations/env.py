"""How does Alembic reach the database? Over the connection that `service.store.schema` hands in, one transaction each."""

from alembic import context

from service.store.source_tables import source_alerts

metadata = source_alerts.metadata  # the module that is built on all other tables
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
