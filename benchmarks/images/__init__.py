"""How many large images a second are made ready for the model: ours against stock vLLM's, on the same cores.

Both sides start from the `data:` URL of a request and end with the picture in float and the prompt's positions, as
vLLM's renderer hands them to its engine. Each side is a process of its own (`ours`, `stock`) that works when it is told
to (`side`) on files that were made beforehand (`films`); `__main__` lets them take turns and judges.
"""
