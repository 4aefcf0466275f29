"""How does Alembic reach the database? Over the connection that `service.store.schema` hands in, one transaction each."""

from alembic import context

from service.store import kept_tables, reply_tables, source_tables, tables, token_tables

_OF_EACH_MODULE = (kept_tables, reply_tables, source_tables, token_tables)  # importing it makes its tables known
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=tables.metadata, transaction_per_migration=True, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
