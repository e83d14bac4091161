"""Checks of a definition before it runs: what is unreachable, never written, never matched, never undone."""
