"""Uploads: after 100 Continue, at once, and in chunks."""
from __future__ import annotations

import hashlib
import json

from harness.scenario import Facts, Visit
from programs.curl.command import curl, verdict

CONTENT = bytes(range(256)) * 8192  # 2 MiB


def upload(visit: Visit) -> Facts:
    """2 MiB after 100 Continue, at once, and in chunks. The answer is the digest of what came."""
    file = visit.folder / 'content'
    file.write_bytes(CONTENT)
    sent = ['--data-binary', f'@{file}', '-H', 'Content-Type: application/octet-stream']
    ways = {
        'expect': [*sent, '-H', 'Expect: 100-continue'],
        'at once': [*sent, '-H', 'Expect:'],
        'chunks': ['-X', 'POST', '-T', str(file), '-H', 'Transfer-Encoding: chunked', '-H', 'Expect: 100-continue'],
        'put': ['-T', str(file)],
    }
    facts: Facts = {}
    for name, arguments in ways.items():
        for time in ('first', 'again'):
            answer = visit.folder / 'answer'
            ran = curl(visit, *arguments, '-o', str(answer), visit.url('cgi/digest.py'))
            said = json.loads(answer.read_text())
            arrived = said['length'] == len(CONTENT) and said['sha256'] == hashlib.sha256(CONTENT).hexdigest()
            facts[f'{name}, {time}'] = f"{verdict(ran)}, {said['method']}, {'arrived' if arrived else 'DIFFERS'}"
    return facts
