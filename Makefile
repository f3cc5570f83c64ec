# What is run often, each in one word. `make test` is what CI runs too.

.PHONY: test check format bench redis-server

# Sets up what the tests need and runs all of them: unit, integration, documentation, the demo's.
test: redis-server
	cargo test --locked --features demo

# The tests start their own redis-server processes; none of them is skipped where there is none.
redis-server:
	@command -v redis-server >/dev/null || { \
	  echo "redis-server is not on the PATH: installing Debian's"; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server >/dev/null; \
	  else \
	    echo "cannot install it here (needs root and apt-get): install redis-server 6.2 or later yourself, then run make test again" >&2; exit 1; \
	  fi; }

format:
	cargo fmt --all

# Format, lints with and without the demo, documentation.
check:
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --features demo -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --features demo

# A memory hit side by side with bare hyper, nginx, HAProxy and Varnish, as far as they are installed. Needs wrk.
bench:
	bench/hit.py
