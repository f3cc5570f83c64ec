"""Whether bytes are those that the origin has, and words those that are expected."""
from __future__ import annotations

import hashlib
from pathlib import Path

DIFFERS = 'DIFFERS'


def expect(got: str, wanted: str) -> str:
    """What a client says, where it has to say this, whoever it talks to."""
    return got if got == wanted else f'{DIFFERS}: {got}, in place of {wanted}'


def exact(got: bytes, wanted: bytes) -> str:
    if got == wanted:
        return 'exact'
    first = next((at for at, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
    digest = hashlib.sha256(got).hexdigest()[:16]
    return f'{DIFFERS}: {len(got)} bytes in place of {len(wanted)}, from byte {first} on, sha256 {digest}…'


def exact_file(path: Path, wanted: bytes) -> str:
    return exact(path.read_bytes(), wanted) if path.exists() else f'{DIFFERS}: there is no {path.name}'


def exact_tree(folder: Path, wanted: dict[str, bytes]) -> str:
    """Whether `folder` has these files, by their relative paths, and no others."""
    got = {str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file()}
    if got != set(wanted):
        return f'{DIFFERS}: missing {sorted(set(wanted) - got)}, unasked {sorted(got - set(wanted))}'
    for name, content in wanted.items():
        verdict = exact_file(folder / name, content)
        if verdict != 'exact':
            return f'{name} {verdict}'
    return 'exact'
