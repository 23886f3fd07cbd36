"""Run by Alembic over the connection that storage/schema.py hands it."""

from alembic import context
from sqlmodel import SQLModel

from hubchat.storage import tables  # noqa: F401  # makes the tables known

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
