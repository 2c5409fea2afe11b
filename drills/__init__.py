"""Promises about time and trouble, kept by a running server: `python -m drills`. A drill is a module of its own."""
