"""Alembic's revisions of the schema. Each leaves the former release's code working."""
