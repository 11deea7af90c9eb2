# Two commands: `make run` and `make test`. Both set everything up first, in .venv.
# `make gpu-check` measures the GPU backends and runs the tests that need a GPU; GPU_PYTHON names a
# python that already has torch with CUDA, where none can be installed: it needs no test plugin.
# TORCH: what pip installs for training and tests. Where pip sees only PyPI this is the CUDA build
# (several GB); point PIP_EXTRA_INDEX_URL at PyTorch's CPU index for the small one.
# WORKERS: test files that run at the same time. Most of them wait, so 5 suit two cores; 0 runs all in
# one process, where --pdb and -s work.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
TORCH ?= torch==2.13.0
WORKERS ?= 5
VENV := .venv
BIN := $(VENV)/bin
PACKAGED := ecg_stream streamer engine gui models ward
SOURCES := $(PACKAGED) tests

# What Qt needs to draw, offscreen and on an X display. liblsl comes inside pylsl.
GLIB := $(shell apt-cache show libglib2.0-0t64 >/dev/null 2>&1 && echo libglib2.0-0t64 || echo libglib2.0-0)
PACKAGES := $(GLIB) libegl1 libgl1 libxkbcommon0 libfontconfig1 libdbus-1-3 \
	libxcb-cursor0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0
ifeq ($(shell $(PYTHON) -c "import ensurepip" 2>/dev/null && echo yes),)
PACKAGES += $(notdir $(shell readlink -f $(PYTHON)))-venv
endif

.PHONY: run test gpu-check lint types docs check pictures bench soak audit sbom container lock system clean

run: $(VENV)/.run
	@mkdir -p out
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then $(BIN)/ecg-stream; \
	else $(BIN)/ecg-stream --seconds 30 --json out/run.json --plot out/run.png; fi

# Hundreds of tests start a process of their own, and where PYTHONDONTWRITEBYTECODE is set each would compile all.
test: $(VENV)/.test
	$(BIN)/python -m compileall -q $(PACKAGED)
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

gpu-check: $(if $(GPU_PYTHON),,$(VENV)/.test)
	@mkdir -p out
	$(or $(GPU_PYTHON),$(BIN)/python) -m ecg_stream profile gpu --json out/gpu-check.json
	$(or $(GPU_PYTHON),$(BIN)/python) -m pytest -m gpu --noconftest -o addopts= -o filterwarnings=default \
		tests/test_gpu.py $(PYTEST_ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(VENV)/.test
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini

# The site of docs/, in out/site; a broken link is an error.
docs: $(VENV)/.test
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "documentation: out/site/index.html"

check: lint types docs test

# Every screen in three sizes and both themes, in out/screens; the chosen ones go to docs. No data, no display.
pictures: $(VENV)/.test
	$(BIN)/python tests/screens/pictures.py --out out/screens --docs docs

# The long versions: a day of eight patients with every fault, 10 000 fuzzed runs and hostile inputs, 200
# kills of the recorder, an hour of each noise without a heart, $(SOAK_MINUTES) minutes of a live stream at real speed
# whose engine dies, half an hour of the window (it needs Xvfb); then `make bench`, as long between two hosts in it. Six
# hours; their last figures stand in docs/results: soak.json, safety, screen and live.
SOAK_JSON ?= docs/results/soak.json
FUZZ ?= 10000
soak: $(VENV)/.test
	@mkdir -p $(dir $(SOAK_JSON)) out
	ECG_STREAM_FUZZ=$(FUZZ) ECG_STREAM_SOAK=$(SOAK_JSON) $(BIN)/python -m pytest -m slow \
		tests/test_recording.py tests/test_fuzz_engine.py tests/test_fuzz_input.py tests/test_ward_log.py
	$(BIN)/ecg-stream soak --json $(SOAK_JSON) --save $$(mktemp -d -p out soak-XXXX)
	$(BIN)/ecg-stream soak --hours 0.5 --model lowdelay --json $(SOAK_JSON)
	$(BIN)/ecg-stream soak --hours 0.5 --model unet --json $(SOAK_JSON)
	mkdir -p $(BENCH_OUT) && $(BIN)/ecg-stream soak --live --minutes $(SOAK_MINUTES) --json $(BENCH_OUT)/soak.json
	$(BIN)/ecg-stream evaluate safety --models lowdelay --lookahead 100 --out out/safety
	$(BIN)/python tests/screens/long_run.py --minutes 30 --json docs/results/screen/long-run.json
	mkdir -p docs/results/safety && cp out/safety/report.md out/safety/safety.json docs/results/safety
	$(MAKE) bench

# Live scenarios, sample by sample: 200 in simulated time, 20 between two hosts, five minutes of a link that is cut,
# $(SOAK_MINUTES) minutes at real speed, a day for the memory, and the delay beside a bare loop. Two and a half hours,
# most of them of waiting; the last figures stand in docs/results/live.
BENCH_OUT ?= docs/results/live
SOAK_MINUTES ?= 60
bench: $(VENV)/.test
	$(BIN)/python tests/two_hosts/bench.py --out $(BENCH_OUT) \
		--scenarios 200 --real 20 --outage --soak $(SOAK_MINUTES) --day 24 --delay 300

# Known vulnerabilities of what is installed; asks PyPI, and says so where it does not answer.
audit: $(VENV)/.test
	$(BIN)/python .ci/audit.py

# All that is installed, as a CycloneDX list of parts.
sbom: $(VENV)/.test
	@mkdir -p out
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o out/sbom.cdx.json locked.txt

# The Dockerfile's own commands in a fresh virtual environment, and its health check; some minutes.
container:
	$(PYTHON) .ci/container.py

# What is installed from now on: the newest versions that pyproject.toml allows.
lock: | $(BIN)/python
	$(BIN)/python .ci/lock.py $(TORCH) > locked.new && mv locked.new locked.txt || { rm -f locked.new; exit 1; }

# System libraries: installed where this user may, otherwise the command is printed.
system:
	@command -v dpkg-query >/dev/null || { echo "no dpkg here: install the equivalents of: $(PACKAGES)"; exit 0; }; \
	missing=""; \
	for package in $(PACKAGES); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q "ok installed" || missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	install="apt-get install -y --no-install-recommends$$missing"; \
	if [ "$$(id -u)" = 0 ]; then apt-get update && DEBIAN_FRONTEND=noninteractive $$install; \
	elif sudo -n true 2>/dev/null; then sudo apt-get update && sudo DEBIAN_FRONTEND=noninteractive $$install; \
	else echo "system libraries are missing; please run: sudo $$install"; fi

$(BIN)/python: | system
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# locked.txt says which versions; pyproject.toml, which are allowed.
INSTALL = $(BIN)/python -m pip install --constraint locked.txt

$(VENV)/.run: pyproject.toml locked.txt | $(BIN)/python
	@echo "installing what ecg-stream needs into $(VENV), once: a few minutes"
	$(INSTALL) --editable ".[gui]"
	@touch $@

$(VENV)/.test: pyproject.toml locked.txt | $(BIN)/python
	@echo "installing what the tests need into $(VENV), once: some minutes"
	$(INSTALL) $(TORCH)
	$(INSTALL) --editable ".[train,gui,dev,docs,thirdparty,detectors]"
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV) out
