# One program and the libraries that it is linked with, and nothing else: no shell, no package manager, not root.
#
#   docker build -t sidecache .                           the proxy
#   docker build -t sidecache-demo --target demo .        the same program with the demo backend in it
#
# --build-arg PROFILE=release builds in half the time, and what it builds is a little slower. No line needs BuildKit.

# The dependencies alone, under an empty program: they are built again only when Cargo.toml or Cargo.lock has changed.
FROM rust:1.95-bookworm AS dependencies
ARG PROFILE=dist
ENV PROFILE=$PROFILE
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && touch src/lib.rs && echo 'fn main() {}' > src/main.rs
RUN cargo build --locked --profile "$PROFILE" --bin sidecache

FROM dependencies AS build
COPY src src
COPY config/demo.toml config/demo.toml
COPY deploy/container deploy/container
# `touch`: what is copied keeps its time, and is older than what was built of the empty program.
RUN touch src/lib.rs src/main.rs \
 && cargo build --locked --profile "$PROFILE" --bin sidecache \
 && deploy/container/root.sh target/*/sidecache /image

# The demo's are some more, and those that both have are there.
FROM dependencies AS demo-dependencies
RUN cargo build --locked --profile "$PROFILE" --bin sidecache --features demo

FROM demo-dependencies AS build-demo
COPY src src
COPY config/demo.toml config/demo.toml
COPY deploy/container deploy/container
RUN touch src/lib.rs src/main.rs \
 && cargo build --locked --profile "$PROFILE" --bin sidecache --features demo \
 && deploy/container/root.sh target/*/sidecache /image

FROM scratch AS demo
COPY --from=build-demo /image /
USER 65532:65532
# A database of SQLite that is to stay goes here.
WORKDIR /data
EXPOSE 9000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s CMD ["sidecache", "health", "--url", "http://127.0.0.1:9000/healthz"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["sidecache"]
CMD ["demo", "--backend-only", "--backend", "0.0.0.0:9000"]
LABEL org.opencontainers.image.title="sidecache-demo" \
      org.opencontainers.image.description="The demo backend of sidecache, with the proxy in the same program" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"

# The last one is what `docker build .` makes.
FROM scratch AS sidecache
COPY --from=build /image /
COPY config/docker.toml /etc/sidecache/proxy.toml
USER 65532:65532
WORKDIR /etc/sidecache
ENV SIDECACHE_CONFIG=/etc/sidecache/proxy.toml
EXPOSE 8080 9901
HEALTHCHECK --interval=5s --timeout=3s --start-period=2s CMD ["sidecache", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["sidecache"]
CMD ["run"]
LABEL org.opencontainers.image.title="sidecache" \
      org.opencontainers.image.description="A caching reverse proxy that runs beside one backend API and says of every answer why it came from where it came from" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
