//! Streams that are nearly right.

use fastrand::Rng;

/// What parsers trip over.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b"\r\n ",
    b"\r\n\t",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b":",
    b",",
    b";",
    b"\"",
    b"\xc3\xa9",
    b"\xff",
    b"%",
    b"%00",
    b"%2e%2e/",
    b"//",
    b"#",
    b"?",
    b"0\r\n\r\n",
    b"0\r\n",
    b"1\r\n",
    b"5;a=b\r\nhello\r\n",
    b"-1",
    b"+5",
    b"0x5",
    b"00000000000000000005",
    b"ffffffffffffffff",
    b"10000000000000000",
    b"99999999999999999999",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"HTTP/2.0",
    b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /smuggled HTTP/1.1\r\nHost: test.example\r\n\r\n",
    b"Host: other.example\r\n",
    b"Host:\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length : 5\r\n",
    b"Content_Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n",
    b"Transfer-Encoding:\r\n chunked\r\n",
    b"Connection: content-length\r\n",
    b"Connection: transfer-encoding\r\n",
    b"Connection: host, close\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    b"Expect: 100-continue\r\n",
    b"Expect: something\r\n",
    b"Trailer: Content-Length\r\n",
    b"TE: trailers, chunked\r\n",
    b"Via: 1.1 sidecache\r\n",
    b"Range: bytes=0-0,2-3\r\n",
    b"Range: bytes=18446744073709551615-\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Range: bytes 0-3/4\r\n",
    b"Vary: *\r\n",
    b"Cache-Control: max-age=99999999999999999999, \"\r\n",
    b"Age: 18446744073709551616\r\n",
    b"ETag: W/\"\r\n",
    b"Date: Thu, 99 Foo 0000 99:99:99 GMT\r\n",
];

/// Changes `bytes` in some places: in none now and then.
pub(super) fn mutate(bytes: &mut Vec<u8>, random: &mut Rng) {
    for _ in 0..[0, 1, 1, 2, 3, 6][random.usize(..6)] {
        change(bytes, random);
    }
}

fn change(bytes: &mut Vec<u8>, random: &mut Rng) {
    if bytes.is_empty() {
        return;
    }
    let at = random.usize(..bytes.len());
    match random.u8(..12) {
        0 => bytes[at] ^= 1 << random.u8(..8),
        1 => bytes[at] = random.u8(..),
        2 => drop(bytes.drain(some(at, bytes.len(), random))),
        3 => {
            let copy = bytes[some(at, bytes.len(), random)].to_vec();
            let to = random.usize(..=bytes.len());
            bytes.splice(to..to, copy);
        }
        4 => bytes.truncate(at),
        5 => digit(bytes, at, random),
        6 => {
            // A line once more, in the same place or elsewhere.
            let line = line_at(bytes, at);
            let copy = bytes[line.clone()].to_vec();
            bytes.splice(line.start..line.start, copy);
        }
        7 => drop(bytes.drain(line_at(bytes, at))),
        8 => {
            // Words at the beginning of a line are fields.
            let start = line_at(bytes, at).start;
            bytes.splice(start..start, word(random));
        }
        _ => drop(bytes.splice(at..at, word(random))),
    }
}

fn word(random: &mut Rng) -> Vec<u8> {
    WORDS[random.usize(..WORDS.len())].to_vec()
}

/// Some bytes from `at` on: few, nearly always.
fn some(at: usize, length: usize, random: &mut Rng) -> std::ops::Range<usize> {
    let most = if random.u8(..8) == 0 { 4096 } else { 8 };
    at..(at + random.usize(1..=most)).min(length)
}

fn line_at(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let start = bytes[..at].iter().rposition(|b| *b == b'\n');
    let end = bytes[at..].iter().position(|b| *b == b'\n');
    start.map_or(0, |start| start + 1)..end.map_or(bytes.len(), |end| at + end + 1)
}

/// Makes the next number another one.
fn digit(bytes: &mut [u8], at: usize, random: &mut Rng) {
    if let Some(digit) = bytes[at..].iter_mut().find(|b| b.is_ascii_digit()) {
        *digit = random.u8(b'0'..=b'9');
    }
}

/// `bytes` as up to three writes.
pub(super) fn pieces<'a>(bytes: &'a [u8], random: &mut Rng) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = (0..random.usize(..3))
        .map(|_| random.usize(..=bytes.len()))
        .collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
}
