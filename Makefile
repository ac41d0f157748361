# Verbale. `make help` lists what there is.
# Compiled dependencies live outside the checkout, so that a fresh clone does not compile RocksDB again.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/verbale/target
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help setup build demo test check simulate fuzz bench docker install clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: ## install what the build needs (Debian, Ubuntu): a C++ compiler, libclang, Python's cryptography, Chromium for the page's tests, openssl, Node and Go for those of interoperability, and Rust if there is none
	@missing=""; \
	command -v g++ >/dev/null || missing="$$missing g++"; \
	ls /usr/lib/llvm-*/lib/libclang.so* /usr/lib/*/libclang-[0-9]*.so* >/dev/null 2>&1 || missing="$$missing libclang-dev"; \
	command -v cargo >/dev/null || command -v rustup >/dev/null || missing="$$missing rustup"; \
	command -v python3 >/dev/null || missing="$$missing python3"; \
	python3 -c "import cryptography" 2>/dev/null || missing="$$missing python3-cryptography"; \
	command -v chromium >/dev/null && command -v chromedriver >/dev/null || missing="$$missing chromium chromium-driver"; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	command -v go >/dev/null || missing="$$missing golang-go"; \
	test -d /usr/share/gocode/src/golang.org/x/mod || missing="$$missing golang-golang-x-mod-dev"; \
	command -v openssl >/dev/null || missing="$$missing openssl"; \
	if [ -n "$$missing" ]; then echo "Installing with apt-get:$$missing"; \
	$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing; fi
	@command -v cargo >/dev/null || rustup default stable
	@cargo --version | awk '{ split($$2, v, "."); if (v[1] < 2 && v[2] < 90) { \
	print "This is cargo " $$2 "; Verbale needs Rust 1.90 or newer. Install it with rustup, and try again."; exit 1 } }'

build: setup ## compile the `verbale` program
	cargo build --locked

demo: build ## start six parties on this machine, play the Open Skies history, leave its evidence in verbale-demo/
	$(CARGO_TARGET_DIR)/debug/verbale demo --dir verbale-demo --again

check: setup ## formatting, lints and documentation
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features --lib -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib

test: check ## everything that proves that it works
	cargo test --locked

simulate: setup ## many seeds of trouble for the engine: make simulate SEEDS=5000
	VERBALE_SEEDS=$(or $(SEEDS),2000) cargo test --locked --no-default-features --test simulation -- --nocapture

fuzz: setup ## coverage-guided fuzzing of every decoder: make fuzz SECONDS=600 (each), TARGET=note (only that one)
	command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	VERBALE_CORPUS=fuzz/corpus cargo test --locked --no-default-features --test decoders -q each_decoder_reads
	VERBALE_CORPUS=fuzz/corpus cargo test --locked --no-default-features --features cli --test archives -q each_reader_reads
	cd fuzz && for target in $(or $(TARGET),$(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))); do \
	CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)/fuzz cargo fuzz run --sanitizer none $$target -- \
	-max_total_time=$(or $(SECONDS),60) -max_len=70000 -print_final_stats=1 || exit 1; done

# The profile `dev` with our own code optimised: everything else is optimised in it anyway, and compiled already.
bench: setup ## what a node does in a second, beside what the machine does
	CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo bench --locked --profile dev --bench ledger
	CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo bench --locked --profile dev --bench store
	CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo bench --locked --profile dev --bench transfer
	CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo bench --locked --profile dev --bench audit
	CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo bench --locked --profile dev --no-default-features --bench law

docker: build ## six parties in containers, one of them cut off and back (needs a running Docker engine)
	docker/try

install: setup ## install the optimised program for this user
	cargo install --locked --path .

clean: ## remove what was compiled
	rm -rf $(CARGO_TARGET_DIR)
