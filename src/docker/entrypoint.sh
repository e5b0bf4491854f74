#!/bin/sh
# The container's first process. It keeps the conventions of Redis's own image, so commands written for that one work:
#
#   docker run image                          redis-server
#   docker run image --port 7000              redis-server --port 7000
#   docker run image /etc/redis.conf          redis-server /etc/redis.conf
#   docker run image redis-cli -h elsewhere   that program, as root
#
# Started as root (no --user), it makes /data the redis user's and then becomes that user for good.
set -e

case "${1-}" in
  -* | *.conf) set -- redis-server "$@" ;;
esac

as_redis() {
  if command -v su-exec > /dev/null; then # Alpine
    su-exec redis:redis "$@"
  else
    setpriv --reuid=redis --regid=redis --clear-groups -- "$@"
  fi
}

# A secret's file may be readable by root only. The server is not root: it is then given the secret itself.
pass_on_secrets() {
  for name in REDIS_PASSWORD REDIS_REQUIREPASS REDIS_MASTERAUTH; do
    eval "file=\${${name}_FILE-}"
    if [ -n "$file" ] && [ -r "$file" ] && ! as_redis test -r "$file"; then
      eval "$name=\$(cat \"\$file\")"
      export "$name"
      unset "${name}_FILE"
    fi
  done
}

case "${1-}" in
  redis-server | cinnabar)
    if [ "$(id -u)" = 0 ]; then
      # -h: a link in the volume is not a way to take over the file that it points to.
      find /data ! -user redis -exec chown -h redis:redis {} + ||
        echo "warning: not all of /data could be given to user redis" >&2
      pass_on_secrets
      if command -v su-exec > /dev/null; then exec su-exec redis:redis "$0" "$@"; fi
      exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
    fi
    # The usual umask would let everybody in the container read the data files; one that was chosen stays.
    if [ "$(umask)" = 0022 ]; then umask 0077; fi
    ;;
esac

exec "$@"
