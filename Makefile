# make demo | test | test-all | bench | gpu | fuzz | survival | docs | lint: each sets up its own environment in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-all bench gpu survival fuzz docs lint lock clean

demo: $(READY)
	$(BIN)/snakemake --cores all --configfile workflow/demo.yaml
	@echo
	@echo "The report: $(CURDIR)/results/demo/report.html"
	@echo "Next: open it in a browser; then your own images, through a net of the demo:"
	@echo "  . $(BIN)/activate; zfnet project results/demo/runs/zf-s1/weights.safetensors IMAGE.jpg --layer conv5 --out out"
	@echo "or real archives: name them in config.yaml, then zfnet verify; snakemake -n   (docs/tutorials/reproduce.md)"

test: $(READY)
	$(BIN)/python -m pytest -n 2 -m "not slow" -q

test-all: $(READY)
	$(BIN)/python -m pytest -n 2 -q

# Damages files of every kind for MINUTES and reads them; findings are saved in build/fuzz. Another SEED, other damage.
MINUTES ?= 30
SEED ?= 1
fuzz: $(READY)
	$(BIN)/python -m tests.hostile.fuzz --minutes $(MINUTES) --seed $(SEED)

# Compares zfnet with common alternatives on this machine; run it while nothing else runs. Results: docs/performance.md
bench: $(READY)
	$(BIN)/python -m benchmarks

# Kills a small run at random moments and compares its results with those of a run left in peace (docs/reliability.md):
# make survival KILLS=100
KILLS ?= 100
survival: $(READY)
	$(BIN)/python -m tests.survival --kills $(KILLS)

# Checks, tests and measures this machine's GPU (docs/gpu.md); make gpu DEVICE=cpu rehearses it without one.
DEVICE ?= cuda
gpu: $(READY)
	$(BIN)/python -m benchmarks.checklist --device $(DEVICE) --out build/gpu-checklist

# The documentation site, in build/docs; open build/docs/index.html.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The documentation: $(CURDIR)/build/docs/index.html"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint
	$(BIN)/mypy

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

# For maintainers: update requirements.lock after a change in pyproject.toml. Existing pins stay; add UPGRADE=--upgrade to
# renew them.
lock:
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --quiet $(UPGRADE) --output-file requirements.lock
	{ echo "# The pinned run and development environment for Linux and macOS, Python 3.11-3.13; made by: make lock"; \
		cat requirements.lock; } > requirements.lock.new
	mv requirements.lock.new requirements.lock

clean:
	rm -rf results/demo checkpoints/demo logs/demo build/docs .snakemake
