"""Work in the background, which nobody waits for."""
