"""What becomes of a grammar that fails, mended in vLLM's guidance backend: its request fails, and no one hears why.

A grammar runs out of what llguidance allows it in the middle of an answer, or allows no token at all. vLLM takes that
for its end: it lets the model stop, and half a JSON document goes out as a finished answer. And it logs what llguidance
says, which is the client's schema and the answer so far.
"""

from __future__ import annotations

import logging
from typing import Any

SCHEDULER_LOGGER = "vllm.v1.core.sched.scheduler"

REJECTED = "Unexpected: grammar rejected"
"""How the scheduler's record begins that lists the tokens of such an answer."""


def mend() -> None:
    """In this process, for all grammars to come. Safe to call more than once."""
    from vllm.v1.structured_output.backend_guidance import GuidanceBackend, GuidanceGrammar

    logging.getLogger(SCHEDULER_LOGGER).addFilter(_names_no_tokens)
    if GuidanceGrammar.check_error is _say_nothing:
        return
    GuidanceGrammar.check_error = _say_nothing
    GuidanceGrammar.accept_tokens = _failing(GuidanceGrammar.accept_tokens)
    GuidanceBackend.compile_grammar = _whole(GuidanceBackend.compile_grammar)


def _names_no_tokens(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(REJECTED)


def _say_nothing(_grammar: Any) -> None:
    """In the place of a log line."""


def _failing(accept_tokens: Any) -> Any:
    """False for a grammar that has failed, upon which the scheduler ends the request with an error."""

    def accept(grammar: Any, request_id: str, tokens: list[int]) -> bool:
        accepted: bool = accept_tokens(grammar, request_id, tokens)
        return accepted and not grammar.ll_matcher.is_error()

    return accept


def _whole(compile_grammar: Any) -> Any:
    """An error for a grammar that has failed already, upon which its request ends before its first step."""

    def compiled(backend: Any, *args: Any, **kwargs: Any) -> Any:
        grammar = compile_grammar(backend, *args, **kwargs)
        if grammar.ll_matcher.is_error():
            raise ValueError("the grammar cannot be compiled")
        return grammar

    return compiled
