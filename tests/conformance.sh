#!/usr/bin/env bash
# Runs the public cache suite (a runner that plays origin and client) against a build of the proxy, with memory and with Redis.
#
#   tests/conformance.sh RUNNER [BINARY]
#
# RUNNER is a run.py that takes --proxy and --origin-port and closes with `N passed, M failed`.
set -euo pipefail
runner=${1:?the runner of the suite}
binary=${2:-target/release/sidecache}
cd "$(dirname "$0")/.."
port=$((20000 + RANDOM % 20000))

suite() {
  "$binary" run --config config/conformance.toml --set "server.listen=127.0.0.1:$port" --set "admin.listen=127.0.0.1:0" \
    --set "upstream.url=http://127.0.0.1:$((port + 1))" "$@" >/dev/null &
  proxy=$!
  trap 'kill "$proxy" ${redis:+"$redis"} 2>/dev/null' EXIT
  for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.05; done
  python3 "$runner" --proxy "127.0.0.1:$port" --origin-port "$((port + 1))" || failed=1
  kill "$proxy"; wait "$proxy" || true
}

failed=0
echo "memory:"; suite
redis-server --port $((port + 2)) --save "" --appendonly no >/dev/null &
redis=$!
sleep 0.5
echo "redis:"; suite --set cache.memory.max=0 --set "cache.redis.url=redis://127.0.0.1:$((port + 2))"
kill "$redis"
exit "$failed"
