"""Client programs: found, and run in a clean environment with a limit of time."""
from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional, Sequence

# The system's own are in here, where a user's PATH may leave them out.
PATH = os.pathsep.join([os.environ.get('PATH', os.defpath), '/usr/local/sbin', '/usr/sbin', '/sbin'])


class ClientHangs(Exception):
    """A client that took longer than it may."""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Programs:
    verbose: bool

    def run(self, folder: Path, argv: Sequence[str], *, limit: float = 60, content: Optional[bytes] = None,
            environment: Optional[Mapping[str, str]] = None, at: Optional[Path] = None) -> Ran:
        """Runs a client whose home is `folder`, at `at` or there."""
        process = subprocess.Popen(
            list(argv), cwd=at or folder, env={**clean(folder), **(environment or {})}, start_new_session=True,
            stdin=subprocess.PIPE if content is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(content, timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise ClientHangs(f'still running after {limit:.0f} s: {shlex.join(argv)}') from None
        ran = Ran(process.returncode, out.decode(errors='replace'), err.decode(errors='replace'))
        if self.verbose:
            print(f'    $ {shlex.join(argv)}\n{indented(ran.out)}{indented(ran.err)}    exit code {ran.code}')
        return ran


def clean(folder: Path) -> dict[str, str]:
    """An environment without settings of the user, and without a proxy of the network."""
    return {'PATH': PATH, 'HOME': str(folder), 'LC_ALL': 'C', 'TMPDIR': str(folder)}


def find(name: str) -> Optional[str]:
    return shutil.which(name, path=PATH)


def python_with(module: str) -> Optional[str]:
    """A Python that has this module: the one that runs this, or Debian's."""
    for python in (sys.executable, '/usr/bin/python3'):
        probe = [python, '-c', f'import {module}']
        if Path(python).exists() and subprocess.run(probe, stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def indented(text: str, most: int = 4000) -> str:
    return ''.join(f'    | {line}\n' for line in text[:most].splitlines())
