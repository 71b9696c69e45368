# make demo | test | test-all | bench | lint: each makes its own environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-all bench lint lock clean

demo: $(READY)
	$(BIN)/snakemake --cores all --configfile workflow/demo.yaml
	@echo
	@echo "The report: $(CURDIR)/results/demo/report.html"

test: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not slow" -q

test-all: $(READY)
	$(BIN)/python -m pytest -n 2 -q

# Ours beside what one would use otherwise, on this machine, to be run while nothing else does: docs/performance.md
bench: $(READY)
	$(BIN)/python -m benchmarks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

# For maintainers: the versions of requirements.lock, resolved anew.
lock:
	echo "# The full pin of the run and test environment for Linux and macOS, Python 3.11-3.13; made by: make lock" > requirements.lock.new
	uv pip compile pyproject.toml --group test --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --quiet >> requirements.lock.new
	mv requirements.lock.new requirements.lock

clean:
	rm -rf results/demo checkpoints/demo logs/demo .snakemake
