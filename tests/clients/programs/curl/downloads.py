"""Whole files: plain, coded, at once, over HTTP/1.0; what HEAD says; and what is not there."""
from __future__ import annotations

from harness.exact import exact_file
from harness.scenario import Facts, Visit
from programs.curl.command import curl, got, verdict


def whole(visit: Visit) -> Facts:
    facts: Facts = {}
    for path in ('small.txt', 'text.txt', 'medium.bin', 'big.bin', 'empty.txt'):
        for time in ('first', 'again'):
            facts |= got(visit, f'{path}, {time}', path)
    return facts


def head(visit: Visit) -> Facts:
    facts: Facts = {}
    for path in ('small.txt', 'big.bin', 'nothing.txt', 'tree'):
        for time in ('first', 'again'):
            ran = curl(visit, '-I', '-o', str(visit.folder / 'head'), visit.url(path))
            lines = (visit.folder / 'head').read_text().splitlines()
            length = [line.lower() for line in lines if line.lower().startswith('content-length:')]
            facts[f'{path}, {time}'] = f'{verdict(ran)}, {length}'
    return facts


def compressed(visit: Visit) -> Facts:
    facts: Facts = {}
    for path in ('small.txt', 'text.txt', 'data.json', 'big.bin'):
        for time in ('first', 'again'):
            facts |= got(visit, f'{path}, {time}', path, '--compressed')
            facts |= got(visit, f'{path} plain, {time}', path)
    return facts


def parallel(visit: Visit) -> Facts:
    """Forty downloads at once, of twenty files."""
    facts: Facts = {}
    for time in ('first', 'again'):
        folder = visit.folder / time
        folder.mkdir()
        wanted, arguments = {}, []
        for copy in ('a', 'b'):
            for n in range(20):
                arguments += ['-o', str(folder / f'{copy}{n}'), visit.url(f'many/{n}.txt')]
                wanted[f'{copy}{n}'] = visit.sent(f'many/{n}.txt')
        ran = curl(visit, '-Z', '--parallel-immediate', *arguments)
        statuses = ' '.join(sorted(ran.out.split()))
        facts[time] = f'exit code {ran.code}, {statuses}'
        wrong = {name: exact_file(folder / name, content) for name, content in wanted.items()}
        facts[f'{time}: bytes'] = ', '.join(sorted(set(wrong.values())))
    return facts


def old(visit: Visit) -> Facts:
    """HTTP/1.0, with and without a connection that stays."""
    facts: Facts = {}
    for path in ('small.txt', 'text.txt', 'big.bin'):
        for time in ('first', 'again'):
            facts |= got(visit, f'{path}, {time}', path, '-0')
        facts |= got(visit, f'{path}, kept', path, '-0', '-H', 'Connection: keep-alive')
    return facts


def errors(visit: Visit) -> Facts:
    """What is not there, and a folder without its slash."""
    facts: Facts = {}
    for time in ('first', 'again'):
        facts[f'nothing, {time}'] = verdict(curl(visit, '-o', str(visit.folder / 'page'), visit.url('nothing.txt')))
        told = ['-L', '-o', str(visit.folder / 'listing'), '-w', '%{http_code} %{num_redirects} %{url_effective}']
        ran = curl(visit, *told, visit.url('tree'))
        facts[f'redirect, {time}'] = visit.plain(verdict(ran))
        facts[f'listing, {time}'] = str('sub/' in (visit.folder / 'listing').read_text())
    return facts
