"""Serves the HuatuoGPT-Vision checkpoints behind an OpenAI-compatible API. A request's path, one direction:

    protocol    JSON -> a validated request
    images      image bytes -> upright RGB -> the family's picture
    prompt      messages and images -> token ids, as the reference writes them
    sampling    wishes, defaults and room -> what the engine is asked for
    engine      prompt -> token deltas
    answer_text deltas -> text, up to a stop string
    responses   pieces -> chunks of a stream, or one completion

`pipeline.answer` is this list as code.
"""

__version__ = "0.1.0"
