"""The wire: bytes to values and values to bytes, and nothing else."""
