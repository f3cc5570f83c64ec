FROM sidecache-stand-in:bookworm
RUN apt-get install -y --no-install-recommends gcc libc6-dev >/dev/null && apt-get clean
COPY toolchain /usr/local
COPY registry /usr/local/cargo/registry
# What the build needs was fetched outside, where a way to the registry is known to work.
ENV CARGO_HOME=/usr/local/cargo CARGO_NET_OFFLINE=true
