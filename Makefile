# Everything a checkout needs: `make demo` and `make test` set up what they use by themselves.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready

.PHONY: demo test check fix golden docs wheel versions real-data interop fuzz bench clean

demo: $(READY)  ## The main job on synthetic data: a table and report.html
	$(BIN)/noisylabels demo

test: $(READY)  ## All tests
	$(BIN)/python -m pytest -n 2

check: $(READY)  ## Format, lint, types, import contracts, tests: before every commit
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2

fix: $(READY)  ## Format and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(READY)  ## Write the golden pictures and digests anew; read the diff before you commit it
	$(BIN)/python tests/golden/write.py

docs: $(READY)  ## Write docs/modes.md, docs/methods.md, docs/presets.md and the pictures anew
	$(BIN)/python docs/make_modes.py
	$(BIN)/python docs/make_methods.py
	$(BIN)/python docs/make_phantoms.py
	$(BIN)/python docs/make_presets.py

wheel: $(READY)  ## dist/*.whl
	$(BIN)/python -m build --wheel

versions: $(READY)  ## Golden digests under other numpy and scipy versions
	$(BIN)/python tests/golden/versions.py

real-data: $(READY)  ## Tests on real files: make real-data DATA=folder
	$(BIN)/python -m pytest -m real_data --real-data=$(DATA) tests

interop: $(READY)  ## nnU-Net, MONAI, SimpleITK and nibabel on our datasets
	$(BIN)/python tests/interop/run.py

fuzz: $(READY)  ## Ten thousand random recipes on random small maps
	$(BIN)/python tests/fuzz.py

bench: $(READY)  ## Tables of speed, as ratios to peers in the same run; peers that are not installed are left out
	for family in affinity balls corruptions elastic markov objects polygons readers; do \
	    $(BIN)/python benchmarks/$$family.py --quick || exit 1; done
	$(BIN)/python benchmarks/large.py

# elasticdeform has no wheel that works with numpy 2; where there is no compiler the tests compare with its digests only.
# torch first and pinned: a later resolver run then leaves the build that is there alone.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "noisylabels needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,fast,report,dev]'
	-$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-binary elasticdeform elasticdeform
	touch $@

clean:  ## Remove what make made
	rm -rf $(VENV) build dist noisylabels-demo *.egg-info
