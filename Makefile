# What is run often, each in one word. `make test` is what CI runs too.

.PHONY: test check format baseline baseline-check bench guard fuzz soak clients conformance tools postgresql cargo-deny deny audit audit-where-reachable containers deploy-check

# The one that deny.toml is written for.
CARGO_DENY := 0.20.2

# Sets up what the tests need and runs all of them: unit, integration, documentation, the demo's.
test: tools
	cargo test --locked --features demo

# Installs Debian's packages $$missing, where there are any and it may, and says so where not.
define install
	if [ -n "$$missing" ]; then \
	  echo not installed: $$missing"; installing Debian's"; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else \
	    echo "cannot install here (that needs root and apt-get): install them yourself and run make again" >&2; false; \
	  fi; \
	fi
endef

# $(call need,PROGRAMS) installs the packages of these names where they are not on the PATH.
define need
	@missing=""; \
	for program in $(1); do command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	$(install)
endef

# The tests start their own redis-server and PostgreSQL processes and run the README's curl lines; none is skipped for want of
# them. Debian keeps PostgreSQL's programs beside the PATH, where the tests look too.
tools:
	$(call need,redis-server curl)
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || $(MAKE) --no-print-directory postgresql

postgresql:
	$(call need,postgresql)

# Fails where a hit, a 304, a pass or a miss costs more instructions or allocations than bench/guard.baseline.json says, and where
# a request of a stranger can cost too much. `bench/guard.py --bless` accepts what those four cost now.
guard:
	$(call need,valgrind python3)
	bench/guard.py --self-test
	bench/guard.py
	bench/attacks.py --self-test
	bench/attacks.py --no-build

# What the whole stack does, measured: writes docs/baseline.md, its plots and its figures. Some ten minutes on a machine that does
# nothing else meanwhile. BASELINE="--rows 100000 --out /tmp" is less, and elsewhere.
baseline: tools
	cargo build --locked --release --features demo --bin sidecache --example baseline
	cargo run --quiet --locked --release --features demo --example baseline -- $(BASELINE)

# The same in short, with what `make test` has built: fails where a figure is missing, or out of order on any machine.
baseline-check: tools
	cargo build --locked --features demo --bin sidecache --example baseline
	cargo run --quiet --locked --features demo --example baseline -- --short

format:
	cargo fmt --all

# Format, lints with and without the demo, documentation.
check:
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --features demo -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --features demo

# Unoptimised, it is built in one minute and not in five.
cargo-deny:
	@cargo deny --version 2>/dev/null | grep -qx "cargo-deny $(CARGO_DENY)" || cargo install --locked --debug --quiet cargo-deny@$(CARGO_DENY)

# Licences, banned crates and where crates come from, as deny.toml says. Needs no network but that of the build.
deny: cargo-deny
	cargo deny --locked check licenses bans sources

# Known defects and yanked versions, by the database of RustSec. Fails where that cannot be fetched.
audit: cargo-deny
	cargo deny --locked check advisories

# As audit; where the database cannot be fetched it says so and fails nothing: the machines of CI may have no way to it.
audit-where-reachable: cargo-deny
	@if cargo deny --locked fetch db >/dev/null 2>&1; then \
	  $(MAKE) --no-print-directory audit; \
	else \
	  echo "NOT CHECKED: the database of known defects cannot be fetched from here; run make audit where it can" >&2; \
	fi

# The images and docker-compose.yml, built, started and tested from outside; says so where there is no engine. Where there is no
# registry, stand-ins of Debian's packages take the place of the images that the files name, for which it needs root.
# PROFILE=dev builds fastest.
PROFILE := dist
containers:
	@if docker info >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! command -v debootstrap >/dev/null; then \
	  $(MAKE) --no-print-directory debootstrap; \
	fi
	tests/containers/run.py --profile $(PROFILE)

.PHONY: debootstrap
debootstrap:
	$(call need,debootstrap)

# What deploy/ holds, against the schemas of Kubernetes and systemd's own checks.
deploy-check: target/deploy-check
	cargo build --locked --features demo
	target/deploy-check/bin/python tests/deploy/check.py

target/deploy-check: tests/deploy/requirements.txt
	rm -rf $@
	python3 -m venv $@
	$@/bin/pip install --quiet --requirement $<
	touch $@

# The properties of parsers, rules and the entry format with two hundred times as many inputs, and a million mutated byte
# streams through the connection before a scripted upstream: some minutes.
fuzz: tools
	PROPTEST_CASES=51200 cargo test --locked --release --lib -- properties any_bytes_are_a_value_or_an_error
	STREAMS=1000000 cargo test --locked --release --features demo --test it -- streams --nocapture --test-threads 1

# The long forms of what is promised under load and in trouble, and a walk of 100,000 random requests, with what they
# measured, and real clients: some minutes. Needs 21000 file descriptors.
soak: tools
	SOAK=1 cargo test --locked --release --features demo --test it -- reliability degraded topologies model --nocapture --test-threads 1
	$(MAKE) --no-print-directory clients

# curl, wget, aria2c, git, pip, apt, Node and Chromium at an origin and at the proxy before it: the same bytes and verdicts, and no
# more work for the origin. CLIENTS=--present-only lets pass what cannot be installed; CLIENTS="curl git/shallow" runs these alone.
clients:
	$(call need,python3)
	cargo build --locked
	@missing="$$(tests/clients/run.py --missing)"; ($(install)) || true
	tests/clients/run.py --self-test
	tests/clients/run.py $(CLIENTS)

# The public cache suite with memory and with Redis; RUNNER is its run.py.
conformance: tools
	cargo build --locked --release
	tests/conformance.sh $(RUNNER)

# A memory hit side by side with bare hyper, nginx, HAProxy and Varnish, as far as they are installed. Needs wrk.
bench:
	bench/hit.py
