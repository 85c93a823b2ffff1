# One command a job; `make help` lists them. Set PYTHON to choose the interpreter.
.DEFAULT_GOAL := help
SHELL := bash
SUPPORTED := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
# Tests and demo keep to this machine.
IN_ENV := source tools/env.bash && ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
# Tests at a time, each with one thread for linear algebra.
JOBS ?= 2
SECONDS ?= 1200
FUZZ_SECONDS ?= 180
CYCLES ?= 1000

.PHONY: help setup demo test lint types unit soak fuzz build lock clean

help:  ## list these jobs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup:  ## Python environment, ROS 2 and build; skips what is done
	@if [ -z '$(PYTHON)' ]; then \
		echo 'error: no Python 3.10 to 3.13 found; install one: sudo apt install python3 python3-venv python3-dev' >&2; exit 2; fi
	@$(PYTHON) tools/bootstrap.py

demo: setup  ## simulate, train, detect on a live ROS 2 graph, report
	@$(IN_ENV) python tools/demo.py

test: setup lint types unit  ## everything that needs no GPU

lint: setup  ## ruff: rules and format
	@$(IN_ENV) ruff check .
	@$(IN_ENV) ruff format --check .

types: setup  ## mypy, strict
	@$(IN_ENV) mypy

unit: setup  ## pytest; choose with ARGS='-k name'
	@$(IN_ENV) OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m pytest -n $(JOBS) $(ARGS)

soak: setup  ## load with faults for SECONDS=1200, then CYCLES=1000 of the lifecycle
	@$(IN_ENV) OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tools/soak.py --seconds $(SECONDS) --cycles $(CYCLES)

fuzz: setup  ## readers of files and messages with atheris, FUZZ_SECONDS=180 each
	@$(IN_ENV) python -m pip install --quiet --requirement tools/requirements/fuzz.txt
	@$(IN_ENV) python tools/fuzz.py --seconds $(FUZZ_SECONDS)

build: setup  ## colcon build again, whatever the stamps say
	@rm -f install/build.stamp
	@$(PYTHON) tools/bootstrap.py

lock: ## write tools/requirements/lock.txt afresh (needs Python 3.10)
	@$(PYTHON) tools/lock.py

clean:  ## remove what was set up and built
	rm -rf .venv build install log .mypy_cache .ruff_cache .pytest_cache
