# What is run often, each in one word. `make test` is what CI runs too.

.PHONY: test check format bench tools

# Sets up what the tests need and runs all of them: unit, integration, documentation, the demo's.
test: tools
	cargo test --locked --features demo

# The tests start their own redis-server processes and run the README's curl lines; none is skipped for want of them.
tools:
	@missing=""; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	if [ -n "$$missing" ]; then \
	  echo "not on the PATH:$$missing; installing Debian's"; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else \
	    echo "cannot install here (that needs root and apt-get): install$$missing yourself and run make test again" >&2; exit 1; \
	  fi; \
	fi

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
