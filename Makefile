# huatuo-server. `make` alone lists the targets; docs/development.md tells more.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDEXPANSION:

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# What `make serve` serves: MODEL is a folder or a hub id, NAME is what clients call it. Without a GPU: the demo.
HOST ?= 127.0.0.1
PORT ?= 8000
MODEL ?=
RELEASED := FreedomIntelligence/HuatuoGPT-Vision-7B
DEMO := .cache/demo-seeing
LABEL = $(BIN)/python -c 'from huatuo_server.demo.label import TRAINED; print(TRAINED)'
FILES ?= $(or $(HUATUO_FILES_DIR),.cache/files)
ARGS ?=

# cuda where an NVIDIA GPU answers, else cpu.
DEVICE ?= $(shell nvidia-smi -L 2>/dev/null | grep -q GPU && echo cuda || echo cpu)
STAMP = $(VENV)/.installed-$(DEVICE)
NAME ?= huatuogpt-vision$(if $(MODEL)$(filter cuda,$(DEVICE)),,-demo)

# The first Python that will do and can make a venv.
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)

.PHONY: help setup page try-page serve demo-checkpoint test check readme test-long drills fuzz check-long bench bench-full benchmark-images benchmark-queue benchmark-penalty accuracy-smoke train-demo test-gpu benchmark-gpu test-vllm-0.26 openapi lock ci-tools clean clean-venv

help: ## list the targets
	@grep -hE '^[a-z0-9.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9.-]+):.*## /\1\t/' | expand -t 20

# ---------------------------------------------------------------- installation

setup: $$(STAMP) $$(if $$(NPM),try-page) ## install everything into .venv from the locks; again when a lock has changed

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "huatuo-server needs Python 3.11 or 3.12 with venv (on Debian: python3-venv)." \
		"Found: $$(python3 --version 2>&1). PYTHON=/path/to/python chooses one." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: pyproject.toml clients/python/pyproject.toml server/huatuo_server/images/_bicubic.c locks/$$*.txt locks/torch.txt locks/dev.txt | $(BIN)/python
	@others=$$(ls $(VENV)/.installed-* 2>/dev/null | grep -v '$*$$'); test -z "$$others" || { \
		echo "$(VENV) holds another installation ($$others) than $*: run 'make clean-venv' first, or say DEVICE=." >&2; exit 1; }
	@$(MAKE) --no-print-directory install-$*
	$(PIP) install --quiet --no-deps --require-hashes -r locks/dev.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable . --editable clients/python
	@touch $@

# torch first: the +cpu wheel where pip is told of an index that has it, else PyPI's, which also runs without a GPU.
# It has no hash here, since it is not one file: every index and Python version has its own.
.PHONY: install-cpu install-cuda
install-cpu:
	@echo "Installing vLLM for CPU and the tools into $(VENV): two minutes, more with PyPI's torch."
	@$(PIP) install --quiet --no-deps 'torch==2.13.0+cpu' || { \
		echo "No torch==2.13.0+cpu for this Python: taking PyPI's torch===2.13.0 with its NVIDIA libraries (3 GB)."; \
		$(PIP) install --quiet --no-deps --require-hashes -r locks/torch.txt; }
	$(PIP) install --quiet --no-deps --require-hashes -r locks/cpu.txt

install-cuda:
	@echo "Installing vLLM for CUDA and the tools into $(VENV): several GB."
	$(PIP) install --quiet --no-deps --require-hashes -r locks/cuda.txt

# ---------------------------------------------------------------- the chat page

WEB := clients/web
PAGE := server/huatuo_server/web/index.html
PAGE_PACKAGES := $(WEB)/node_modules/.package-lock.json
NPM := $(shell command -v npm)

page: $(PAGE) ## put the chat page into the package; needs npm, and Node 18 or newer

$(PAGE_PACKAGES): $(WEB)/package-lock.json
	@echo "Fetching what the chat page is made of, into $(WEB)/node_modules."
	@cd $(WEB) && npm ci --omit=dev --no-progress --loglevel=error
	@touch $@

$(PAGE): $(PAGE_PACKAGES) $(shell find $(WEB) -type f -not -path '$(WEB)/node_modules/*' -not -path '$(WEB)/test/*')
	@node $(WEB)/assemble.mjs $(@D)

# Where npm cannot reach its registry, the API serves all the same, and `/` says what is missing. It is tried twice, not
# three times: the third would come a minute later.
try-page:
	@npm_config_fetch_retries=1 $(MAKE) --no-print-directory --silent page || echo "No new chat page: \`make page\` says why. The API works without." >&2

# ---------------------------------------------------------------- serving

serve: setup $$(if $$(MODEL)$$(filter cuda,$$(DEVICE)),,demo-checkpoint) ## serve on PORT=8000; GPU: the released 7B or MODEL=; no GPU: a tiny demo
ifeq ($(MODEL),)
	@echo "$(if $(filter cuda,$(DEVICE)),Serving $(RELEASED) as $(NAME),No NVIDIA GPU. $(NAME) is $$($(LABEL)))."
endif
	@mkdir -p $(dir $(FILES))
	exec $(BIN)/huatuo-server serve --host $(HOST) --port $(PORT) --served-model-name $(NAME) \
		--files-dir $(FILES) --model $(or $(MODEL),$(if $(filter cuda,$(DEVICE)),$(RELEASED),$(DEMO) --enforce-eager)) $(ARGS)

demo-checkpoint: $(DEMO)/config.json ## write the demo checkpoint into .cache/demo-seeing

$(DEMO)/config.json: $(shell find server/huatuo_server/demo -type f -not -name '*.pyc') | setup
	rm -rf $(DEMO) $(DEMO).part
	mkdir -p $(dir $(DEMO))
	$(BIN)/huatuo-server demo-checkpoint $(DEMO).part
	mv $(DEMO).part $(DEMO)

# ---------------------------------------------------------------- tests

# Two processes, as tests/dealing.py deals the tests out. `ARGS="-n 0"` is one.
PYTEST := $(BIN)/python -m pytest -n 2

test: setup ## run the tests (no GPU needed)
	$(PYTEST) $(ARGS)

check: setup ## formatting, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) $(ARGS)

test-long: setup ## run the tests that take a minute each, or a system tool
	$(BIN)/python -m pytest -m long tests $(ARGS)

readme: setup ## run the README's own commands against `make serve`
	$(BIN)/python -m tests.docs.readme_walk

drills: setup ## what is promised about time, against running servers; ARGS=--short for a short form
	$(BIN)/python -m drills $(ARGS)

FUZZ_INPUTS ?= 100000
fuzz: setup ## damaged images by the hundred thousand: pixels or one of our errors
	$(BIN)/python -m tests.fuzz --inputs $(FUZZ_INPUTS)

check-long: test-long drills fuzz ## the long tests, all drills, and the long fuzz

BENCH := .venv-bench
$(BENCH)/.installed: locks/bench.txt
	@test -n "$(PYTHON)" || { echo "huatuo-server needs Python 3.11 or 3.12 with venv." >&2; exit 1; }
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	@echo "Installing AIPerf, the load generator, into $(BENCH): 1.2 GB."
	$(BENCH)/bin/python -m pip install --quiet --no-deps --require-hashes -r locks/bench.txt
	@touch $@

bench: setup $(BENCH)/.installed ## speed against stock vLLM: one pair of the main workloads; ten minutes, on a quiet machine
	$(BIN)/python -m benchmarks.speed --short $(ARGS)

bench-full: setup $(BENCH)/.installed ## speed against stock vLLM: every bar, medians of five pairs, a record; half an hour, on a quiet machine
	$(BIN)/python -m benchmarks.speed $(ARGS)

benchmark-images: setup ## images a second, against stock vLLM's path in the same run; three minutes, on a quiet machine
	$(BIN)/python -m benchmarks.images $(ARGS)

benchmark-queue: setup ## processor time that the fair queue costs a request; half a minute, on a quiet machine
	$(BIN)/python -m benchmarks.queue $(ARGS)

benchmark-penalty: setup ## what the repetition penalty costs 256 sequences at once; five minutes, on a quiet machine
	$(BIN)/python -m benchmarks.penalty $(ARGS)

accuracy-smoke: setup ## planted bugs change the demo's score or its parity with the reference; minutes
	$(BIN)/python -m benchmarks.accuracy.smoke $(ARGS)

train-demo: setup ## train the demo checkpoint again, into .cache/demo-trained; half an hour on two quiet cores
	$(BIN)/python -m benchmarks.accuracy.demo_training .cache/demo-trained $(ARGS)

benchmark-gpu: setup ## the released models' sizes on this machine's GPU, each figure beside its roofline; an hour
	$(BIN)/python -m benchmarks.speed.gpu $(ARGS)

test-gpu: setup ## run the tests that need an NVIDIA GPU
	$(BIN)/python -m pytest -m gpu tests/gpu $(ARGS)

OLD := .venv-vllm-0.26
$(OLD)/.installed: locks/vllm-0.26.txt
	@test -n "$(PYTHON)" || { echo "huatuo-server needs Python 3.11 or 3.12 with venv." >&2; exit 1; }
	test -x $(OLD)/bin/python || $(PYTHON) -m venv $(OLD)
	@echo "Installing vLLM 0.26 for CPU and torch 2.11 with its NVIDIA libraries into $(OLD): several GB."
	$(OLD)/bin/python -m pip install --quiet --no-deps --require-hashes -r locks/vllm-0.26.txt
	$(OLD)/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

test-vllm-0.26: $(OLD)/.installed ## golden parity and answers by a schema on the oldest vLLM that we support, in a venv of its own (5 GB)
	$(OLD)/bin/python -m pytest tests/vllm tests/service/test_parity*.py tests/service/test_structured_engine.py $(ARGS)

# ---------------------------------------------------------------- upkeep

openapi: setup ## write tests/data/openapi.json anew; what changed belongs into CHANGELOG.md
	$(BIN)/python -m tests.service.openapi_document

# Existing pins are kept; `make lock UPGRADE=--upgrade` takes the newest. The pins that matter are in pyproject.toml and locks/*.in.
UPGRADE ?=
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE)
lock: | $(BIN)/python ## write locks/*.txt anew from pyproject.toml and locks/*.in
	test -x $(BIN)/uv || $(PIP) install --quiet uv
	$(COMPILE) pyproject.toml locks/cpu.in --extra cpu --overrides locks/cpu-without.txt -o locks/cpu.txt
	$(COMPILE) locks/torch.in -c locks/cpu.txt -o locks/torch.txt
	$(COMPILE) pyproject.toml locks/cuda.in --extra cuda -c locks/torch.txt -o locks/cuda.txt
	$(COMPILE) --group dev -c locks/cpu.txt -c locks/cuda.txt -o locks/dev.txt
	$(COMPILE) pyproject.toml locks/vllm-0.26.in --overrides locks/vllm-0.26-overrides.txt -o locks/vllm-0.26.txt
	$(COMPILE) locks/bench.in -o locks/bench.txt
	$(subst --universal --python-version 3.11,--python-version 3.12 --python-platform x86_64-manylinux_2_28,$(COMPILE)) \
		pyproject.toml locks/carried.in -c locks/vllm-0.26.txt --overrides locks/carried-without.txt -o locks/carried.txt
	@# `==2.13.0` would match 2.13.0+cpu too, whose hash is another.
	sed -i -E 's/^torch==/torch===/' locks/torch.txt locks/cuda.txt locks/vllm-0.26.txt

# curl is in the README's example; libfaketime moves the clock of a drill; node and npm run OpenAI's package for Node,
# and put the chat page together; chromium opens it.
# `command=package` is how Debian calls it.
CI_TOOLS := curl=curl faketime=faketime node=nodejs npm=npm chromium=chromium
NODE_CLIENT := tests/clients/node
ci-tools: ## install what .ci/run needs beside Python: Debian's curl, faketime, nodejs, npm, chromium, and packages for Node
	@missing=; for tool in $(CI_TOOLS); do command -v $${tool%%=*} >/dev/null || missing="$$missing $${tool##*=}"; done; \
	if [ -z "$$missing" ]; then echo "Nothing to install from Debian."; else \
	command -v apt-get >/dev/null || { echo "Missing:$$missing. Install them with the system's package manager." >&2; exit 1; }; \
	sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	$$sudo apt-get update -qq && $$sudo apt-get install -qq -y --no-install-recommends $$missing; fi
	cd $(NODE_CLIENT) && npm ci --no-progress --loglevel=error
	cd $(WEB) && npm ci --no-progress --loglevel=error

clean: ## remove caches, build output, the chat page in the package and the demo checkpoint
	rm -rf .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist server/*.egg-info clients/python/*.egg-info clients/python/build $(dir $(PAGE))
	find server clients/python tests -name __pycache__ -type d -prune -exec rm -rf {} +

clean-venv: ## remove .venv, .venv-vllm-0.26, .venv-bench and Node's packages
	rm -rf $(VENV) $(OLD) $(BENCH) $(NODE_CLIENT)/node_modules $(WEB)/node_modules
