"""On the condition that it has changed, by date and by tag."""
from __future__ import annotations

from harness.exact import exact_file, expect
from harness.scenario import Facts, Visit
from programs.curl.command import curl, verdict

NOT_MODIFIED = 'exit code 0, status 304'


def since(visit: Visit) -> Facts:
    """-z: the file that is here says since when."""
    facts: Facts = {}
    for path in ('small.txt', 'medium.bin', 'big.bin'):
        file = visit.folder / 'kept'
        facts[f'{path}, first'] = verdict(curl(visit, '-R', '-o', str(file), visit.url(path)))
        for time in ('second', 'third'):
            said = verdict(curl(visit, '-R', '-z', str(file), '-o', str(file), visit.url(path)))
            facts[f'{path}, {time}'] = expect(said, NOT_MODIFIED)
        facts[f'{path}: bytes'] = exact_file(file, visit.sent(path))
        old = curl(visit, '-z', 'Sat, 01 Jan 2000 00:00:00 GMT', '-o', str(file), visit.url(path))
        facts |= {f'{path}, since long ago': verdict(old), f'{path}, since long ago: bytes': exact_file(file, visit.sent(path))}
        file.unlink()
    return facts


def etags(visit: Visit) -> Facts:
    facts: Facts = {}
    for path in ('small.txt', 'text.txt', 'big.bin'):
        for form in ('plain', 'compressed'):
            coded = ['--compressed'] if form == 'compressed' else []
            tag, file = visit.folder / 'tag', visit.folder / 'kept'
            for time in ('first', 'second', 'third'):
                kept = ['--etag-compare', str(tag)] if time != 'first' else []
                ran = curl(visit, *coded, *kept, '--etag-save', str(tag), '-o', str(file), visit.url(path))
                facts[f'{path} {form}, {time}'] = verdict(ran) if time == 'first' else expect(verdict(ran), NOT_MODIFIED)
            facts[f'{path} {form}: bytes'] = exact_file(file, visit.sent(path))
            file.unlink()
            tag.unlink()
    return facts
