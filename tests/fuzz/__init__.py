"""Valid files of every format, spoilt at random, through what a worker does with them: pixels or one of our errors.

`python -m tests.fuzz --inputs 100000 --seed 0`; docs/fuzzing.md tells more.
"""
