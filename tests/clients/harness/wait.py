"""Waiting for a condition, with a limit."""
from __future__ import annotations

import socket
import time
from typing import Callable, Optional, TypeVar

T = TypeVar('T')


def until(what: str, condition: Callable[[], Optional[T]], limit: float = 15) -> T:
    """The first value of `condition` that is true."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f'{limit:.0f} s, and still not: {what}')
        time.sleep(0.005)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False
