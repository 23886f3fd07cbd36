"""Safety: who may write to whom, reports, newcomers' limits, the pace and the writers of a room, badges in a group."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account", sa.Column("writing", sa.Text(), nullable=False, server_default="shared"))
    op.add_column("block", sa.Column("was", sa.Text(), nullable=True))
    op.add_column("channel", sa.Column("slow_s", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("channel", sa.Column("asking", sa.Integer(), nullable=True))
    op.add_column("membership", sa.Column("badge", sa.Text(), nullable=True))
    op.create_table(
        "newcomer",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("conversations", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "pace",
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("channel_id", "account_id"),
    )
    op.create_table(
        "report",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("reporter_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=True),
        sa.Column("persona_id", sa.BigInteger(), nullable=True),
        sa.Column("channel_id", sa.BigInteger(), nullable=True),
        sa.Column("access_id", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("word", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["reporter_id"], ["account.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subject_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("report_reporter", "report", ["reporter_id", "at"], unique=False)
    op.create_index("report_queue", "report", ["queue", "access_id", "at"], unique=False)
    op.create_index("report_decided", "report", ["decided_at"], unique=False)
    op.create_table(
        "report_line",
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["report_id"], ["report.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("report_id", "seq"),
    )


def downgrade() -> None:
    for name in ("report_line", "report", "pace", "newcomer"):
        op.drop_table(name)
    op.drop_column("membership", "badge")
    op.drop_column("channel", "asking")
    op.drop_column("channel", "slow_s")
    op.drop_column("block", "was")
    op.drop_column("account", "writing")
