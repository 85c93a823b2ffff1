"""Streaming statistics of rows, and the re-basing of a session."""
