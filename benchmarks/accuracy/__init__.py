"""The papers' accuracy tables, asked of any OpenAI-compatible server: `python -m benchmarks.accuracy`.

    a copy of the data -> formats -> items -> asking -> a run on disk -> score -> report

Protocol, prompt and figures: HuatuoGPT-Vision (arXiv 2406.19280) and the evaluation code released with it.
"""
