"""hubchat: a live community hub. Everything that happens is an entry in a channel's log."""

__version__ = "0.1.0"
