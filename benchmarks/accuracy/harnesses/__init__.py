"""Harnesses of others, pointed at a server with made-up questions: `python -m benchmarks.accuracy.harnesses NAME`.

    made-up items -> a harness' own format -> the harness, in its own environment -> a recording proxy -> the server

Each harness is a folder here, with the task files that make it ask as the paper does; docs/harnesses.md says why.
"""
