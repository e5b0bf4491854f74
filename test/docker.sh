#!/usr/bin/env bash
# Checks the image's promises on real containers: conventions, configuration, privileges, healthcheck, shutdown.
#
#   test/docker.sh                         builds the image with docker, then checks it
#   DOCKER=podman IMAGE=cinnabar test/docker.sh   checks an image that is there
#
# BASE is handed to the build; RUN_FLAGS to every `run` (for machines with unusual limits). Containers get no network:
# everything is asked from inside, so no port of the machine is needed.
set -uo pipefail
cd "$(dirname "$0")/.."

read -ra docker <<< "${DOCKER:-docker}"
read -ra run_flags <<< "${RUN_FLAGS:-}"
image=${IMAGE:-}
name=cinnabar-check-$$
work=$(mktemp -d)
passed=0 failed=0

if [ -z "$image" ]; then
  image=cinnabar-check
  "${docker[@]}" build ${BASE:+--build-arg "BASE=$BASE"} -t "$image" . || exit 1
fi

remove() { "${docker[@]}" rm -f "$name" > /dev/null 2>&1; }
trap 'remove; rm -rf "$work"' EXIT

# start [FLAG ...] -- [COMMAND ...]: a container in the background; waits until it serves or has ended.
start() {
  local flags=()
  while [ "$1" != -- ]; do flags+=("$1"); shift; done
  shift
  remove
  "${docker[@]}" run -d --name "$name" --network none "${run_flags[@]}" "${flags[@]}" "$image" "$@" > /dev/null || return 1
  for _ in $(seq 100); do
    "${docker[@]}" logs "$name" 2>&1 | grep -qi 'ready to accept' && return 0
    [ "$("${docker[@]}" inspect -f '{{.State.Running}}' "$name")" = true ] || break
    sleep 0.1
  done
  "${docker[@]}" logs "$name" 2>&1 | tail -20
  return 1
}
inside() { "${docker[@]}" exec "$name" "$@" 2>&1; }
as() { local user=$1; shift; "${docker[@]}" exec -u "$user" "$name" "$@" 2>&1; }
stop() { "${docker[@]}" stop -t 20 "$name" > /dev/null; "${docker[@]}" inspect -f '{{.State.ExitCode}}' "$name"; }

# check WHAT WANTED FOUND: the same text, or a pattern of the shell.
check() {
  # shellcheck disable=SC2053
  if [[ $3 == $2 ]]; then
    passed=$((passed + 1)); echo "ok    $1"
  else
    failed=$((failed + 1)); printf 'FAIL  %s\n      wanted: %s\n      found:  %s\n' "$1" "$2" "$3"
  fi
}
healthy() { check "$1: healthy" 0 "$(inside healthcheck > /dev/null; echo $?)"; }
unhealthy() { check "$1: not healthy" "*$2*1" "$(inside healthcheck; echo $?)"; }

start --
check 'serves on 6379 without arguments' PONG "$(inside redis-cli ping)"
check 'is Cinnabar' '*cinnabar_version:*' "$(inside redis-cli info server)"
check 'runs as 999:999' '999 999' "$(inside sh -c "awk '/^Uid/{u=\$2} /^Gid/{g=\$2} END{print u, g}' /proc/1/status")"
check 'has no capabilities' 'CapEff:*0000000000000000' "$(inside grep CapEff /proc/1/status)"
check 'the user is called redis' 'uid=999(redis) gid=999(redis)*' "$(inside id redis)"
check 'works in /data' /data "$(as 999 readlink /proc/1/cwd)"
check 'redis-server is on the PATH' '/usr/local/bin/redis-server' "$(inside sh -c 'command -v redis-server')"
check 'protected mode is off' '*no' "$(inside redis-cli config get protected-mode)"
check 'redis-cli is the real one' 'redis-cli [0-9]*' "$(inside redis-cli --version)"
healthy 'no arguments'
inside redis-cli set color red > /dev/null
check 'SIGTERM ends it cleanly' 0 "$(stop)"
"${docker[@]}" start "$name" > /dev/null
sleep 1
check 'SIGTERM saved' red "$(inside redis-cli get color)"

start -- --port 7000
check '--port 7000' PONG "$(inside redis-cli -p 7000 ping)"
healthy '--port 7000'
inside redis-cli -p 7000 config set port 7009 > /dev/null
healthy 'after CONFIG SET port'

start -- redis-server --appendonly yes --maxmemory 128mb --maxmemory-policy allkeys-lru --save 900 1 --save 300 10
check 'compose command: maxmemory' '*134217728' "$(inside redis-cli config get maxmemory)"
check 'compose command: policy' '*allkeys-lru' "$(inside redis-cli config get maxmemory-policy)"
check 'compose command: save' '*900 1 300 10' "$(inside redis-cli config get save)"
check 'compose command: appendonly' '*yes' "$(inside redis-cli config get appendonly)"

mkdir "$work/etc"
printf 'port 7001\nrequirepass "se cret"\nprotected-mode yes\n' > "$work/etc/redis.conf"
chmod 755 "$work" "$work/etc"; chmod 644 "$work/etc/redis.conf"
start -v "$work/etc/redis.conf:/etc/redis.conf:ro" -e 'REDISCLI_AUTH=se cret' -- /etc/redis.conf
check '/etc/redis.conf' PONG "$(inside redis-cli -p 7001 ping)"
check 'the file prevails over the image' '*yes' "$(inside redis-cli -p 7001 config get protected-mode)"
healthy 'password in REDISCLI_AUTH'
start -v "$work/etc/redis.conf:/etc/redis.conf:ro" -- /etc/redis.conf
unhealthy 'no password for the healthcheck' NOAUTH
start -v "$work/etc/redis.conf:/etc/redis.conf:ro" -e REDIS_PORT=7002 -- /etc/redis.conf --requirepass ''
check 'arguments prevail over the file' PONG "$(inside redis-cli -p 7001 ping)"
healthy 'a port from the file, another in the environment'

start -e REDIS_PASSWORD=secret -e REDIS_PORT=7003 -e REDIS_MAXMEMORY=64mb --
check 'REDIS_PASSWORD is wanted' 'NOAUTH*' "$(inside redis-cli -p 7003 ping)"
check 'REDIS_MAXMEMORY' '*67108864' "$(inside sh -c 'REDISCLI_AUTH=secret redis-cli -p 7003 config get maxmemory')"
healthy 'password and port in the environment'

echo secret > "$work/password"
chmod 600 "$work/password" # of root, or of whoever runs this: not of 999
start -v "$work/password:/run/secrets/password:ro" -e REDIS_PASSWORD_FILE=/run/secrets/password --
check 'REDIS_PASSWORD_FILE' PONG "$(inside sh -c 'REDISCLI_AUTH=secret redis-cli ping')"
check 'no password without' 'NOAUTH*' "$(inside redis-cli ping)"
healthy 'password in a file of root'

mkdir -p "$work/data/deep"
touch "$work/data/deep/file" "$work/outside"
ln -s /outside "$work/data/link"
start -v "$work/data:/data" -v "$work/outside:/outside" --
check "a volume's ownership is mended" '999:999 999:999 999:999' \
  "$(inside stat -c %u:%g /data /data/deep /data/deep/file | xargs)"
check 'a link is not followed' '0:0' "$(inside stat -c %u:%g /outside)"
check 'files are for the redis user only' '600' \
  "$(inside redis-cli save > /dev/null; inside stat -c %a /data/dump.rdb)"

start --user 1234:1234 --tmpfs /data:mode=1777 -- --port 7004
check '--user' PONG "$(inside redis-cli -p 7004 ping)"
healthy '--user'

start -- sh -c 'redis-server --port 7005 & wait'
check 'a server started by a shell' PONG "$(inside redis-cli -p 7005 ping)"
healthy 'a server of root, started by a shell'

start -- --port 0 --unixsocket /data/redis.sock
check 'a unix socket' PONG "$(inside redis-cli -s /data/redis.sock ping)"
healthy 'a unix socket only'

start -- --port 7006 --bind 127.0.0.2
healthy 'an address that is not 127.0.0.1'
start -- --port 7007 --bind ::1
healthy 'IPv6 only'

start -v "$work/password:/run/secrets/redis_password:ro" -e REDIS_PASSWORD_FILE=/run/secrets/redis_password \
  --read-only --tmpfs /tmp --security-opt no-new-privileges --cap-drop ALL \
  --cap-add CHOWN --cap-add DAC_READ_SEARCH --cap-add SETGID --cap-add SETUID -- redis-server --appendonly yes
check 'the restrictions of docker-compose.yml' PONG "$(inside sh -c 'REDISCLI_AUTH=secret redis-cli ping')"
healthy 'the restrictions of docker-compose.yml'

start -- sleep 60
unhealthy 'no server' 'no answer'
remove
check 'other programs run as they are' 'redis-cli [0-9]*' \
  "$(timeout 30 "${docker[@]}" run --rm --network none "${run_flags[@]}" "$image" redis-cli --version)"
check 'a wrong directive stops the start' '*nonsense*1' \
  "$(timeout 30 "${docker[@]}" run --rm --network none "${run_flags[@]}" "$image" --nonsense yes 2>&1; echo $?)"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
