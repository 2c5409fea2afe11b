"""Tiny checkpoints in the released layouts, so that a machine without a GPU can run the whole real path."""
