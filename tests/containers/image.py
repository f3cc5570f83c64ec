"""What holds of the images by themselves, whatever runs beside them."""

from __future__ import annotations

import http.server
import json
import socket
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from client import ask, expect, until
from engine import Failed, docker
from stack import health, version

# What an image may have, in bytes.
MOST = 20_000_000
NOBODY = "65532:65532"


def all_of(images: dict[str, str], optimised: bool) -> list[tuple[str, Callable[[], None]]]:
    """Each check with its name."""
    proxy, demo = images["sidecache"], images["demo"]
    return [
        ("an image says what it is, who it runs as, how it is asked and how it is ended", lambda: describes_itself(images)),
        ("an image holds the program, its libraries and a few files", lambda: holds_little(images, optimised)),
        ("without a backend it does not start, and says what is missing", lambda: names_what_is_missing(proxy)),
        ("the proxy runs on a root that nobody can write to, without any capability", lambda: runs_locked_up(proxy)),
        ("the demo backend does too", lambda: demo_runs_locked_up(demo)),
        ("SIGHUP ends nothing; SIGTERM lets a request end and ends with 0", lambda: drains(proxy)),
    ]


def inspect(image: str) -> dict:
    return json.loads(docker("image", "inspect", image))[0]


def describes_itself(images: dict[str, str]) -> None:
    for name, image in images.items():
        config = inspect(image)["Config"]
        expect(f"{name}: the user", config["User"], NOBODY)
        expect(f"{name}: the program", config["Entrypoint"], ["sidecache"])
        expect(f"{name}: the signal", config["StopSignal"], "SIGTERM")
        expect(f"{name}: the health check", config["Healthcheck"]["Test"][:3], ["CMD", "sidecache", "health"])
        labels = config["Labels"]
        expect(f"{name}: the version", labels["org.opencontainers.image.version"], version())
        for label in ("title", "description", "licenses"):
            if not labels.get(f"org.opencontainers.image.{label}"):
                raise Failed(f"{name} has no label {label}")


def holds_little(images: dict[str, str], optimised: bool) -> None:
    for name, image in images.items():
        size = inspect(image)["Size"]
        if optimised and size > MOST:
            raise Failed(f"{name} has {size} bytes, more than {MOST}")
        files = [member for member in content(image) if member.isfile()]
        # What the engine itself puts into every container is empty.
        programs = [file.name for file in files if file.mode & 0o111 and file.size and not file.name.startswith("lib")]
        expect(f"{name}: what can be run", programs, ["usr/local/bin/sidecache"])
        unsafe = [file.name for file in files if file.mode & 0o6000 or file.mode & 0o002]
        expect(f"{name}: what gives rights away", unsafe, [])
        if len(files) > 40:
            raise Failed(f"{name} has {len(files)} files: {[file.name for file in files]}")


def content(image: str) -> list[tarfile.TarInfo]:
    container = docker("create", image)
    try:
        with tempfile.TemporaryDirectory() as folder:
            docker("export", "--output", f"{folder}/image.tar", container)
            with tarfile.open(f"{folder}/image.tar") as tar:
                return tar.getmembers()
    finally:
        docker("rm", container)


def names_what_is_missing(image: str) -> None:
    with started(image) as container:
        until("it has ended", lambda: state(container, "Status") == "exited", 20)
        expect("the exit code", state(container, "ExitCode"), "2")
        said = docker("logs", container)
        if "`UPSTREAM`" not in said:
            raise Failed(f"it does not name UPSTREAM:\n{said}")


LOCKED_UP = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true", "--network=none"]
# The image's own check, asked often.
IMPATIENT = ["--health-interval=1s", "--health-retries=2"]


def runs_locked_up(image: str) -> None:
    with started(image, *LOCKED_UP, *IMPATIENT, "--env=UPSTREAM=http://127.0.0.1:1") as container:
        until("it is healthy", lambda: health(container) == "healthy", 40)
        expect("what may be written in it", docker("diff", container), "")
        owner = next(line for line in status(container) if line.startswith("Uid:"))
        expect("who it runs as", owner.split()[1:], ["65532"] * 4)
        capabilities = [line.split()[1] for line in status(container) if line.startswith("Cap")]
        expect("its capabilities", set(capabilities), {"0" * 16})
        docker("kill", "--signal=STOP", container)
        until("one that does not answer is unhealthy", lambda: health(container) == "unhealthy", 60)
        docker("kill", "--signal=CONT", container)
        until("one that answers again is healthy again", lambda: health(container) == "healthy", 60)


def demo_runs_locked_up(image: str) -> None:
    with started(image, *LOCKED_UP, *IMPATIENT, "--tmpfs=/tmp") as container:
        until("it is healthy", lambda: health(container) == "healthy", 60)


def drains(image: str) -> None:
    with slow_origin() as (origin, asked, release):
        public, private = free_port(), free_port()
        address = ("127.0.0.1", public)
        arguments = ["run"]
        for setting in (
            f"server.listen=127.0.0.1:{public}",
            f"admin.listen=127.0.0.1:{private}",
            f"upstream.url=http://127.0.0.1:{origin}",
        ):
            arguments += ["--set", setting]
        options = ["--network=host", "--env=UPSTREAM=http://127.0.0.1:1"]
        with started(image, *options, command=arguments) as container:
            until("it listens", lambda: ask(("127.0.0.1", private), "/healthz").status == 200, 20)
            docker("kill", "--signal=HUP", container)
            until("SIGHUP is in the log", lambda: "SIGHUP changes nothing" in docker("logs", container), 20)
            answers: list[int] = []
            client = threading.Thread(target=lambda: answers.append(ask(address, "/slow", timeout=60).status))
            client.start()
            if not asked.wait(20):
                raise Failed("the request does not reach the origin")
            stop = threading.Thread(target=lambda: docker("stop", "--time=30", container))
            stop.start()
            until("nothing new is accepted", lambda: refused(address), 20)
            expect("the request is still under way", (answers, state(container, "Status")), ([], "running"))
            release.set()
            client.join()
            stop.join()
            expect("what the client got", answers, [200])
            expect("the exit code", state(container, "ExitCode"), "0")


@contextmanager
def started(image: str, *options: str, command: list[str] | None = None) -> Iterator[str]:
    """A container that is gone afterwards; where the test fails, its log is said."""
    container = docker("run", "--detach", *options, image, *(command or []))
    try:
        yield container
    except Failed as failed:
        raise Failed(f"{failed}\n--- its log\n{docker('logs', '--tail', '60', container)}") from failed
    finally:
        docker("rm", "--force", "--volumes", container)


def state(container: str, field: str) -> str:
    return docker("inspect", "--format", f"{{{{.State.{field}}}}}", container)


def status(container: str) -> list[str]:
    return Path(f"/proc/{state(container, 'Pid')}/status").read_text().splitlines()


def refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return True
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def slow_origin() -> Iterator[tuple[int, threading.Event, threading.Event]]:
    """Its port, whether it was asked, and what lets it answer."""
    asked, release = threading.Event(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            release.wait(60)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], asked, release
        finally:
            release.set()
            server.shutdown()
