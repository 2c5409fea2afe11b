"""What the repetition penalty costs 256 sequences at once: ours, vLLM's own, and none.

`steps` measures one step of a sampler's work by itself, `engine` whole steps of vLLM's engine; both with the
vocabularies of the released models (`size`). `__main__` lets them take turns and judges; `report` writes it down.
"""
