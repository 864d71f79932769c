# `make demo` and `make test` do all of their own set-up: tools (apt-get), .venv, Python packages.
# The second time only the stamp .venv/.ready is looked at. PYTHON=python3.12 picks another interpreter.

PYTHON ?= python3
BIN    := .venv/bin
READY  := .venv/.ready

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test bench bench-x86 lint tools clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /make \1\t/p' Makefile

demo: tools $(READY) ## compile the packaged network, run it on QEMU, print accuracy, instructions and memory
	$(BIN)/python -m tvm_wvv.cli.demo

test: tools lint ## linters, then every test
	$(BIN)/python -m pytest -n 2

bench: tools $(READY) ## count every network on every core; writes docs/benchmarks.md and the tests' baseline
	$(BIN)/python -m tvm_wvv.cli.bench

bench-x86: tools $(READY) ## this computer: ours against XNNPACK, onnxruntime and ncnn; ARGS="--quick --json"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[peers]'
	$(BIN)/python -m tvm_wvv.cli.bench_x86 $(ARGS)

lint: $(READY) ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

tools: ## the compilers and QEMU, through apt-get where that is allowed
	@PYTHON=$(PYTHON) ./setup.sh

clean: ## remove what the targets made
	rm -rf .venv build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find tvm_wvv tests -name __pycache__ -prune -exec rm -rf {} +

$(READY): pyproject.toml requirements.txt
	@echo "setting up .venv (first time: some minutes)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -e '.[test]'
	@touch $@
