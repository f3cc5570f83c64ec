# The image ships the `dist` profile: one program, no shell needed to run it, not root.
#
#   docker build -t sidecache .                              the proxy
#   docker build -t sidecache-demo --build-arg FEATURES=demo .    with the demo backend

FROM rust:1.95-bookworm AS build
ARG FEATURES=""
WORKDIR /source
COPY . .
RUN cargo build --locked --profile dist --bin sidecache --features "$FEATURES"

FROM debian:bookworm-slim
COPY --from=build /source/target/dist/sidecache /usr/local/bin/sidecache
# For a Redis behind TLS whose certificate a public authority has signed.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY config/docker.toml /etc/sidecache/proxy.toml
RUN mkdir /data && chown 65532:65532 /data
USER 65532:65532
WORKDIR /data
ENV SIDECACHE_CONFIG=/etc/sidecache/proxy.toml
EXPOSE 8080 9901
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s CMD ["sidecache", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["sidecache"]
CMD ["run"]
