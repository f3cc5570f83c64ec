"""docker-compose.yml as a project of its own, and what is asked of it."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from client import Address, Answer, ask, until
from engine import ROOT, Failed, compose_command, docker, run, say

# One of compose's own names for what it started.
SERVICE = "com.docker.compose.service"
PROJECT = "com.docker.compose.project"


class Stack:
    """One project with a name, ports and images of its own, so that several can run on one machine."""

    def __init__(self, images: dict[str, str], profile: str, folder: Path, *files: str) -> None:
        self.project = f"sidecache-test-{secrets.token_hex(4)}"
        # A tag that docs/deployment.md gives.
        self.before = f"sidecache-test/before:{self.project}"
        self.token = secrets.token_hex(16)
        token_file = folder / "admin-token"
        token_file.write_text(self.token + "\n")
        token_file.chmod(0o644)
        self.files = ["docker-compose.yml", *files]
        self.env = {
            "SIDECACHE_IMAGE": images["sidecache"],
            "DEMO_IMAGE": images["demo"],
            "PROFILE": profile,
            "ADMIN_TOKEN": self.token,
            "ADMIN_TOKEN_FILE": str(token_file),
            **dict.fromkeys(["PROXY_PORT", "ADMIN_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT", "BALANCER_PORT"], ""),
        }

        self.missing: list[str] = []
        self.ports: dict[str, str] = {}

    def services(self) -> list[str]:
        """Those of docker-compose.yml whose image is here."""
        found, service = [], ""
        for line in (ROOT / "docker-compose.yml").read_text().splitlines():
            if name := re.fullmatch(r"  ([a-z]+):", line):
                service = name[1]
            if (image := re.fullmatch(r"    image: (\S+)", line)) and image[1] not in self.missing:
                found.append(service)
        return found

    def compose(self, *arguments: str, timeout: float = 180, check: bool = True, env: dict[str, str] | None = None) -> str:
        files = [part for file in self.files for part in ("--file", file)]
        command = [*compose_command(), "--project-name", self.project, *files, *arguments]
        say(f"  compose {' '.join(arguments)}" + (f"  with {env}" if env else ""))
        return run(*command, env={**self.env, **(env or {})}, timeout=timeout, check=check, quiet=True)

    def containers(self, service: str = "", every: bool = False) -> list[str]:
        """Those of a service, or all, the oldest first; with `every` also those that do not run."""
        filters = [f"--filter=label={PROJECT}={self.project}"]
        filters += [f"--filter=label={SERVICE}={service}"] if service else []
        found = docker("ps", "--quiet", "--no-trunc", *(["--all"] if every else []), *filters).split()
        return found[::-1]

    def container(self, service: str) -> str:
        found = self.containers(service)
        if len(found) != 1:
            raise Failed(f"{len(found)} containers of {service} run, not one")
        return found[0]

    def address(self, service: str, port: int) -> Address:
        return self.at(self.container(service), port)

    def at(self, container: str, port: int) -> Address:
        """Where it is published on this machine."""
        host, _, number = docker("port", container, f"{port}/tcp").splitlines()[0].rpartition(":")
        return host, int(number)

    def get(self, path: str, **options: dict[str, str]) -> Answer:
        return ask(self.address("sidecache", 8080), path, **options)  # type: ignore[arg-type]

    def admin(self, path: str, method: str = "GET", body: str | None = None, token: str | None = None) -> Answer:
        fields = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        return ask(self.address("sidecache", 9901), path, method, fields, body)

    def wait_until_healthy(self, *services: str, seconds: float = 90) -> None:
        for service in services:
            until(f"{service} is healthy", lambda service=service: health(self.container(service)) == "healthy", seconds)

    def logs(self) -> str:
        parts = []
        for container in self.containers(every=True):
            name = docker("inspect", "--format", "{{.Name}} {{.State.Status}} {{.State.ExitCode}}", container, check=False)
            parts.append(f"--- {name}\n" + docker("logs", "--tail", "60", container, check=False))
        return "\n".join(parts)

    def down(self) -> None:
        """Leaves nothing of it, whatever state it is in."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "3", check=False)
        # What a run that was broken off in the middle of a start knows nothing of.
        for container in self.containers(every=True):
            docker("rm", "--force", "--volumes", container, check=False)
        docker("image", "rm", self.before, check=False)


def health(container: str) -> str:
    return docker("inspect", "--format", "{{.State.Health.Status}}", container, check=False)


def version() -> str:
    return re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
