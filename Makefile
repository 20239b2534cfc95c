PYTHON = python3
RECIPE = base
SECONDS = 600

# Two environments, so that trying hanpuri stays a small download: .venv holds the core, .venv-test all that tests need.
CORE = .venv
TEST = .venv-test

# torch comes first, in a step of its own, and exactly this release: asked for by range (`torch>=2.11`), pip takes the
# newest, which drags in CUDA wheels of several GB. Once this one is there, the range in pyproject.toml is met.
TORCH = torch==2.13.0

# --no-compile: byte code is then written for what is imported only, a fifth of what all of it takes.
PIP_INSTALL = -m pip install -q --disable-pip-version-check --no-compile

.PHONY: help run test bench soak train

help:  ## show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 14

run: $(CORE)/installed  ## restore the sample reviews with the shipped model; needs no torch
	$(CORE)/bin/hanpuri restore --file hanpuri/samples/reviews.txt --show edits

test: $(TEST)/installed  ## lint, format, types, all tests
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy
	$(TEST)/bin/python -m pytest -q

bench: $(TEST)/installed  ## print the tables of benchmarks/
	@set -e; for script in $(filter-out benchmarks/__init__.py benchmarks/soak.py, $(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(TEST)/bin/python $$script; done

soak: $(TEST)/installed  ## run benchmarks/soak.py for SECONDS (600)
	$(TEST)/bin/python benchmarks/soak.py --seconds $(SECONDS)

train: $(TEST)/installed  ## train the restorer that RECIPE (base) describes
	$(TEST)/bin/hanpuri train $(RECIPE)

# The files called `installed` are stamps: as long as one is newer than pyproject.toml, nothing is installed and no
# network is needed.
$(CORE)/installed: pyproject.toml
	test -x $(CORE)/bin/pip || $(PYTHON) -m venv $(CORE)
	$(CORE)/bin/python $(PIP_INSTALL) -e .
	touch $@

$(TEST)/installed: pyproject.toml $(TEST)/$(TORCH)
	$(TEST)/bin/python $(PIP_INSTALL) -e '.[train,dev,parquet]'
	touch $@

$(TEST)/$(TORCH):
	test -x $(TEST)/bin/pip || $(PYTHON) -m venv $(TEST)
	$(TEST)/bin/python $(PIP_INSTALL) $(TORCH)
	touch $@
