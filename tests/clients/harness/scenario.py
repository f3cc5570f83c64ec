"""What a client does, and what it says of it."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Mapping

from harness.program import Programs
from harness.proxy import CONFIGURATIONS
from harness.site import Site

# What a client says of what it got: exit codes, statuses, whether the bytes are exact.
Facts = dict[str, str]


@dataclass(frozen=True)
class Visit:
    """One run of a scenario: a client and the server that it talks to."""
    server: str  # 'direct', or the name of a configuration
    base: str  # http://127.0.0.1:PORT
    folder: Path  # empty, and this visit's own
    site: Site
    programs: Programs

    def url(self, path: str) -> str:
        return f'{self.base}/{path}'

    def sent(self, path: str) -> bytes:
        """What the origin has at this path."""
        return self.site.read(path)

    def plain(self, text: str) -> str:
        """Text of a client without what differs from visit to visit."""
        return text.replace(self.base, 'BASE').replace(str(self.folder), 'FOLDER')


@dataclass(frozen=True)
class Excess:
    """What the origin may be asked for beyond what it is without the proxy; docs/reliability.md lists them."""
    why: str
    requests: int = 0
    bytes: int = 0


def everywhere(excess: Excess) -> dict[str, Excess]:
    """In each configuration."""
    return dict.fromkeys(CONFIGURATIONS, excess)


def left(times: int, whole: int) -> dict[str, Excess]:
    """For a client that leaves so many answers of `whole` bytes in the middle."""
    under_way = Excess('what was on its way in the sockets when the client left', bytes=times * SOCKETS)
    goes_on = Excess('a fetch goes on without its client, to be kept', bytes=times * (whole + SOCKETS))
    return {'none': under_way, 'small': under_way, 'ttl': goes_on, 'gzip': goes_on}


# What the system may hold of one answer between the origin and the proxy: send and receive buffers grow to this by themselves.
SOCKETS = 10 << 20


@dataclass(frozen=True)
class Scenario:
    client: str
    name: str
    visit: Callable[[Visit], Facts]
    excess: Mapping[str, Excess] = field(default_factory=dict)  # by configuration

    @property
    def title(self) -> str:
        return f'{self.client}/{self.name}'
