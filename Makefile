# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE
unexport VIRTUAL_ENV
# Large tensors freed to the system and faulted in again cost more than the arithmetic on them.
export MALLOC_MMAP_MAX_ := 0
export MALLOC_TRIM_THRESHOLD_ := 8000000000
export MALLOC_TOP_PAD_ := 268435456

BIN := .venv/bin
CORES ?= $(shell nproc 2>/dev/null || echo 2)
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
COMPILE := .cache/uv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.12 --python $(BIN)/python --no-header

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

KERNELS := setup.py $(wildcard src/morered/models/native/*.cpp src/morered/models/native/*.h)
.venv/.installed: requirements.lock pyproject.toml envs/build-constraints.txt envs/uv.txt scripts/setup.sh $(KERNELS)
	sh scripts/setup.sh
	@touch $@

.PHONY: setup
setup: .venv/.installed  ## make the environment in .venv (TORCH=cpu: PyTorch's small CPU build)

.PHONY: demo
demo: setup  ## the pipeline's main job on embedded real data: train, relax, figures, one HTML report
	$(SNAKEMAKE) all
	@$(MAKE) --no-print-directory report
	@echo "figures: results/demo/figures    report: results/demo/report.html"

.PHONY: report
report: setup  ## results/<study>/report.html of what has been made (CONFIG=config/NAME.yaml: another study)
	$(BIN)/python scripts/report.py $(if $(CONFIG),--configfile $(CONFIG))

.PHONY: publish
publish: setup  ## docs/results.md and its figures from a finished study (CONFIG=config/small.yaml)
	$(SNAKEMAKE) --configfile $(CONFIG) -- results_page
	cp -r results/$$(basename $(CONFIG) .yaml)/page/. docs/

PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder

.PHONY: test
test: setup  ## the tests, some minutes of them: not those marked slow, no timings, no Slurm
	$(PYTEST) -m "not slow and not slurm and not benchmark"

.PHONY: test-all
test-all: setup  ## every test but timings and those that start a Slurm
	$(PYTEST) -m "not slurm and not benchmark"

.PHONY: test-slurm
test-slurm: setup  ## install a one-node Slurm (root, Debian), start it, run studies and faults through it, stop it
	command -v slurmctld slurmd sbatch munged >/dev/null || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge >/dev/null; }
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slurm tests/slurm --durations=20

.PHONY: browser
browser:  ## install the browser that the tests look at pages with, where there is none (root, Debian)
	command -v chromium chromium-browser google-chrome chrome >/dev/null || { apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

.PHONY: check-install
check-install: setup  ## install wheel, sdist and each extra in empty environments without a compiler, and use them
	bash scripts/check_install.sh

.PHONY: lint
lint: setup  ## ruff, snakefmt, snakemake --lint, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/mypy

.PHONY: docs
docs: setup  ## build/docs/index.html: the pages of docs/ and the Python interface; a link that leads nowhere fails
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs build/docs
	@echo "pages: build/docs/index.html"

.PHONY: format
format: setup  ## rewrite the sources as the linters want them
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

.PHONY: stale
stale: setup  ## list the results that other code than today's made
	$(BIN)/python -m morered.stale results

.PHONY: bench-start bench-structures bench-training bench-calculators bench-relax bench-energy bench-slurm bench-library bench-page
bench-start bench-structures bench-training bench-calculators bench-relax bench-energy bench-library bench-page: bench-%: setup
	$(BIN)/python benchmarks/$*.py
bench-slurm: setup  ## seconds that Snakemake and Slurm add to a job (root, after test-slurm) -> results/bench/slurm.csv
	$(BIN)/python benchmarks/slurm_overhead.py
bench-start:  ## seconds and memory of one call, megabytes of an installation -> results/bench/start.csv, size.csv
bench-structures:  ## a million molecules written, read, sliced -> results/bench/structures.csv
bench-training:  ## our networks beside SchNetPack's -> results/bench/training.csv
bench-calculators:  ## seconds per structure of every calculator -> results/bench/calculators.csv
bench-relax:  ## every relaxation method and option -> results/bench/relax.csv
bench-library:  ## seconds and memory of libraries of 1 000 and 10 000 molecules -> results/bench/library.csv
bench-page:  ## milliseconds until a page of 10 000 molecules can be used -> results/bench/page.csv
bench-energy:  ## single points beside PySCF called plainly -> results/bench/energy.csv

.PHONY: bench-timings
bench-timings: setup  ## the tests that a busy machine could fail: what a step costs, how many times as fast
	$(BIN)/python -m pytest -m benchmark

.PHONY: bench-mlff
bench-mlff: setup  ## our batched L-BFGS beside ASE's, with the shipped force field -> results/bench/mlff.csv
	$(BIN)/python benchmarks/mlff_against_ase.py

.PHONY: lock
lock: setup  ## rewrite requirements.lock and envs/*.txt from pyproject.toml and envs/*.in
	for name in build-constraints uv; do $(COMPILE) envs/$$name.in -o envs/$$name.txt; done
	LIBMBD_PREFIX="" $(COMPILE) --build-constraints envs/build-constraints.txt --extra dev pyproject.toml -o requirements.lock

.PHONY: clean
clean:  ## remove the environment and caches; results stay
	rm -rf .venv .cache .snakemake
