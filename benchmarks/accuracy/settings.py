"""What is asked of a model beside the question: the official evaluation's settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The paper's (arXiv 2406.19280, and the evaluation code released with it).

    repetition_penalty: over the generated tokens only; None where it is not sent. It is no field of OpenAI's: a server
    may ignore it, and stock vLLM counts the prompt's tokens too. max_tokens: the paper's `max_new_tokens`. seed: each
    request's, where the paper has one for the whole run.
    """

    temperature: float = 0.2
    repetition_penalty: float | None = 1.2
    max_tokens: int = 256
    seed: int = 42

    def fields(self) -> dict[str, float | int]:
        """Of a request; what is None is not sent."""
        return {name: value for name, value in asdict(self).items() if value is not None}


PAPER = Settings()

PLAIN = Settings(repetition_penalty=None)
"""For servers that refuse fields which are not OpenAI's."""

OPEN_MAX_TOKENS = 1024
"""For JAMA's open answers, which the closed questions' 256 tokens would cut. Ours: SemiHVision tells none."""
