FROM sidecache-stand-in:bookworm
RUN apt-get install -y --no-install-recommends haproxy >/dev/null && apt-get clean
USER haproxy
STOPSIGNAL SIGUSR1
ENTRYPOINT ["haproxy"]
CMD ["-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
