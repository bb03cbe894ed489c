# Every target sets up what it needs, from a machine with nothing but Python 3.11 or newer.
#
#   make demo        a new piece, as MIDI, sound and picture, in demo/
#   make test        the tests
#   make test-slow   those that take minutes too, and 500 examples a property
#   make test-lowest the tests, with the oldest release of everything that pyproject.toml admits
#   make lint        ruff, and mypy as on Linux and as on Windows
#   make check       lint, wheels for every system, size and start-up time
#   make bench       timings beside other programs, into bench/RESULTS.md
#   make tables      published tables, a row at a time; goes on where it stopped
#   make gallery     every verb by every family, seeds 1 to 20, as pages with faults and sentences, in gallery/
#   make fuzz        damaged files at the readers for seven minutes
#   make clean       forget everything that was made here

.PHONY: demo test test-slow test-lowest lint check bench tables gallery fuzz hooks clean
.DELETE_ON_ERROR:

# The timings and the seeds hold at one thread a process; the tests run one process a core.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

demo: $(VENV)/base
	$(BIN)/partimento demo

test: $(VENV)/dev
	$(PY) -m pytest -n auto --dist worksteal $(ARGS)

test-slow: export HYPOTHESIS_PROFILE := deep
test-slow: $(VENV)/dev
	$(PY) -m pytest -n auto --dist worksteal -m "slow or not slow" --durations 20 $(ARGS)

test-lowest: $(VENV)/dev
	$(PY) checks/lowest.py $(ARGS)

lint: $(VENV)/dev
	$(PY) -m ruff check
	$(PY) -m mypy
	$(PY) -m mypy --platform win32 --cache-dir .mypy_cache/win32

check: lint
	$(PY) checks/wheels.py
	$(PY) checks/size.py

bench: $(VENV)/bench
	$(PY) bench/run.py $(ARGS)

tables: $(VENV)/bench
	$(PY) bench/run.py --tables $(ARGS)

gallery: $(VENV)/dev
	$(PY) checks/gallery.py gallery $(ARGS)

fuzz: $(VENV)/dev
	$(PY) bench/fuzz_midi.py --seconds 120 --engine plain $(ARGS)
	$(PY) bench/fuzz_midi.py --seconds 120 --native guarded $(ARGS)
	for kind in musicxml abc kern; do $(PY) bench/fuzz_$$kind.py --seconds 60 || exit 1; done

hooks: $(VENV)/dev
	$(PY) -m pre_commit install

clean:
	rm -rf $(VENV) build dist demo gallery out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests bench checks -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp a set of packages: written last, so a setup that was interrupted is done again.
$(VENV)/base: pyproject.toml constraints.txt
	@$(PY) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || { \
	  for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	    "$$python" -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
	      && echo "setting up $(VENV) with $$("$$python" --version)" \
	      && exec "$$python" -m venv --clear $(VENV); \
	  done; \
	  echo "partimento needs Python 3.11 or newer with its venv module (on Debian: apt install python3-venv); none of \
	python3, python3.14, python3.13, python3.12, python3.11 is one. Say which to use: make PYTHON=/path/to/python" >&2; \
	  exit 1; }
	@$(PIP) --editable .
	@touch $@

$(VENV)/dev: $(VENV)/base
	@$(PIP) --editable ".[dev,train,scores]"
	@touch $@

$(VENV)/bench: $(VENV)/dev bench/requirements.txt
	@$(PIP) --requirement bench/requirements.txt
	@touch $@
