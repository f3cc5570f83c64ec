"""What the composed whole does when it is asked, and when its parts go away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from client import Load, ask, expect, until
from engine import Failed, docker, say
from image import state
from stack import Stack

ONE = "/api/conversations/1"
LIST = "/api/conversations"
PROBLEM = "application/problem+json"


def all_of(stack: Stack) -> list[tuple[str, Callable[[], None]]]:
    """Each check with its name, in the order in which they are made."""
    checks: list[Callable[[Stack], None]] = [
        comes_up,
        a_first_request_is_stored_and_the_second_a_hit,
        a_client_that_has_the_answer_gets_304,
        a_write_makes_the_next_read_a_miss,
        a_purge_by_command_and_one_over_http,
        prometheus_reads_the_metrics_with_the_token,
        redis_killed_under_load_fails_no_request_and_comes_back_with_what_it_had,
        a_restarted_sidecache_finds_in_redis_what_was_stored,
        a_dead_backend_is_hidden_by_what_is_stored,
        a_crashed_process_is_started_again,
        cache_enabled_false_passes_everything,
        cache_default_ttl_keeps_what_says_nothing,
    ]
    return [(check.__name__.replace("_", " "), lambda check=check: check(stack)) for check in checks]


def comes_up(stack: Stack) -> None:
    services = stack.services()
    stack.compose("up", "--detach", "--no-build", *services, timeout=300)
    stack.wait_until_healthy(*services)
    order = ["postgres", "backend", "sidecache", "prometheus"]
    begun = [state(stack.container(service), "StartedAt") for service in order]
    expect("the order in which they started", begun, sorted(begun))
    for service in services:
        policy = docker("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", stack.container(service))
        expect(f"what happens when {service} ends", policy, "unless-stopped")


def a_first_request_is_stored_and_the_second_a_hit(stack: Stack) -> None:
    first, second = stack.get(ONE), stack.get(ONE)
    expect("the first", (first.status, first.decision), (200, "fwd=uri-miss; stored"))
    expect("the second", (second.status, second.is_hit, "age" in second.fields), (200, True, True))
    expect("their bodies", second.body, first.body)


def a_client_that_has_the_answer_gets_304(stack: Stack) -> None:
    tag = stack.get(ONE).fields["etag"]
    again = stack.get(ONE, fields={"If-None-Match": tag})
    expect("the answer", (again.status, again.is_hit, again.body, again.fields["etag"]), (304, True, b"", tag))


def a_write_makes_the_next_read_a_miss(stack: Stack) -> None:
    written(stack, "Lunch on Monday")
    after = stack.get(ONE)
    expect("the next read", after.decision, "fwd=uri-miss; stored")
    expect("what it shows", json.loads(after.body)["title"], "Lunch on Monday")


def written(stack: Stack, title: str) -> None:
    body = json.dumps({"title": title})
    answer = ask(stack.address("sidecache", 8080), ONE, "PUT", {"Content-Type": "application/json"}, body)
    expect("the write", answer.status, 200)


def a_purge_by_command_and_one_over_http(stack: Stack) -> None:
    stored(stack, ONE)
    stack.compose("exec", "-T", "sidecache", "sidecache", "purge", "--tag", "conversation:1", "--hard")
    expect("after the command", stack.get(ONE).decision, "fwd=uri-miss; stored")
    body = json.dumps({"tags": ["conversation:1"], "hard": True})
    expect("without the token", stack.admin("/api/purge", "POST", body, token="0" * 16).status, 401)
    expect("nothing was purged", stack.get(ONE).is_hit, True)
    answer = stack.admin("/api/purge", "POST", body)
    expect("with it", (answer.status, json.loads(answer.body)["shared"]), (200, True))
    expect("after the call", stack.get(ONE).decision, "fwd=uri-miss; stored")


def stored(stack: Stack, path: str) -> None:
    stack.get(path)
    until(f"{path} is a hit", lambda: stack.get(path).is_hit, 10)


def keys(redis: str) -> int:
    return int(docker("exec", redis, "redis-cli", "dbsize").split()[-1])


def prometheus_reads_the_metrics_with_the_token(stack: Stack) -> None:
    expect("without the token", ask(stack.address("sidecache", 9901), "/metrics").status, 401)
    for query in ('up{job="sidecache"}', 'sum(sidecache_requests_total{job="sidecache"})', 'up{job="backend"}', 'sum(http_requests_total{job="backend"})'):
        until(f"Prometheus knows {query}", lambda query=query: prometheus(stack, query) > 0, 60)


def prometheus(stack: Stack, query: str) -> float:
    quoted = query.replace("{", "%7B").replace("}", "%7D").replace('"', "%22").replace("=", "%3D")
    answer = ask(stack.address("prometheus", 9090), f"/api/v1/query?query={quoted}")
    result = json.loads(answer.body)["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


def redis_killed_under_load_fails_no_request_and_comes_back_with_what_it_had(stack: Stack) -> None:
    paths = [f"/api/conversations/{number}" for number in range(1, 40)]
    for path in paths:
        stored(stack, path)
    redis = stack.container("redis")
    until("all of it is in Redis", lambda: keys(redis) >= len(paths), 20)
    with Load(stack.address("sidecache", 8080), paths) as load:
        docker("kill", redis)
        until("the proxy says that Redis is out", lambda: readiness(stack) == ("degraded", "out"), 30)
        time.sleep(2)
        docker("start", redis)
        until("the proxy says that it is back", lambda: readiness(stack) == ("ready", "up"), 30)
    say(f"  {load.counts['good']} requests, the slowest {load.slowest * 1000:.0f} ms")
    expect("what failed", load.failed, {})
    if load.slowest > 2:
        raise Failed(f"a request took {load.slowest:.1f} s while Redis was away")
    # Its memory was lost with the process; the file was not.
    if keys(redis) < len(paths):
        raise Failed(f"Redis has {keys(redis)} keys of {len(paths)} after its restart")


def readiness(stack: Stack) -> tuple[str, str]:
    said = json.loads(stack.admin("/readyz").body)
    return said["status"], said["redis"]


def a_restarted_sidecache_finds_in_redis_what_was_stored(stack: Stack) -> None:
    stored(stack, ONE)
    stack.compose("restart", "sidecache")
    stack.wait_until_healthy("sidecache")
    until("it has Redis", lambda: readiness(stack) == ("ready", "up"), 20)
    answer = stack.get(ONE)
    expect("the first answer of the new process", (answer.is_hit, "detail=redis" in answer.decision), (True, True))


def a_dead_backend_is_hidden_by_what_is_stored(stack: Stack) -> None:
    stored(stack, ONE)
    backend = stack.container("backend")
    docker("kill", backend)
    expect("what is fresh", stack.get(ONE).is_hit, True)
    stack.admin("/api/purge", "POST", json.dumps({"tags": ["conversation:1"]}))
    stale = stack.get(ONE)
    expect("what is stale", (stale.status, "detail=stale-if-error" in stale.decision), (200, True))
    unknown = stack.get("/api/conversations/77")
    if unknown.status not in (502, 504):
        raise Failed(f"what was never stored is {unknown.status}")
    expect("how it is said", unknown.fields["content-type"], PROBLEM)
    docker("start", backend)
    stack.wait_until_healthy("backend")
    until("it is fresh again", lambda: stack.get(ONE).is_hit and "stale" not in stack.get(ONE).decision, 60)


def a_crashed_process_is_started_again(stack: Stack) -> None:
    for service in ("sidecache", "redis", "backend"):
        container = stack.container(service)
        before = state(container, "StartedAt")
        crash(container)
        until(f"{service} has been started again", lambda: state(container, "StartedAt") != before, 30)
        stack.wait_until_healthy(service)
    until("requests are answered", lambda: stack.get(ONE).status == 200, 30)


def crash(container: str) -> None:
    """Kills its process as a fault does: the engine knows nothing of it. (`docker kill` would be an operator's wish.)"""
    kill = ["--entrypoint=sh", "redis:7-bookworm", "-c", f"kill -9 {state(container, 'Pid')}"]
    docker("run", "--rm", "--user=0", "--pid=host", "--network=none", *kill)


def cache_enabled_false_passes_everything(stack: Stack) -> None:
    stored(stack, ONE)
    recreated(stack, CACHE_ENABLED="false")
    for _ in range(2):
        answer = stack.get(ONE)
        expect("an answer", (answer.status, answer.decision), (200, "fwd=bypass; detail=disabled"))
    written(stack, "Written while the cache was off")
    recreated(stack)
    title = json.loads(stack.get(ONE).body)["title"]
    expect("the title once it is on again", title, "Written while the cache was off")


def recreated(stack: Stack, **env: str) -> None:
    stack.compose("up", "--detach", "--no-build", "--no-deps", "sidecache", env=env)
    stack.wait_until_healthy("sidecache")


def cache_default_ttl_keeps_what_says_nothing(stack: Stack) -> None:
    expect("without it", stack.get("/healthz").decision, "fwd=uri-miss; detail=no-lifetime")
    recreated(stack, CACHE_DEFAULT_TTL="very_long")
    until("with it", lambda: stack.get("/healthz").decision.startswith("hit; ttl=8639"), 10)
    recreated(stack)
