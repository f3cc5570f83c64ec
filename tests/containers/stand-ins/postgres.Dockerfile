FROM sidecache-stand-in:bookworm
RUN apt-get install -y --no-install-recommends postgresql-15 >/dev/null && apt-get clean
COPY postgres.sh /postgres.sh
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data
RUN mkdir -p "$PGDATA" /run/postgresql && chown -R postgres:postgres "$PGDATA" /run/postgresql
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/postgres.sh"]
CMD ["postgres"]
