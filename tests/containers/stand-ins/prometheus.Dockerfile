FROM sidecache-stand-in:bookworm
RUN apt-get install -y --no-install-recommends prometheus wget >/dev/null && apt-get clean \
 && mkdir /prometheus && chown nobody:nogroup /prometheus
USER nobody
VOLUME /prometheus
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
