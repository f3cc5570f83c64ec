"""Parts: one, several in one answer, and the rest of what is here."""
from __future__ import annotations

from email import message_from_bytes
from email.policy import HTTP
from pathlib import Path

from harness.exact import exact, exact_file
from harness.scenario import Facts, Visit
from programs.curl.command import curl, got, verdict


def ranges(visit: Visit) -> Facts:
    facts: Facts = {}
    for path in ('text.txt', 'big.bin'):
        all_of_it = visit.sent(path)
        for time in ('cold', 'whole first', 'warm'):
            if time == 'whole first':
                facts |= got(visit, f'{path}, {time}', path)
                continue
            for asked, wanted in (('100-199', all_of_it[100:200]), ('-500', all_of_it[-500:]), ('250000-', all_of_it[250000:])):
                file = visit.folder / 'part'
                ran = curl(visit, '-o', str(file), '-r', asked, visit.url(path))
                name = f'{path} {asked}, {time}'
                facts |= {name: verdict(ran), f'{name}: bytes': exact_file(file, wanted)}
            file = visit.folder / 'none'
            facts[f'{path} beyond its end, {time}'] = verdict(curl(visit, '-o', str(file), '-r', '99999999-', visit.url(path)))
    return facts


def several_ranges(visit: Visit) -> Facts:
    facts: Facts = {}
    sent = visit.sent('text.txt')
    for time in ('cold', 'again', 'whole', 'warm'):
        if time == 'whole':
            facts |= got(visit, time, 'text.txt')
            continue
        fields, content = visit.folder / 'fields', visit.folder / 'parts'
        ran = curl(visit, '-D', str(fields), '-o', str(content), '-r', '0-9,1000-1099,200000-200001', visit.url('text.txt'))
        message = message_from_bytes(fields.read_bytes().partition(b'\r\n')[2] + content.read_bytes(), policy=HTTP)
        parts = [bytes(part.get_payload(decode=True)) for part in message.walk() if not part.is_multipart()]
        wanted = [sent[0:10], sent[1000:1100], sent[200000:200002]]
        facts |= {time: verdict(ran), f'{time}: bytes': exact(b'|'.join(parts), b'|'.join(wanted))}
    return facts


def resume(visit: Visit) -> Facts:
    """From nothing, from the middle, and with nothing left to do."""
    facts: Facts = {}
    for path in ('medium.bin', 'big.bin'):
        sent = visit.sent(path)
        file = visit.folder / Path(path).name
        for time, has in (('nothing', 0), ('a third', len(sent) // 3), ('a third again', len(sent) // 3), ('all', len(sent))):
            file.write_bytes(sent[:has])
            ran = curl(visit, '-C', '-', '-o', str(file), visit.url(path))
            facts |= {f'{path}, had {time}': verdict(ran), f'{path}, had {time}: bytes': exact_file(file, sent)}
    return facts
