"""aria2c: one file over four connections, the first of which asks for all of it and leaves."""
from __future__ import annotations

from harness.exact import exact_file
from harness.scenario import Facts, Scenario, Visit, left
from harness.site import BIG

PARTS = ['--split=4', '--max-connection-per-server=4', '--min-split-size=5M', '--file-allocation=none']


def parts(visit: Visit) -> Facts:
    facts: Facts = {}
    for time in ('first', 'again'):
        ran = visit.programs.run(visit.folder, ['aria2c', '--no-conf', '--quiet', *PARTS, '-d', str(visit.folder), '-o', time,
                                                visit.url('big.bin')])
        facts |= {time: f'exit code {ran.code}', f'{time}: bytes': exact_file(visit.folder / time, visit.sent('big.bin'))}
    return facts


def newer(visit: Visit) -> Facts:
    """On the condition that it has changed."""
    facts: Facts = {}
    for time in ('first', 'second', 'third'):
        ran = visit.programs.run(visit.folder, ['aria2c', '--no-conf', *PARTS, '--conditional-get=true', '--allow-overwrite=true',
                                                '--remote-time=true', '-d', str(visit.folder), visit.url('medium.bin')])
        facts[time] = f'exit code {ran.code}'
    facts['bytes'] = exact_file(visit.folder / 'medium.bin', visit.sent('medium.bin'))
    return facts


SCENARIOS = [Scenario('aria2', 'parts', parts, left(2, BIG)), Scenario('aria2', 'newer', newer)]
