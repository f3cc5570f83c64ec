"""The files that the origin serves. Each has the same bytes and the same date in every run."""
from __future__ import annotations

import json
import os
import random
import struct
import zlib
from pathlib import Path

DATE = 1_700_000_000  # long ago, as of most files, so that a browser's own guess of freshness is the same in each visit
BIG = 20 << 20


class Site:
    """A document root, and what is in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, content: bytes) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (DATE, DATE))

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def tree(self, folder: str) -> dict[str, bytes]:
        """All files of a folder, by their paths below it."""
        top = self.root / folder
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob('*') if path.is_file()}


def fill(site: Site) -> None:
    """What more than one client asks for."""
    chance = random.Random(1)
    site.write('small.txt', text(chance, 4 << 10))
    site.write('text.txt', text(chance, 300 << 10))
    site.write('data.json', json.dumps([{'id': n, 'text': f'line {n}'} for n in range(1500)]).encode())
    site.write('medium.bin', chance.randbytes(300 << 10))
    site.write('big.bin', chance.randbytes(BIG))
    site.write('empty.txt', b'')
    for n in range(20):
        site.write(f'many/{n}.txt', text(chance, 1000 + 997 * n))
    for path in ('a.txt', 'b.html', 'sub/c.txt', 'sub/deep/d.txt', 'other/e.txt'):
        site.write(f'tree/{path}', text(chance, 2000))
    site.write('tree/other/f.bin', chance.randbytes(200 << 10))
    page(site)


def page(site: Site) -> None:
    """A page as browsers load it."""
    folder = Path(__file__).resolve().parent.parent / 'origin' / 'page'
    for file in folder.iterdir():
        site.write(f'page/{file.name}', file.read_bytes())
    site.write('page/style.css', b'/* padding */\n' * 300 + b'h1 { color: rgb(1, 2, 3); }\n')
    for n in range(6):
        site.write(f'page/{n}.png', png(30 + n, 20))


def text(chance: random.Random, size: int) -> bytes:
    """Lines that compress about as well as prose."""
    words = [''.join(chance.choices('abcdefghijklmnopqrstuvwxyz', k=chance.randint(2, 9))) for _ in range(500)]
    lines = []
    length = 0
    while length < size:
        line = ' '.join(chance.choices(words, k=12)) + '\n'
        lines.append(line)
        length += len(line)
    return ''.join(lines).encode()[:size]


def png(width: int, height: int) -> bytes:
    """A grey picture."""
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))
    rows = b''.join(b'\0' + bytes((x * y) % 256 for x in range(width)) for y in range(height))
    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')
