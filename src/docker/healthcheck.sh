#!/bin/sh
# Healthy is a server that answers PONG. redis-cli's exit code does not say that: it is 0 on NOAUTH and LOADING, too.
#
# Where the server listens is read from the kernel: right for a port from arguments, environment, configuration file or
# CONFIG SET, and for unix sockets. The password comes from REDISCLI_AUTH, else from REDIS_PASSWORD or REDIS_REQUIREPASS
# or the files that these with _FILE name; it is never an argument, which others could see.

for name in REDIS_PASSWORD REDIS_REQUIREPASS; do
  if [ -z "${REDISCLI_AUTH-}" ]; then eval "REDISCLI_AUTH=\${$name-}"; fi
  eval "file=\${${name}_FILE-}"
  if [ -z "$REDISCLI_AUTH" ] && [ -r "$file" ]; then REDISCLI_AUTH=$(cat "$file"); fi
done
if [ -n "$REDISCLI_AUTH" ]; then export REDISCLI_AUTH; else unset REDISCLI_AUTH; fi

# Listening sockets of the processes that this user may look into, one a line: `tcp ADDRESS PORT` or `unix PATH`.
# The tables hold hexadecimal digits, each group of four bytes last byte first; nobody's own address means loopback.
listening() {
  ls -l /proc/[0-9]*/fd 2> /dev/null | awk '
    function number(digits,    value, at) {
      for (at = 1; at <= length(digits); at++)
        value = value * 16 + index("0123456789ABCDEF", substr(digits, at, 1)) - 1
      return value
    }
    function byte(digits, at) { return substr(digits, at, 2) }
    function ipv4(digits) {
      return number(byte(digits, 7)) "." number(byte(digits, 5)) "." number(byte(digits, 3)) "." number(byte(digits, 1))
    }
    function ipv6(digits,    text, at) {
      for (at = 1; at < 32; at += 8)
        text = text ":" byte(digits, at + 6) byte(digits, at + 4) ":" byte(digits, at + 2) byte(digits, at)
      return substr(text, 2)
    }
    / -> socket:\[/ { gsub(/.*\[|\].*/, ""); mine[$0] = 1; next }
    $4 == "0A" && ($10 in mine) {
      split($2, place, ":")
      if (place[1] ~ /^0+$/) address = length(place[1]) == 8 ? "127.0.0.1" : "::1"
      else address = length(place[1]) == 8 ? ipv4(place[1]) : ipv6(place[1])
      print "tcp", address, number(place[2])
    }
    $4 == "00010000" && ($7 in mine) && $8 ~ /^\// { sub(/.* \//, "/"); print "unix", $0 }
  ' - $(ls /proc/net/tcp /proc/net/tcp6 /proc/net/unix 2> /dev/null)
}

ping() {
  reply=$(timeout 3 redis-cli "$@" ping 2> /dev/null)
  [ "$reply" = PONG ] && exit 0
  echo "${reply:-no answer} ($*)" >&2
}

places=$(listening)
while read -r kind place port; do
  case $kind in
    tcp) ping -h "$place" -p "$port" ;;
    unix) ping -s "$place${port:+ $port}" ;;
  esac
done << END
$places
END

# Root may not look into another user's processes in a container: once more, as that user.
if [ "$(id -u)" = 0 ]; then
  if command -v su-exec > /dev/null; then exec su-exec redis:redis "$0"; fi
  exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0"
fi

# Nothing to be seen: the kernel hides it (some sandboxes do), or nothing listens.
if [ -z "$places" ]; then
  case "${REDIS_PORT-}" in
    '' | *[!0-9]*) ping -p 6379 ;;
    *) ping -p "$REDIS_PORT" ;;
  esac
fi
exit 1
