"""HTTP as clients of the containers speak it."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from engine import Failed

Address = tuple[str, int]


@dataclass(frozen=True)
class Answer:
    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def decision(self) -> str:
        """What Cache-Status says, without the name of the cache."""
        return self.fields.get("cache-status", "").removeprefix("sidecache; ")

    @property
    def is_hit(self) -> bool:
        return self.decision.startswith("hit")


def ask(
    address: Address,
    path: str,
    method: str = "GET",
    fields: dict[str, str] | None = None,
    body: str | None = None,
    timeout: float = 10,
) -> Answer:
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        return exchange(connection, path, method, fields, body)
    finally:
        connection.close()


def exchange(
    connection: http.client.HTTPConnection,
    path: str,
    method: str = "GET",
    fields: dict[str, str] | None = None,
    body: str | None = None,
) -> Answer:
    # One name for whatever port the engine published, so that all replicas share what is stored.
    connection.request(method, path, body, {"Host": "demo.example", **(fields or {})})
    response = connection.getresponse()
    received = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, received)


def until(what: str, holds: Callable[[], object], seconds: float = 60) -> None:
    """Waits until `holds` is true; an exchange that fails is no more than a no."""
    end = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < end:
        try:
            if last := holds():
                return
        except (OSError, http.client.HTTPException) as error:
            last = error
        time.sleep(0.1)
    raise Failed(f"not within {seconds:.0f} s: {what} (last: {last!r})")


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Failed(f"{what}: {found!r}, not {wanted!r}")


@dataclass
class Load:
    """Clients that ask without a pause until they are told to stop, and count what they get."""

    address: Address
    paths: list[str]
    clients: int = 8
    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self, number: int) -> None:
        connection: http.client.HTTPConnection | None = None
        turn = number
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                connection = connection or http.client.HTTPConnection(*self.address, timeout=10)
                answer = exchange(connection, self.paths[turn % len(self.paths)])
                if answer.fields.get("connection") == "close":
                    connection = None
                what = "good" if answer.status == 200 else f"status {answer.status}"
            except (OSError, http.client.HTTPException) as error:
                connection = None
                what = f"{type(error).__name__}: {error}"
            with self._lock:
                self.counts[what] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
            turn += 1

    @property
    def failed(self) -> dict[str, int]:
        return {what: count for what, count in self.counts.items() if what != "good"}
