"""What is printed."""
from __future__ import annotations

from harness.access_log import Served

ROW = '{:24} {:6} {:>9} {:>9} {:>13} {:>13}  {}'
HEADING = ROW.format('client', 'config', 'requests', 'through', 'bytes', 'through', 'verdict')


def row(title: str, configuration: str, direct: Served, through: Served, verdict: str) -> str:
    return ROW.format(title, configuration, direct.requests, through.requests, f'{direct.bytes:,}', f'{through.bytes:,}', verdict)


def log(name: str, log: Served) -> str:
    return f'    at the origin, {name}:\n' + ''.join(f'    | {line}\n' for line in log.lines)
