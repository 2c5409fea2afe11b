"""The door: what may be in flight, judged before anything is decoded; and the queue in front of the engine.

`budget` (bytes, pixels), `body` (a request's bytes and their part of the budget) and `gate` (what is decoded at a time)
stand before the work on a request; `fair_queue` decides whose request the engine gets next, with `pace`, which knows
how fast they have gone lately. `flow` says for whom all that is: in each of them tenants and lanes share.
"""
