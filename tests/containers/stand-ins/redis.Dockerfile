FROM sidecache-stand-in:bookworm
RUN apt-get install -y --no-install-recommends redis-server >/dev/null && apt-get clean \
 && mkdir /data && chown redis:redis /data
VOLUME /data
WORKDIR /data
ENTRYPOINT ["setpriv", "--reuid=redis", "--regid=redis", "--clear-groups"]
CMD ["redis-server"]
