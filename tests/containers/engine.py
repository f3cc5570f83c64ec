"""The container engine and its compose tool, by their command lines."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START = time.monotonic()


class Failed(Exception):
    """What a test expected did not come."""


def say(text: str) -> None:
    print(f"{time.monotonic() - START:7.1f}s  {text}", flush=True)


def run(
    *command: str,
    env: dict[str, str] | None = None,
    cwd: Path = ROOT,
    timeout: float = 120,
    check: bool = True,
    quiet: bool = False,
) -> str:
    """What the command prints. Raises `Failed` with all of that where it fails."""
    if not quiet:
        say("$ " + shlex.join(command))
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            timeout=timeout,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired as expired:
        said = expired.stdout or b""
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        raise Failed(f"{shlex.join(command)} takes longer than {timeout:.0f} s\n{said}") from expired
    if check and done.returncode:
        raise Failed(f"{shlex.join(command)} ends with {done.returncode}\n{done.stdout}")
    return done.stdout.strip()


def docker(*arguments: str, timeout: float = 120, check: bool = True, quiet: bool = True) -> str:
    return run("docker", *arguments, timeout=timeout, check=check, quiet=quiet)


def why_no_engine() -> str | None:
    """Why containers cannot be run here; `None` where they can."""
    if not shutil.which("docker"):
        return "there is no docker on the PATH"
    try:
        docker("info", timeout=20)
    except Failed as failed:
        return "the engine does not answer: " + str(failed).strip().splitlines()[-1]
    if not compose_command():
        return "there is neither docker compose nor docker-compose"
    return None


def compose_command() -> list[str]:
    """The newer form where it is there."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if plugin.returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


def has_image(image: str) -> bool:
    return bool(docker("image", "ls", "--quiet", image))
