"""What a command line may say."""

from __future__ import annotations

import argparse


def positive(given: str) -> int:
    """A whole number from 1."""
    number = int(given)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{given}: must be at least 1")
    return number
