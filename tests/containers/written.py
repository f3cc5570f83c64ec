"""The commands of docs/deployment.md, run as they are written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from engine import ROOT, compose_command, run, say
from image import free_port
from stack import Stack

PAGE = ROOT / "docs/deployment.md"
PORTS = {"PROXY_PORT": 8080, "ADMIN_PORT": 9901, "BALANCER_PORT": 8000}


def all_of(stack: Stack) -> list[tuple[str, Callable[[], None]]]:
    """Each block that is marked `sh`, with the heading that it is under."""
    found = blocks(PAGE.read_text())
    # docker-compose 1.29 finds only the first container of a service, and that is the one that is replaced.
    found.sort(key=lambda one: "scale" in one[1])
    return [(f"docs/deployment.md: {heading}", lambda block=block: performed(stack, block)) for heading, block in found]


def blocks(text: str) -> list[tuple[str, str]]:
    found, heading = [], ""
    for part in re.finditer(r"^## ([^\n]+)$|^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        heading = part[1] or heading
        if part[2]:
            found.append((heading, part[2]))
    return found


def performed(stack: Stack, block: str) -> None:
    """In one shell that ends with the first command that fails; with this project's names and free ports."""
    if not stack.ports:
        stack.ports = {name: str(free_port()) for name in PORTS}
    for name, port in PORTS.items():
        block = block.replace(f"localhost:{port}", f"localhost:{stack.ports[name]}")
    block = block.replace("sidecache:before", stack.before)
    # All services that can be started here, where none is named.
    everything = re.compile(r"^.*docker compose .*\bup(?: --\S+| sidecache=2)*$", re.MULTILINE)
    balancer = {True: " balancer", False: ""}
    block = everything.sub(lambda line: f"{line[0]} {' '.join(stack.services())}{balancer['balanced' in line[0]]}", block)
    tool = shlex.join(compose_command())
    script = f'docker() {{ if [ "$1" = compose ]; then shift; {tool} "$@"; else command docker "$@"; fi; }}\nset -x\n{block}'
    env = {**stack.env, **stack.ports, "COMPOSE_PROJECT_NAME": stack.project, "COMPOSE_FILE": "docker-compose.yml"}
    said = run("bash", "-euo", "pipefail", "-c", script, env=env, timeout=300, quiet=True)
    for line in said.splitlines():
        if re.match(r"\+ (docker|curl) ", line):
            say(f"  {line[2:]}")
