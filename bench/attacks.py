"""What one request of a stranger costs, for each kind of work that a request can make dear.

`guard serve` (bench/guard.rs) runs under valgrind's callgrind with its listeners, and gets each kind of request often enough for
their mean. Counted is everything that the process does in user space for one of them: reading, parsing, deciding, the line in the
log, writing. Heads are as large as `server.max_header_bytes` lets them be.
"""
import re, socket, socketserver, subprocess, threading
from http.client import HTTPResponse
from pathlib import Path

# No kind of request may cost more than so many plain hits.
MOST = 10
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
    The answers must have `status`, and `says` in Cache-Status."""

    def __init__(self, name, make, status=200, says='hit', before=(), source='127.0.0.1', port='public', closes=False, times=20, control=None):
        self.name, self.status, self.says, self.before, self.source, self.port = name, status, says, before, source, port
        self.make = make if callable(make) else lambda _: make
        self.closes, self.times, self.control = closes, times, control


def kinds():
    trusted = '127.0.0.2'
    conditional = lambda name, unit, **more: Kind(f'{name} of many', field(name, unit), **more)
    yield Kind('304', request('/stored/1', 'If-None-Match: "0123456789abcdef"'), 304)
    yield Kind('HEAD', request(method='HEAD'))
    yield Kind('gzip', request('/large/1', 'Accept-Encoding: gzip'))
    yield Kind('two ranges', request('/large/1', 'Range: bytes=0-0,2-1000000'), 206)
    yield Kind('two ranges, HTTP/1.0', request('/large/1', 'Range: bytes=0-0,2-1000000', version='HTTP/1.0'), 206, closes=True)
    yield Kind('many ranges', field('Range', '{0}-{0},', '/large/1').replace(b'Range: ', b'Range: bytes='), 200, None)
    yield Kind('OPTIONS', request(method='OPTIONS'), says='fwd=')
    yield Kind('OPTIONS *', request('*', method='OPTIONS'), 204, None)
    yield Kind('HTTP/1.0', request(version='HTTP/1.0'), closes=True)
    yield Kind('malformed', b'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400, None, closes=True)
    yield Kind('malformed at the end', field('A', 'x').replace(b'\r\n\r\n', b'\r\nB : b\r\n\r\n'), 400, None, closes=True)
    yield Kind('too many fields', request('/stored/1', *(f'a{n}: b' for n in range(200))), 431, None, closes=True)
    yield Kind('too large a head', field('A', 'x', size=2 * HEAD) if False else filled('x', lambda text: request('/', f'A: {text}'), HEAD + 4096), 431, None, closes=True)
    yield Kind('refused Host', request(host='a:b'), 400, None)
    yield Kind('Host of 32 KiB', filled('a.', lambda text: request(host=f'{text}x')), 400, None, closes=True)
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
        yield Kind(f'path of {name}, refused', filled(unit, lambda text: request(f'/stored/{text}x')), 414, None, closes=True)
        yield Kind(f'path of 8 KiB of {name}', filled(unit, lambda text: request(f'/stored/{text}x'), 8200), says=says)
        if says != 'hit': yield Kind(f'POST to 8 KiB of {name}', filled(unit, lambda text: request(f'/stored/{text}x', method='POST'), 8200), says=says)
    yield Kind('path of accents, refused', filled('é', lambda text: request(f'/stored/{text}x')), 414, None, closes=True)
    yield Kind('path of 8 KiB of accents', filled('é', lambda text: request(f'/stored/{text}x'), 2700))
    yield Kind('query of accents', filled('é', lambda text: request(f'/stored/?{text}x')), 414, None, closes=True)
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
    yield Kind('Connection', field('Connection', 'a{},'), 431, None, closes=True)
    yield Kind('Connection, short', field('Connection', 'a,'), 431, None, closes=True)
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
    for size in 1024, 4200: yield Kind(f'Vary: X-A of {size} bytes', filled(',', lambda text: request('/selected/1', f'X-A: {text}'), size))
    yield Kind('Vary with 32 names', request('/varies/1', *(f'X-{n}: {n}' for n in range(90))))
    # What is not stored.
    yield Kind('miss', lambda n: request(f'/stored/x{n:05}'), says='fwd=uri-miss')
    yield Kind('miss with a harmless head of 32 KiB', lambda n: fields('X-{}:', f'/stored/y{n:05}'), says='fwd=uri-miss')
    yield Kind('miss with 4,000 tags', lambda n: request(f'/tagged/y{n:05}'), says='fwd=uri-miss')
    yield Kind('miss with a Cache-Control of 32 KiB', lambda n: request(f'/directives/y{n:05}'), says='no-store')
    yield Kind('pass', request('/pass/1'), says='fwd=')
    yield Kind('POST', lambda n: request(f'/pass/{n:05}', method='POST', content=b'{}'), says='fwd=')
    yield Kind('QUERY', request('/stored/1', 'Content-Type: application/json', method='QUERY', content=b'{"q":1}'))
    yield Kind('QUERY of 64 KiB', request('/stored/1', 'Content-Type: application/json', method='QUERY', content=b'x' * 65536))


# === the origin ===

class Origin(socketserver.StreamRequestHandler):
    """Answers at the time at which the clock of `guard` stands, by the first segment of the path."""
    disable_nagle_algorithm = True
    BODY = b'{"text":"%s"}' % (b'lorem ipsum ' * 90)[:1013]
    LARGE = b'{"text":"%s"}' % (b'lorem ipsum ' * 90000)[:1_000_000]
    FIELDS = {
        'languages': 'Vary: Accept-Language', 'selected': 'Vary: X-A',
        'varies': 'Vary: ' + ', '.join(f'X-{n}' for n in range(32)),
        'search': 'No-Vary-Search: params=("utm" "gclid"), key-order',
        'tagged': 'Surrogate-Key: ' + ' '.join(f't{n}' for n in range(4000)),
        'directives': 'Cache-Control: ' + ', '.join(f'a{n}=1' for n in range(3500)),
    }

    def handle(self):
        while line := self.rfile.readline():
            method, path, _ = line.decode('latin-1').split(' ', 2)
            length = 0
            while (field := self.rfile.readline()) not in (b'\r\n', b''):
                name, _, value = field.partition(b':')
                if name.lower() == b'content-length': length = int(value)
            self.rfile.read(length)
            first = path.split('/')[1]
            body = self.LARGE if first == 'large' else self.BODY
            lines = ['HTTP/1.1 200 OK', 'Content-Type: application/json', 'Cache-Control: max-age=3600', 'ETag: "0123456789abcdef"',
                     'Date: Sun, 15 Jun 2025 15:06:40 GMT', f'Content-Length: {len(body)}', *filter(None, [self.FIELDS.get(first)])]
            self.wfile.write('\r\n'.join(lines).encode() + b'\r\n\r\n' + (b'' if method == 'HEAD' else body))


# === counting ===

class Client:
    """One connection at a time."""

    def __init__(self, address, source):
        self.address, self.source, self.socket = address, source, None

    def ask(self, kind, number):
        if not self.socket: self.socket = socket.create_connection(self.address, 60, (self.source, 0))
        data = kind.make(number) if isinstance(kind, Kind) else kind
        try: self.socket.sendall(data)
        except OSError: pass  # refused before it was read
        answer = HTTPResponse(self.socket, method=data.split(b' ', 1)[0].decode())
        answer.begin(); answer.read()
        if answer.will_close: self.socket.close(); self.socket = None
        return answer


class Guard:
    """`guard serve` under callgrind."""

    def __init__(self, program, folder, origin):
        self.folder = Path(folder)
        config = self.folder / 'proxy.toml'
        config.write_text(CONFIG.format(origin=origin))
        command = ['valgrind', '-q', '--tool=callgrind', '--dump-before=*served::mark*', f'--callgrind-out-file={self.folder}/out', program, 'serve', config]
        import os
        self.process = subprocess.Popen(list(map(str, command)), env={'PATH': os.environ['PATH'], 'GLIBC_TUNABLES': 'glibc.cpu.hwcaps=-ERMS,-FSRM,-AVX2_Usable'}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.public, self.admin = (tuple_of(address) for address in self.process.stderr.readline().split())
        self.marks = 0

    def mark(self):
        """The file with what was counted since the last mark."""
        self.process.stdin.write('\n'); self.process.stdin.flush()
        self.process.stderr.readline()
        self.marks += 1
        return self.folder / f'out.{self.marks}'

    def count(self, kind):
        """Instructions of one request of this kind."""
        client = Client(self.admin if kind.port == 'admin' else self.public, kind.source)
        for data in [*kind.before, kind.make(0), kind.make(0)]: client.ask(data, 0)
        self.mark()
        answers = [client.ask(kind, number + 1) for number in range(kind.times)]
        dump = self.mark()
        for answer in answers: judge(kind, answer)
        return round(int(re.search(r'^totals: (\d+)', dump.read_text(), re.M)[1]) / kind.times)

    def end(self):
        self.process.stdin.close(); self.process.wait(60)


def judge(kind, answer):
    said = answer.getheader('Cache-Status') or ''
    if (kind.status not in (None, answer.status)) or (kind.says and kind.says not in said):
        raise SystemExit(f'{kind.name} was answered with {answer.status}, Cache-Status: {said}')


def tuple_of(address):
    host, _, port = address.rpartition(':')
    return host, int(port)


def count(program, folder, only=None):
    """Instructions of one plain hit, and of one request of each kind."""
    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(('127.0.0.1', 0), Origin) as origin:
        threading.Thread(target=origin.serve_forever, daemon=True).start()
        guard = Guard(program, folder, '{}:{}'.format(*origin.server_address))
        plain = guard.count(Kind('plain', request(), times=200))
        counted = {}
        for kind in kinds():
            if only and only not in kind.name: continue
            try: counted[kind.name] = guard.count(kind)
            except (SystemExit, OSError) as error: counted[kind.name] = 0; print('!!', kind.name, error)
            print(f'{kind.name:50} {counted[kind.name]:10} {counted[kind.name]/plain:7.1f}', flush=True)
        guard.end()
        origin.shutdown()
    return plain, counted


if __name__ == '__main__':
    import sys, tempfile
    with tempfile.TemporaryDirectory() as folder:
        plain, counted = count('target/guard/examples/guard', folder, *sys.argv[1:])
        print('plain', plain)
