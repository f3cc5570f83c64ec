#!/usr/bin/env python3
"""What one request of a stranger costs, for each kind of work that a request can make dear. Status 1 where that is too much.

  bench/attacks.py              counts every kind; those that cost most are printed
  bench/attacks.py --all        prints every kind
  bench/attacks.py --only TEXT  counts the kinds whose names hold TEXT, and prints them
  bench/attacks.py --where KIND counts one kind and prints where its instructions go
  bench/attacks.py --self-test  checks the judgement with made-up counts; counts nothing

`guard serve` (bench/guard.rs) runs under valgrind's callgrind with its listeners and its access log, and gets each kind of
request often enough for their mean. Counted is everything that the process does in user space for one of them, in plain hits.
Two things are judged apart:

  reading   what hyper and http do before the proxy sees the request. It grows with what the client sends: at most READING
            hits for each KiB. A plain hit is a request of an eighth of a KiB, so a KiB of these is eight hits.
  work      everything else. It must not grow with the head, however it is filled: at most WORK hits. Content that is part of
            a key is hashed, and what an origin sends is parsed, hashed and coded: CONTENT hits for each KiB of them.

Heads are as large as `server.max_header_bytes` lets them be.
"""
import argparse, json, os, re, socket, socketserver, subprocess, sys, tempfile, threading, unittest
from http.client import HTTPResponse
from pathlib import Path

from guard import PROGRAM, Profile, build

WORK = 10
READING = 2
CONTENT = 1
UNDERSTOOD = 4
# By which hyper and http read a head, and then look for what connections are told.
READERS = ('hyper::proto::h1::role::Server as hyper::proto::h1::Http1Transaction>::parse', 'hyper::proto::h1::role::is_complete_fast', 'hyper::headers::te_is_trailers')
HEAD = 32 << 10
CONFIG = '''
[server]
listen = "127.0.0.1:0"
trusted = ["127.0.0.2"]
[admin]
listen = "127.0.0.1:0"
token = "0123456789abcdef"
[log]
format = "json"
[upstream]
url = "http://{origin}"
[cache]
client_directives = "respect"
purge_token = "0123456789abcdef"
bypass_token = "0123456789abcdef"
[[route]]
name = "query"
path = "/query/{{*rest}}"
ttl = "1h"
key = {{ query = ["q", "page", "sort", "f_*"], headers = ["x-tenant"] }}
[[route]]
name = "tracking"
path = "/tracking/{{*rest}}"
ttl = "1h"
key = {{ query = {{ except = ["tracking", "a*"], sort = true }} }}
[[route]]
name = "search"
path = "/search/{{*rest}}"
ttl = "1h"
key = {{ no_vary_search = true }}
[[route]]
name = "cookies"
path = "/cookies/{{*rest}}"
ttl = "1h"
share = "all"
cookies = {{ ignore = ["analytics", "promo_*"], key = ["lang", "theme", "currency", "tenant"] }}
[[route]]
name = "tags"
path = "/tags/{{id}}/{{*rest}}"
ttl = "1h"
tags = ["a:{{id}}", "b:{{rest}}", "c:{{?page}}"]
[[route]]
name = "pass"
path = "/pass/{{*rest}}"
cache = false
[[route]]
name = "reads"
path = "/reads/{{*rest}}"
methods = ["POST"]
ttl = "1h"
share = "all"
key = {{ body = true }}
[[route]]
name = "all"
path = "/{{*rest}}"
ttl = "1h"
share = "all"
'''


# === requests ===

def request(path='/stored/1', *fields, method='GET', host='api.example', content=b'', version='HTTP/1.1'):
    """A request of an ordinary client with these fields beside the usual ones."""
    lines = [f'{method} {path} {version}', f'Host: {host}', 'User-Agent: attacks/1.0', 'Accept: */*', *fields]
    if content: lines.append(f'Content-Length: {len(content)}')
    return '\r\n'.join(lines).encode() + b'\r\n\r\n' + content


def filled(unit, build, size=HEAD):
    """The request that `build` makes of as many of `unit` as its head has room for; each is formatted with its number."""
    room = size - len(build('').partition(b'\r\n\r\n')[0]) - 8
    text, number = [], 0
    while (room := room - len(unit.format(number).encode())) >= 0:
        text.append(unit.format(number)); number += 1
    return build(''.join(text))


def field(name, unit, path='/stored/1', *others, **more):
    """With one field as long as it can be."""
    return filled(unit, lambda text: request(path, f'{name}: {text}', *others, **more))


def fields(unit, path='/stored/1', count=94, **more):
    """With as many fields as it can have, as long as they can be."""
    size = (HEAD - 300) // count
    return request(path, *((unit.format(n) + ' ' + 'x' * size)[:size - 2] for n in range(count)), **more)


class Kind:
    """A kind of request: `make(n)` is the n-th one. `before` are sent first, uncounted, and so is what makes the first of them.
    The operator
    purges `purges` between the first request and the others. The origin sends `sent` KiB for each. A KiB of its
    own content may cost `per_kib` hits. The answers must have
    `status`, and `says` in Cache-Status."""

    def __init__(self, name, make, status=200, says='hit', before=(), source='127.0.0.1', port='public', times=20, purges=(), sent=0, per_kib=CONTENT):
        self.name, self.status, self.says, self.before, self.source, self.port = name, status, says, before, source, port
        self.make = make if callable(make) else lambda _: make
        self.times, self.purges, self.sent, self.per_kib = times, purges, sent, per_kib


def kinds():
    trusted = '127.0.0.2'
    yield Kind('304', request('/stored/1', 'If-None-Match: "0123456789abcdef"'), 304)
    yield Kind('HEAD', request(method='HEAD'))
    yield Kind('gzip', request('/large/1', 'Accept-Encoding: gzip'))
    yield Kind('two ranges', request('/large/1', 'Range: bytes=0-0,2-1000000'), 206)
    yield Kind('two ranges, HTTP/1.0', request('/large/1', 'Range: bytes=0-0,2-1000000', version='HTTP/1.0'), 206)
    yield Kind('many ranges', field('Range', '{0}-{0},', '/large/1').replace(b'Range: ', b'Range: bytes='), 200, None)
    yield Kind('OPTIONS', request(method='OPTIONS'), says='fwd=')
    yield Kind('OPTIONS *', request('*', method='OPTIONS'), 204, None)
    yield Kind('HTTP/1.0', request(version='HTTP/1.0'))
    yield Kind('malformed', b'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400, None)
    yield Kind('malformed at the end', field('A', 'x').replace(b'\r\n\r\n', b'\r\nB : b\r\n\r\n'), 400, None)
    yield Kind('too many fields', request('/stored/1', *(f'a{n}: b' for n in range(200))), 431, None)
    yield Kind('too large a head', filled('x', lambda text: request('/', f'A: {text}'), HEAD + 4096), 431, None)
    yield Kind('refused Host', request(host='a:b'), 400, None)
    yield Kind('Host of 32 KiB', filled('a.', lambda text: request(host=f'{text}x')), 400, None)
    yield Kind('Host of 250 bytes', request(host='A.' * 125))
    yield Kind('PURGE without a token', request(method='PURGE'), 403, None)
    yield Kind('PURGE with a long token', field('X-Sidecache-Token', 'x', method='PURGE'), 403, None)
    yield Kind('bypass with a long token', field('X-Sidecache-Bypass', 'x'))
    yield Kind('wrong bearer', request('/api/purge', 'Authorization: Bearer wrong', method='POST'), 401, None, port='admin')
    yield Kind('wrong bearer of 32 KiB', field('Authorization', 'x', '/api/purge', method='POST'), 401, None, port='admin')
    yield Kind('request id of 32 KiB', field('X-Request-Id', 'x'))
    # The target.
    yield Kind('path of letters', filled('a', lambda text: request(f'/stored/{text}x')))
    yield Kind('path of segments', filled('a/', lambda text: request(f'/stored/{text}x')))
    for name, unit, says in (('escapes', '%7e', 'hit'), ('escapes that stay', '%a0', 'hit'), ('needless escapes', '%61', 'hit'), ('slashes', '/', 'fwd='), ('dots', '../', 'fwd='),
                             ('escaped slashes', '%2f', 'fwd='), ('semicolons', ';a', 'fwd='), ('escaped escapes', '%2525', 'fwd='), ('overlong escapes', '%c0%af', 'fwd=')):
        yield Kind(f'path of {name}, refused', filled(unit, lambda text: request(f'/stored/{text}x')), 414, None)
        yield Kind(f'path of 4 KiB of {name}', filled(unit, lambda text: request(f'/stored/{text}x'), 4100), says=says)
        if says != 'hit': yield Kind(f'POST to 1.5 KiB of {name}', filled(unit, lambda text: request(f'/stored/{text}x', method='POST'), 1590), says=says)
    yield Kind('path of accents, refused', filled('é', lambda text: request(f'/stored/{text}x')), 414, None)
    yield Kind('path of 4 KiB of accents', filled('é', lambda text: request(f'/stored/{text}x'), 1450))
    yield Kind('query of accents', filled('é', lambda text: request(f'/stored/?{text}x')), 414, None)
    yield Kind('query of 8 KiB of accents', filled('é', lambda text: request(f'/stored/?{text}x'), 2700))
    yield Kind('path for tags', filled('a/', lambda text: request(f'/tags/1/{text}x')))
    yield Kind('path, not stored', lambda n: filled('a/', lambda text: request(f'/tags/{n:03}/{text}x')), says='fwd=uri-miss')
    for name, unit in (('parameters', 'p{}=1&'), ('short parameters', '&a'), ('escaped parameters', '%61{0}=%62&'), ('one parameter', 'a'), ('brackets', 'q[{}]=1&'), ('semicolons', ';q=1')):
        for route in ('stored', 'query', 'tracking', 'search'):
            yield Kind(f'{route}: {name}', filled(unit, lambda text: request(f'/{route}/1?{text}')))
    for name, unit in (('long names', '{:03}' + 'n' * 120 + '=1&'), ('long values', 'p{:03}=' + 'v' * 118 + '&'), ('long escapes', '%70{:03}%' + '25' * 57 + '=1&'), ('dots', '{:03}' + '.[' * 59 + '=1&'),
                       ('signs', '{:03}' + '$' * 119 + '=1&'), ('authors', '{:03}' + 'author' * 19 + '=1&')):
        for route in ('query', 'tracking', 'search'):
            yield Kind(f'{route}: 255 {name}', filled(unit, lambda text: request(f'/{route}/1?{text}')))
    # Fields.
    yield Kind('harmless head of 32 KiB', fields('X-{}:'))
    yield Kind('one field of 32 KiB', field('X-A', 'x'))
    yield Kind('94 short fields', request('/stored/1', *(f'X-{n}: {n}' for n in range(94))))
    yield Kind('94 lines of one field', request('/stored/1', *(f'X-A: {n}' for n in range(94))))
    yield Kind('names of 300 bytes', request('/stored/1', *(f'X-{n:0330}: {n}' for n in range(90))))
    yield Kind('names with underscores', request('/stored/1', *(f'X_{n:0330}: {n}' for n in range(90))))
    yield Kind('names like credentials', request('/stored/1', *(f'X-Auth-{n:0320}: {n}' for n in range(90))))
    yield Kind('Connection', field('Connection', 'a{},'), 431, None)
    yield Kind('Connection, short', field('Connection', 'a,'), 431, None)
    yield Kind('Connection of 1 KiB', request('/stored/1', 'Connection: ' + 'a,' * 500))
    yield Kind('Connection, all fields', request('/stored/1', *(f'X-{n}: {n}' for n in range(90)), 'Connection: ' + ','.join(f'X-{n}' for n in range(90))))
    yield Kind('Upgrade', field('Upgrade', 'a/{},', '/stored/1', 'Connection: upgrade'))
    yield Kind('TE', field('TE', 'a{},', '/stored/1', 'Connection: te'))
    yield Kind('Cache-Control', field('Cache-Control', 'a{}=1,'))
    yield Kind('Cache-Control of 4 KiB', filled('a,', lambda text: request('/stored/1', f'Cache-Control: {text}'), 4200))
    yield Kind('Cache-Control, short', field('Cache-Control', 'a,'))
    yield Kind('Cache-Control, known', field('Cache-Control', 'min-fresh=1,'))
    yield Kind('Cache-Control, quoted', field('Cache-Control', 'a="\\\\,"'))
    yield Kind('If-None-Match', field('If-None-Match', '"{}",'))
    yield Kind('If-None-Match of 4 KiB', filled('"",', lambda text: request('/stored/1', f'If-None-Match: {text}'), 4200))
    yield Kind('If-None-Match of 4 KiB, not stored', filled('"{}-gzip",', lambda text: request('/pass/1', 'Accept-Encoding: gzip', f'If-None-Match: {text}'), 4200), says='fwd=')
    yield Kind('If-None-Match, short', field('If-None-Match', '"",'))
    yield Kind('If-None-Match, gzip', field('If-None-Match', 'W/"{}-gzip",', '/large/1', 'Accept-Encoding: gzip'))
    yield Kind('If-None-Match, not stored', field('If-None-Match', '"{}-gzip",', '/pass/1', 'Accept-Encoding: gzip'), says='fwd=')
    yield Kind('If-Match', field('If-Match', '"{}-gzip",'), says='fwd=')
    yield Kind('If-Modified-Since', field('If-Modified-Since', 'x'))
    yield Kind('If-Range', field('If-Range', '"x",', '/large/1', 'Range: bytes=0-1'))
    yield Kind('Accept-Encoding', field('Accept-Encoding', 'a{};q=0.1,', '/large/1'))
    yield Kind('Accept-Encoding of 4 KiB', filled('a,', lambda text: request('/large/1', f'Accept-Encoding: {text}'), 4200))
    yield Kind('Accept-Encoding, short', field('Accept-Encoding', 'a,', '/large/1'))
    yield Kind('Accept-Encoding, weights', field('Accept-Encoding', 'br;' + 'a;' * 9 + 'q=0.1,', '/large/1'))
    cookies = ('many', 'c{}=1; '), ('short', 'a;'), ('one', 'x'), ('nearly in the key', 'tenan=1;'), ('ignored', '_ga_{}=1;')
    for name, unit in cookies:
        yield Kind(f'Cookie, {name}', field('Cookie', unit, '/cookies/1'), says='detail=too-long')
        yield Kind(f'Cookie of 8 KiB, {name}', filled(unit, lambda text: request('/cookies/1', f'Cookie: {text}'), 8200), says=None)
        yield Kind(f'255 of Cookie, {name}', request('/cookies/1', 'Cookie: ' + (''.join(unit.format(n) for n in range(255)))[:4000]), says=None)
        yield Kind(f'Cookie, {name}, plain route', field('Cookie', unit))
    yield Kind('field of the key', field('X-Tenant', 'x', '/query/1'), says='detail=too-long')
    yield Kind('field of the key of 4 KiB', request('/query/1', 'X-Tenant: ' + 'x' * 4096))
    for name, unit in (('X-Forwarded-For', '1.1.1.1, '), ('Forwarded', 'for=1.1.1.1;proto=http, '), ('Forwarded', 'for="[::1]:1",'), ('Via', '1.1 a, '), ('Via', 'a,'), ('X-Forwarded-Host', 'a, '), ('X-Forwarded-Proto', 'http, ')):
        yield Kind(f'{name}: {unit}', field(name, unit))
        yield Kind(f'{name}: {unit} of a trusted peer', field(name, unit), says=None, source=trusted)
        yield Kind(f'{name}: {unit} of a trusted peer, 4 KiB', filled(unit, lambda text: request('/stored/1', f'{name}: {text}'), 4200), source=trusted)
    yield Kind('lines of X-Forwarded-For, trusted peer', fields('X-Forwarded-For:'), source=trusted)
    yield Kind('fields of addresses, trusted peer', fields('X-Original-{}:'), source=trusted)
    # Variants.
    for name, unit in (('', 'a-{};q=0.1,'), (', short', 'a,'), (', one', 'x')):
        languages = [request('/languages/1', f'Accept-Language: a-{n}') for n in range(31)]
        many = field('Accept-Language', unit, '/languages/1')
        yield Kind(f'32 variants, Accept-Language{name}', many, says='detail=vary-star', before=languages)
        for size in 1024, 4200: yield Kind(f'32 variants, Accept-Language of {size} bytes{name}', filled(unit, lambda text: request('/languages/1', f'Accept-Language: {text}'), size), before=languages)
    yield Kind('Vary: X-A', field('X-A', 'x', '/selected/1'), says='detail=vary-star')
    yield Kind('Vary: X-A of 1 KiB', filled(',', lambda text: request('/selected/1', f'X-A: {text}'), 1024))
    yield Kind('Vary with 32 names', request('/varies/1', *(f'X-{n}: {n}' for n in range(90))))
    # What is purged and confirmed.
    patterns = [{'paths': [f'/{"*a" * 16}{n}*' for n in range(start, start + 64)]} for start in range(0, 512, 64)]
    yield Kind('under 512 purged patterns', request('/stored/' + 'a' * 4000), says=None, purges=patterns)
    yield Kind('under 1,000 purged tags', lambda n: request(f'/tagged/z{n:05}'), says=None, purges=[{'tags': [f'no{n}' for n in range(1000)]}], sent=8)
    yield Kind('confirmed', request('/confirmed/1'), says='fwd=stale')
    yield Kind('confirmed, gzip', request('/confirmed/1', 'Accept-Encoding: gzip'), says='fwd=stale')
    # What is not stored.
    yield Kind('miss', lambda n: request(f'/stored/x{n:05}'), says='fwd=uri-miss')
    yield Kind('miss with a harmless head of 32 KiB', lambda n: fields('X-{}:', f'/stored/y{n:05}'), says='fwd=uri-miss')
    yield Kind('miss with 1,000 tags', lambda n: request(f'/tagged/y{n:05}'), says='fwd=uri-miss', sent=8)
    yield Kind('miss with 4,000 tags', lambda n: request(f'/overtagged/y{n:05}'), says='fwd=uri-miss', sent=21)
    yield Kind('miss with a Cache-Control of 32 KiB', lambda n: request(f'/directives/y{n:05}'), says='no-store', sent=32)
    yield Kind('miss of 1 MB', lambda n: request(f'/large/y{n:05}'), says='fwd=uri-miss', sent=1000, times=4)
    for coding in 'gzip', 'br', 'zstd': yield Kind(f'miss of 1 MB, {coding}', lambda n, coding=coding: request(f'/large/{coding}{n:05}', f'Accept-Encoding: {coding}'), says='fwd=uri-miss', sent=1000, times=4)
    yield Kind('pass', request('/pass/1'), says='fwd=')
    yield Kind('POST', lambda n: request(f'/pass/{n:05}', method='POST', content=b'{}'), says='fwd=')
    yield Kind('QUERY', request('/stored/1', 'Content-Type: application/json', method='QUERY', content=b'{"q":1}'))
    yield Kind('QUERY of 64 KiB', request('/stored/1', 'Content-Type: application/json', method='QUERY', content=b'x' * 65536))
    for name, unit, around in (('objects', '{},', '[%s{}]'), ('lists', '[],', '[%s[]]'), ('numbers', '1,', '[%s1]'), ('nulls', 'null,', '[%snull]'), ('members', '"m%05d":1,', '{%s"m":1}'),
                               ('escapes', '\\u0061', '{"m":"%s"}'), ('a query', 'a{b(c:\\"d\\")}', '{"query":"{%s}"}'), ('names', 'a ', '{"query":"{%s}"}'), ('brackets', '{', '{"query":"%s"}'),
                               ('comments', '#\\n', '{"query":"%s{a}"}'), ('words', 'mutatio', '{"m":"%s"}')):
        text = ''.join(unit % n if '%' in unit else unit for n in range(65000 // len(unit) - 2))
        content = (around % text).encode()
        yield Kind(f'POST that reads, {name}', request('/reads/1', 'Content-Type: application/json', method='POST', content=content[:65536]), says=None, per_kib=UNDERSTOOD)
    yield Kind('POST that reads, form', request('/reads/1', 'Content-Type: application/x-www-form-urlencoded', method='POST', content=b'a=1&' * 16000), says=None, per_kib=UNDERSTOOD)
    yield Kind('POST that reads, text', request('/reads/1', 'Content-Type: text/plain', method='POST', content=b'{ mutatio' * 7000), says=None, per_kib=UNDERSTOOD)


# === the origin ===

class Origin(socketserver.StreamRequestHandler):
    """Answers at the time at which the clock of `guard` stands, by the first segment of the path."""
    disable_nagle_algorithm = True
    BODY = b'{"text":"%s"}' % (b'lorem ipsum ' * 90)[:1013]
    LARGE = b'{"text":"%s"}' % (b'lorem ipsum ' * 90000)[:1_000_000]
    CONFIRMATION = b'HTTP/1.1 304 Not Modified\r\nCache-Control: no-cache\r\nETag: "0123456789abcdef"\r\nDate: Sun, 15 Jun 2025 15:06:40 GMT\r\n\r\n'
    FIELDS = {
        'languages': 'Vary: Accept-Language', 'selected': 'Vary: X-A',
        'varies': 'Vary: ' + ', '.join(f'X-{n}' for n in range(32)),
        'search': 'No-Vary-Search: params=("utm" "gclid"), key-order',
        'tagged': 'Surrogate-Key: ' + ' '.join(f't{n:05}' for n in range(1000)),
        'overtagged': 'Surrogate-Key: ' + ' '.join(f't{n}' for n in range(4000)),
        'confirmed': 'Cache-Control: no-cache',
        'directives': 'Cache-Control: ' + ', '.join(f'a{n}=1' for n in range(3500)),
    }

    def handle(self):
        while line := self.rfile.readline():
            method, path, _ = line.decode('latin-1').split(' ', 2)
            length, confirms = 0, False
            while (field := self.rfile.readline()) not in (b'\r\n', b''):
                name, _, value = field.partition(b':')
                if name.lower() == b'content-length': length = int(value)
                confirms |= name.lower() == b'if-none-match'
            self.rfile.read(length)
            first = path.split('/')[1]
            body = self.LARGE if first in ('large', 'confirmed') else self.BODY
            if confirms and first == 'confirmed':
                self.wfile.write(self.CONFIRMATION)
                continue
            lines = ['HTTP/1.1 200 OK', 'Content-Type: application/json', *(() if first == 'confirmed' else ['Cache-Control: max-age=3600']), 'ETag: "0123456789abcdef"',
                     'Date: Sun, 15 Jun 2025 15:06:40 GMT', f'Content-Length: {len(body)}', *filter(None, [self.FIELDS.get(first)])]
            self.wfile.write('\r\n'.join(lines).encode() + b'\r\n\r\n' + (b'' if method == 'HEAD' else body))


# === counting ===

class Client:
    """One connection at a time."""

    def __init__(self, address, source):
        self.address, self.source, self.socket = address, source, None

    def ask(self, kind, number):
        if not self.socket: self.socket = socket.create_connection(self.address, 60, (self.source, 0))
        data = kind.make(number) if isinstance(kind, Kind) else kind  # what comes before is bytes
        try: self.socket.sendall(data)
        except OSError: pass  # refused before it was read
        answer = HTTPResponse(self.socket, method=data.split(b' ', 1)[0].decode())
        answer.begin(); answer.content = answer.read()
        if answer.will_close: self.socket.close(); self.socket = None
        return answer


class Guard:
    """`guard serve` under callgrind."""

    def __init__(self, folder, origin):
        self.folder, self.marks = Path(folder), 0
        config = self.folder / 'proxy.toml'
        config.write_text(CONFIG.format(origin=origin))
        command = ['valgrind', '-q', '--tool=callgrind', '--dump-before=*served::mark*', f'--callgrind-out-file={self.folder}/out', PROGRAM, 'serve', config]
        # Processors differ in the copies that glibc picks for long runs of bytes; these count as many instructions as they copy.
        environment = {'PATH': os.environ['PATH'], 'GLIBC_TUNABLES': 'glibc.cpu.hwcaps=-ERMS,-FSRM,-AVX2_Usable'}
        self.process = subprocess.Popen(list(map(str, command)), env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = self.process.stderr.readline().split()
        if len(said) != 2: sys.exit(f'the proxy did not start: {" ".join(said)}{self.process.stderr.read()[-2000:]}')
        self.public, self.admin = map(address_of, said)

    def __enter__(self): return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try: self.process.wait(60)
        except subprocess.TimeoutExpired: self.process.kill(); raise

    def mark(self):
        """The file with what was counted since the last mark."""
        self.process.stdin.write('\n'); self.process.stdin.flush()
        if not self.process.stderr.readline(): sys.exit('the proxy has ended')
        self.marks += 1
        return self.folder / f'out.{self.marks}'

    def count(self, kind):
        """The profile of all requests of this kind."""
        client = Client(self.admin if kind.port == 'admin' else self.public, kind.source)
        for data in [*kind.before, kind.make(0), kind.make(0)]: client.ask(data, 0)
        for purge in kind.purges: self.purge(purge)
        self.mark()
        answers = [client.ask(kind, number + 1) for number in range(kind.times)]
        dump = self.mark()
        for answer in answers: check_answer(kind, answer)
        with open(dump) as lines: return Profile(lines)

    def purge(self, selectors):
        content = json.dumps(selectors).encode()
        answer = Client(self.admin, '127.0.0.1').ask(request('/api/purge', 'Authorization: Bearer 0123456789abcdef', 'Content-Type: application/json', method='POST', content=content), 0)
        if answer.status != 200: sys.exit(f'a purge was answered with {answer.status}: {answer.content}')


def check_answer(kind, answer):
    said = answer.getheader('Cache-Status') or ''
    if kind.status != answer.status or (kind.says and kind.says not in said):
        sys.exit(f'{kind.name} was answered with {answer.status}, Cache-Status: {said}')


def address_of(text):
    host, _, port = text.rpartition(':')
    return host, int(port)


def origin():
    server = socketserver.ThreadingTCPServer(('127.0.0.1', 0), Origin)
    server.daemon_threads, server.block_on_close = True, False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


# === the judgement ===

class Cost:
    """What one request of a kind costs, in plain hits."""

    def __init__(self, name, work, reading, size, others):
        self.name, self.work, self.reading = name, work, reading
        self.most_work, self.most_reading = WORK + others, READING * max(size, 1)

    @classmethod
    def of(cls, kind, profile, hit):
        reading = sum(cost for name, cost in profile.inclusive.items() if name and name.removeprefix('<') in READERS)
        content = len(kind.make(1).partition(b'\r\n\r\n')[2]) / 1024
        others = content * kind.per_kib + kind.sent * CONTENT
        size = len(kind.make(1)) / 1024 + kind.sent
        return cls(kind.name, (profile.total - reading) / kind.times / hit, reading / kind.times / hit, size, others)

    def is_too_much(self): return self.work > self.most_work or self.reading > self.most_reading

    def __str__(self): return f'{self.name:52} {self.work:9.1f} {self.most_work:9.0f} {self.reading:9.1f} {self.most_reading:9.0f}'


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--all', action='store_true'); ap.add_argument('--only', metavar='TEXT', default=''); ap.add_argument('--where', metavar='KIND')
    ap.add_argument('--self-test', action='store_true'); ap.add_argument('--no-build', action='store_true')
    a = ap.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    if a.self_test: return unittest.main(argv=[sys.argv[0]])
    build(a.no_build)
    wanted = [kind for kind in kinds() if (a.only in kind.name if a.where is None else a.where == kind.name)]
    if not wanted: sys.exit('there is no such kind')
    with tempfile.TemporaryDirectory() as folder, origin() as server, Guard(folder, '{}:{}'.format(*server.server_address)) as guard:
        plain = Kind('plain', request(), times=200)
        hit = guard.count(plain).total / plain.times
        if a.where is not None: return where(wanted[0], guard.count(wanted[0]))
        costs = [Cost.of(kind, guard.count(kind), hit) for kind in wanted]
        server.shutdown()
    print(f'{"in plain hits of %d instructions" % hit:52} {"work":>9} {"at most":>9} {"reading":>9} {"at most":>9}')
    shown = costs if a.all or a.only else sorted(costs, key=lambda cost: max(cost.work / cost.most_work, cost.reading / cost.most_reading))[-20:]
    for cost in shown: print(cost)
    print(f'{len(costs)} kinds')
    for cost in filter(Cost.is_too_much, costs): print(f'TOO DEAR {cost}')
    if any(map(Cost.is_too_much, costs)): sys.exit('where the instructions go: bench/attacks.py --where KIND')


def where(kind, profile):
    for title, costs in (('each function by itself', profile.own), ('each function with what it calls', profile.inclusive)):
        print(f'\n{kind.name}: instructions of one request, {title}')
        for name, cost in costs.most_common(30): print(f'{cost / kind.times:9.0f}  {name}')


class Tests(unittest.TestCase):
    def test_work_is_bounded_whatever_the_size(self):
        self.assertFalse(Cost('a', WORK, 0, 32, 0).is_too_much())
        self.assertTrue(Cost('a', WORK + 1, 0, 32, 0).is_too_much())

    def test_reading_is_bounded_by_size(self):
        self.assertFalse(Cost('a', 0, 30 * READING, 30, 0).is_too_much())
        self.assertTrue(Cost('a', 0, 31 * READING, 30, 0).is_too_much())
        self.assertFalse(Cost('a', 0, READING, 0.1, 0).is_too_much())

    def test_content_makes_work(self):
        self.assertFalse(Cost('a', WORK + 64, 0, 1, 64).is_too_much())
        self.assertTrue(Cost('a', WORK + 65, 0, 1, 64).is_too_much())

    def test_reading_is_no_work(self):
        lines = f'fn=(1) serve\n16 400\ncfn=(2) <{READERS[0]}\ncalls=1 0\n16 60\n\nfn=(2)\n7 60\n'.splitlines()
        cost = Cost.of(Kind('a', request(), times=2), Profile(iter(lines + ['totals: 460'])), 10)
        self.assertEqual((cost.work, cost.reading), (20, 3))

    def test_kinds_have_names_of_their_own_and_fit(self):
        names = [kind.name for kind in kinds()]
        self.assertEqual(len(names), len(set(names)))
        for kind in kinds(): self.assertLessEqual(len(kind.make(1).partition(b'\r\n\r\n')[0]), HEAD + 4096, kind.name)


if __name__ == '__main__': main()
