"""Two replicas behind a balancer, of which one is replaced while clients ask."""

from __future__ import annotations

import time
from collections.abc import Callable

from client import Load, ask, expect, until
from engine import docker, say
from image import state
from stack import Stack, health

PATHS = [f"/api/conversations/{number}" for number in range(1, 30)] + ["/api/conversations", "/api/users"]


def all_of(stack: Stack) -> list[tuple[str, Callable[[], None]]]:
    return [("one of two sidecaches is replaced under load and no request fails", lambda: one_of_two(stack))]


def one_of_two(stack: Stack) -> None:
    two = ["up", "--detach", "--no-build", "--no-recreate", "--scale", "sidecache=2", "sidecache", "balancer"]
    stack.compose(*two)
    until("both are healthy", lambda: healthy(stack) == 2, 60)
    balancer = stack.address("balancer", 8000)
    until("the balancer serves", lambda: ask(balancer, "/api/users").status == 200, 30)
    before = stack.containers("sidecache")
    old = before[0]
    with Load(balancer, PATHS) as load:
        until("the balancer asks both", lambda: all(serves(stack, container) for container in before), 30)
        docker("stop", "--time=35", old)
        expect("how the old one ended", state(old, "ExitCode"), "0")
        docker("rm", old)
        stack.compose(*two)
        until("the new one is healthy", lambda: healthy(stack) == 2, 60)
        new = next(container for container in stack.containers("sidecache") if container not in before)
        until("the balancer asks the new one", lambda: serves(stack, new), 30)
    say(f"  {load.counts['good']} requests, the slowest {load.slowest * 1000:.0f} ms")
    expect("what failed", load.failed, {})
    # docker-compose 1.29 looks for a service's first container only, which is the one that is gone: what follows begins anew.
    stack.compose("rm", "--stop", "--force", "sidecache", "balancer")


def healthy(stack: Stack) -> int:
    return sum(health(container) == "healthy" for container in stack.containers("sidecache"))


def serves(stack: Stack, container: str) -> bool:
    """Whether it answers requests of clients now."""
    first = answered(stack, container)
    time.sleep(0.3)
    return answered(stack, container) > first


def answered(stack: Stack, container: str) -> float:
    metrics = ask(stack.at(container, 9901), "/metrics", fields={"Authorization": f"Bearer {stack.token}"})
    lines = metrics.body.decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("sidecache_requests_total"))
