"""A server of ours for as long as a `with` lasts."""
from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Sequence, TypeVar

from harness.program import clean
from harness.wait import listens, until


S = TypeVar('S', bound='Server')


class ServerFailed(Exception):
    """It did not start, did not end, or said that it panicked."""


class Server:
    def __init__(self, argv: Sequence[str], port: int, log: Path) -> None:
        self.argv, self.port, self.log = list(argv), port, log

    def __enter__(self: S) -> S:
        with open(self.log, 'wb') as log:
            environment = clean(self.log.parent)
            self.process = subprocess.Popen(self.argv, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until(f'{self.argv[0]} listens', lambda: listens(self.port) or self.process.poll() is not None)
        except TimeoutError:
            self.process.kill()
            self.process.wait()
            raise ServerFailed(f'it does not listen:\n{self.said()}') from None
        if self.process.poll() is not None:
            raise ServerFailed(f'{self.argv[0]} did not start:\n{self.said()}')
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(45)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise ServerFailed(f'{self.argv[0]} does not end:\n{self.said()}') from None

    def said(self) -> str:
        return self.log.read_text(errors='replace')[-4000:]
