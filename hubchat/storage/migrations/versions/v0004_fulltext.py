"""The index of texts, and how far it is; it is made anew from the log, here too."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fulltext_at",
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("tail", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel_id"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TABLE fulltext (id INTEGER PRIMARY KEY, channel_id INTEGER NOT NULL, seq INTEGER NOT NULL, "
            "words TEXT NOT NULL)"
        )
        # No content: lists of where words are, and no text. Beginnings of 2 and 3 letters have lists of their own
        op.execute(
            "CREATE VIRTUAL TABLE fulltext_index USING fts5(words, content='', columnsize=0, prefix='2 3', "
            "tokenize=\"ascii tokenchars '_#'\")"
        )
    else:
        op.execute(
            "CREATE TABLE fulltext (id BIGINT PRIMARY KEY, channel_id BIGINT NOT NULL, seq BIGINT NOT NULL, "
            "words TSVECTOR NOT NULL)"
        )
        # What is written comes from one indexer in batches; a list of what is pending would be read by every search
        op.execute("CREATE INDEX fulltext_words ON fulltext USING gin (words) WITH (fastupdate = off)")
    op.execute("CREATE UNIQUE INDEX fulltext_entry ON fulltext (channel_id, seq)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE fulltext_index")
    op.execute("DROP TABLE fulltext")
    op.drop_table("fulltext_at")
