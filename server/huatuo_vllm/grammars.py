"""vLLM's guidance backend, mended.

- A grammar that fails fails its request, and no one hears why. It runs out of what llguidance allows it in the middle
  of an answer, or allows no token at all. vLLM takes that for its end: it lets the model stop, and half a JSON document
  goes out as a finished answer. And it logs what llguidance says, which is the client's schema and the answer so far.
- Text that a grammar leaves no choice in is spelled by `Spelling`.
- A grammar is not tried on the server's event loop: the server has done so already, and more strictly.
"""

from __future__ import annotations

import logging
from typing import Any

from huatuo_vllm.spelling import spelled

SCHEDULER_LOGGER = "vllm.v1.core.sched.scheduler"

REJECTED = "Unexpected: grammar rejected"
"""How the scheduler's record begins that lists the tokens of such an answer."""

FAILED = "the grammar cannot be compiled"


def mend() -> None:
    """In this process, for all grammars to come. Safe to call more than once."""
    from vllm.v1.structured_output import backend_guidance
    from vllm.v1.structured_output.backend_guidance import GuidanceBackend, GuidanceGrammar

    logging.getLogger(SCHEDULER_LOGGER).addFilter(_names_no_tokens)
    if GuidanceGrammar.check_error is _say_nothing:
        return
    GuidanceGrammar.check_error = _say_nothing
    GuidanceGrammar.accept_tokens = _failing(GuidanceGrammar.accept_tokens)
    GuidanceBackend.compile_grammar = _whole(GuidanceBackend.compile_grammar)
    GuidanceBackend.__post_init__ = _spelling(GuidanceBackend.__post_init__)
    # Read from its module at each request, by vLLM's SamplingParams.
    backend_guidance.validate_guidance_grammar = _leave_untried


def _names_no_tokens(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(REJECTED)


def _say_nothing(_grammar: Any) -> None:
    """In the place of a log line."""


def _leave_untried(_sampling_params: Any, tokenizer: Any = None) -> None:
    """In the place of a trial; what fails nonetheless fails when the engine compiles it."""


def _spelling(post_init: Any) -> Any:
    """A backend whose forced text reads as the grammar has it."""

    def made(backend: Any) -> None:
        post_init(backend)
        backend.ll_tokenizer = spelled(backend.ll_tokenizer)

    return made


def _failing(accept_tokens: Any) -> Any:
    """False for a grammar that has failed, upon which the scheduler ends the request with an error."""

    def accept(grammar: Any, request_id: str, tokens: list[int]) -> bool:
        accepted: bool = accept_tokens(grammar, request_id, tokens)
        return accepted and not grammar.ll_matcher.is_error()

    return accept


def _whole(compile_grammar: Any) -> Any:
    """An error for a grammar that has failed already, upon which its request ends before its first step.

    vLLM logs an error, so it holds nothing of llguidance's; and only an Exception is its request's alone, which a panic
    in llguidance is not.
    """

    def compiled(backend: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            grammar = compile_grammar(backend, *args, **kwargs)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            raise ValueError(FAILED) from None
        if grammar.ll_matcher.is_error():
            raise ValueError(FAILED)
        return grammar

    return compiled
