"""sidecache before the origin, in one configuration."""
from __future__ import annotations

from pathlib import Path

from harness.server import Server, ServerFailed
from harness.wait import free_port

FOLDER = Path(__file__).resolve().parent.parent / 'configurations'
CONFIGURATIONS = {file.stem: file for file in sorted(FOLDER.glob('*.toml'))}


class Proxy(Server):
    """At the end it drains, so that the origin has heard all that it will hear."""

    def __init__(self, binary: Path, configuration: str, upstream: str, folder: Path) -> None:
        port = free_port()
        self.base = f'http://127.0.0.1:{port}'
        argv = [str(binary), 'run', '--config', str(CONFIGURATIONS[configuration])]
        for setting in (f'server.listen=127.0.0.1:{port}', 'admin.listen=127.0.0.1:0', f'upstream.url={upstream}'):
            argv += ['--set', setting]
        super().__init__(argv, port, folder / 'sidecache.log')

    def __exit__(self, *about: object) -> None:
        super().__exit__(*about)
        code = self.process.returncode
        if code != 0 or 'panicked' in self.log.read_text(errors='replace'):
            raise ServerFailed(f'sidecache ended with {code}:\n{self.said()}')
