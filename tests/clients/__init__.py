"""Clients that others wrote, unmodified, against a running server; and what it says against what OpenAI publishes."""
