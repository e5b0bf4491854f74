# Cinnabar in an image that is used like Redis's own: same user, volume, port and commands, redis-cli included.
#
#   docker build -t cinnabar .
#   docker build -t cinnabar --build-arg BASE=node:24-alpine .
#
# BASE is any image with Node 20.19 or later that has Debian's or Alpine's packages.
ARG BASE=node:24-slim

FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY build.mjs ./
COPY src src
RUN node build.mjs --js && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${BASE}

# The user has the same numbers on every base, so that a volume can move between them. (On Alpine the number 999 belongs
# to a group `ping` that nothing uses.) Of Alpine's package, which is server and all, redis-cli stays.
RUN set -eu; \
  if command -v apk > /dev/null; then \
    if getent group ping > /dev/null; then delgroup ping; fi; \
    addgroup -S -g 999 redis; \
    adduser -S -D -H -h /data -s /sbin/nologin -u 999 -G redis redis; \
    apk add --no-cache redis su-exec; \
    rm -f /usr/bin/redis-server /usr/bin/redis-sentinel /usr/bin/redis-check-* /usr/bin/redis-benchmark; \
    rm -f /etc/redis.conf /etc/sentinel.conf; \
  else \
    groupadd --system --gid 999 redis; \
    useradd --system --uid 999 --gid redis --home-dir /data --no-create-home --shell /usr/sbin/nologin redis; \
    apt-get update; \
    apt-get install --yes --no-install-recommends redis-tools; \
    rm -rf /var/lib/apt/lists/*; \
  fi; \
  mkdir -p /data /opt/cinnabar; \
  chown redis:redis /data; \
  for name in cinnabar redis-check-aof redis-check-rdb; do \
    ln -s /opt/cinnabar/dist/main.js /usr/local/bin/$name; \
  done; \
  redis-cli --version

COPY LICENSE package.json /opt/cinnabar/
COPY --from=build /build/node_modules /opt/cinnabar/node_modules
COPY --from=build /build/dist /opt/cinnabar/dist
COPY src/docker/redis-server.sh /usr/local/bin/redis-server
COPY src/docker/entrypoint.sh /usr/local/bin/docker-entrypoint.sh
COPY src/docker/healthcheck.sh /usr/local/bin/healthcheck

# Below the configuration file and the arguments, so either can switch it on again. A container's port is reachable only
# where it is published, and from its own address the server cannot tell.
ENV NODE_ENV=production REDIS_PROTECTED_MODE=no

VOLUME /data
WORKDIR /data
EXPOSE 6379
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["healthcheck"]
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]
