"""wget: only what is newer, resumed, and a whole tree."""
from __future__ import annotations

import re

from harness.exact import exact_file, exact_tree, expect
from harness.program import Ran
from harness.scenario import Facts, Scenario, Visit


def wget(visit: Visit, *arguments: str) -> Ran:
    return visit.programs.run(visit.folder, ['wget', '--no-verbose', '--server-response', '--tries=1', *arguments])


def verdict(ran: Ran) -> str:
    """Its exit code, and each status that it saw."""
    statuses = ' '.join(re.findall(r'^\s*HTTP/1\.[01] (\d+)', ran.err, re.M))
    return f'exit code {ran.code}, {statuses}'


def newer(visit: Visit) -> Facts:
    """-N: the second run and the third must transfer nothing."""
    facts: Facts = {}
    for path in ('small.txt', 'text.txt', 'big.bin'):
        for time in ('first', 'second', 'third'):
            said = verdict(wget(visit, '-N', visit.url(path)))
            facts[f'{path}, {time}'] = said if time == 'first' else expect(said, 'exit code 0, 304')
        facts[f'{path}: bytes'] = exact_file(visit.folder / path, visit.sent(path))
    return facts


def resume(visit: Visit) -> Facts:
    facts: Facts = {}
    sent = visit.sent('big.bin')
    file = visit.folder / 'big.bin'
    for time, has in (('a third', len(sent) // 3), ('a third again', len(sent) // 3), ('all', len(sent))):
        file.write_bytes(sent[:has])
        facts[f'had {time}'] = verdict(wget(visit, '-c', visit.url('big.bin')))
        facts[f'had {time}: bytes'] = exact_file(file, sent)
    return facts


def tree(visit: Visit) -> Facts:
    """A tree by its listings, twice from nothing."""
    facts: Facts = {}
    for time in ('first', 'again'):
        folder = visit.folder / time
        ran = wget(visit, '--recursive', '--no-parent', '--no-host-directories', '-P', str(folder), visit.url('tree/'))
        facts[time] = verdict(ran)
        for listing in folder.rglob('index.html*'):
            listing.unlink()
        facts[f'{time}: bytes'] = exact_tree(folder / 'tree', visit.site.tree('tree'))
    return facts


def newer_tree(visit: Visit) -> Facts:
    """All files of it over one connection, only where they are newer."""
    facts: Facts = {}
    urls = [visit.url(f'tree/{path}') for path in sorted(visit.site.tree('tree'))]
    for time in ('first', 'second', 'third'):
        ran = wget(visit, '-N', '--force-directories', '--no-host-directories', *urls)
        files = ' 304' * len(urls)
        facts[time] = verdict(ran) if time == 'first' else expect(verdict(ran), f'exit code 0,{files}')
    facts['bytes'] = exact_tree(visit.folder / 'tree', visit.site.tree('tree'))
    return facts


SCENARIOS = [
    Scenario('wget', 'newer', newer),
    Scenario('wget', 'resume', resume),
    Scenario('wget', 'tree', tree),
    Scenario('wget', 'newer-tree', newer_tree),
]
