"""A tiny untrained checkpoint in a released layout, so that a machine without a GPU can run the whole real path."""
