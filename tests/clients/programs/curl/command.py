"""One run of curl, and what it says of it."""
from __future__ import annotations

from harness.exact import exact_file
from harness.program import Ran
from harness.scenario import Facts, Visit


def curl(visit: Visit, *arguments: str) -> Ran:
    return visit.programs.run(visit.folder, ['curl', '-sS', '-w', '%{http_code} ', *arguments])


def verdict(ran: Ran) -> str:
    return f'exit code {ran.code}, status {ran.out.strip()}'


def got(visit: Visit, name: str, path: str, *arguments: str) -> Facts:
    """One download: what curl says of it, and whether the bytes are those of the origin."""
    file = visit.folder / 'got'
    ran = curl(visit, '-o', str(file), *arguments, visit.url(path))
    facts = {name: verdict(ran), f'{name}: bytes': exact_file(file, visit.sent(path))}
    file.unlink(missing_ok=True)
    return facts
