//! Where requests begin and end, as the library writes them.
//!
//! The library says neither, and a guess would be the client's to make wrong: an answer that comes before the content of its
//! request has been sent makes the rest of that content look like a request ([RFC 9112 §9.3]). What is written is ours, so it is
//! framed by one length or in chunks ([RFC 9112 §6]).
//!
//! [RFC 9112 §6]: https://www.rfc-editor.org/rfc/rfc9112#section-6
//! [RFC 9112 §9.3]: https://www.rfc-editor.org/rfc/rfc9112#section-9.3

use memchr::memchr;

/// See the module docs.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    at: At,
    line: Line,
    is_head: bool,
    framing: Framing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Every request that was begun has been written to its end.
    #[default]
    Between,
    RequestLine,
    Fields,
    /// In content, of which so many bytes are to come.
    Sized(u64),
    ChunkSize,
    /// In a chunk, of which so many bytes are to come, its line end included.
    Chunk(u64),
    Trailers,
    /// In something that is framed in no way that is known. It has no end.
    Lost,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Framing {
    #[default]
    None,
    Sized(u64),
    Chunked,
}

/// The beginning of a line. No longer one matters, in bytes: `content-length` with the largest number.
const LONGEST: usize = 48;

#[derive(Debug)]
struct Line {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Outgoing {
    /// `bytes` were written. Whether the first of them begins a request.
    pub(super) fn wrote(&mut self, bytes: &[u8]) -> bool {
        let begins = self.at == At::Between && !bytes.is_empty();
        if begins {
            (self.at, self.is_head, self.framing) = (At::RequestLine, false, Framing::None);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.advance(rest);
        }
        begins
    }

    /// Whether nothing of a request is still to be written.
    pub(super) fn is_between(&self) -> bool {
        self.at == At::Between
    }

    /// Whether the request is a HEAD.
    pub(super) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Takes something from the front of `bytes`.
    fn advance<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (At::Sized(left) | At::Chunk(left)) = self.at else {
            return self.line(bytes);
        };
        let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let left = left - taken as u64;
        self.at = match self.at {
            At::Sized(_) if left == 0 => At::Between,
            At::Sized(_) => At::Sized(left),
            _ if left == 0 => At::ChunkSize,
            _ => At::Chunk(left),
        };
        &bytes[taken..]
    }

    /// Takes the rest of a line.
    fn line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if matches!(self.at, At::Between | At::Lost) {
            self.at = At::Lost; // nothing is written behind a request but another one, in a write of its own
            return &[];
        }
        let end = memchr(b'\n', bytes);
        let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.line.push(line);
        if self.at == At::RequestLine {
            self.is_head = self.line.bytes().starts_with(b"HEAD ");
        }
        if end.is_some() {
            self.at = self.after_line();
            self.line.length = 0;
        }
        rest
    }

    fn after_line(&mut self) -> At {
        let line = self.line.bytes().trim_ascii_end();
        match self.at {
            At::RequestLine => At::Fields,
            At::Fields if line.is_empty() => match self.framing {
                Framing::None | Framing::Sized(0) => At::Between,
                Framing::Sized(length) => At::Sized(length),
                Framing::Chunked => At::ChunkSize,
            },
            At::Fields => match field(line) {
                Some(Some(framing)) => {
                    self.framing = framing;
                    At::Fields
                }
                Some(None) => At::Lost,
                None => At::Fields,
            },
            At::ChunkSize => match number(line, 16) {
                Some(0) => At::Trailers,
                Some(size) => At::Chunk(size.saturating_add(2)),
                None => At::Lost,
            },
            At::Trailers if line.is_empty() => At::Between,
            at => at,
        }
    }
}

impl Line {
    fn push(&mut self, bytes: &[u8]) {
        let room = &mut self.bytes[self.length..];
        let taken = room.len().min(bytes.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.length += taken;
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Default for Line {
    fn default() -> Self {
        Self {
            bytes: [0; LONGEST],
            length: 0,
        }
    }
}

/// What a field says of the framing, if it is about it; `Some(None)` where that cannot be read.
fn field(line: &[u8]) -> Option<Option<Framing>> {
    if !matches!(line.first()?, b'c' | b'C' | b't' | b'T') {
        return None; // most fields
    }
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.eq_ignore_ascii_case(b"content-length") {
        return Some(number(value, 10).map(Framing::Sized));
    }
    let is_coding = name.eq_ignore_ascii_case(b"transfer-encoding");
    is_coding.then(|| {
        value
            .eq_ignore_ascii_case(b"chunked")
            .then_some(Framing::Chunked)
    })
}

fn number(text: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text).ok()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each byte of `written`, in pieces of `size`, what it begins.
    fn begins(written: &str, size: usize) -> (Vec<usize>, bool) {
        let mut outgoing = Outgoing::default();
        let mut at = 0;
        let mut begun = Vec::new();
        for piece in written.as_bytes().chunks(size) {
            if outgoing.wrote(piece) {
                begun.push(at);
            }
            at += piece.len();
        }
        (begun, outgoing.is_between())
    }

    #[test]
    fn a_request_ends_where_its_framing_says() {
        for (request, is_whole) in [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nhost: a\r\n", false),
            ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", true),
            ("POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nHEAD ", true),
            ("POST / HTTP/1.1\r\ncontent-length: 6\r\n\r\nHEAD ", false),
            (
                "PUT / HTTP/1.1\r\nte: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nHEAD \r\n0\r\n\r\n",
                true,
            ),
            (
                "PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nHEAD \r\n0\r\na: b\r\n\r\n",
                true,
            ),
            (
                "PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1F\r\nHEAD \r\n0\r\n\r\n",
                false,
            ),
            (
                "PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nHEAD \r\n0\r\na: b\r\n",
                false,
            ),
            ("PUT / HTTP/1.1\r\ncontent-length: x\r\n\r\n", false),
            ("PUT / HTTP/1.1\r\ntransfer-encoding: y\r\n\r\n", false),
        ] {
            for size in 1..=request.len() {
                assert_eq!(
                    begins(request, size),
                    (vec![0], is_whole),
                    "{request} {size}"
                );
            }
        }
    }

    #[test]
    fn each_request_begins_behind_the_one_before() {
        let mut outgoing = Outgoing::default();
        for _ in 0..3 {
            assert!(outgoing.wrote(b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nHEA"));
            assert!(!outgoing.is_head());
            assert!(!outgoing.wrote(b"D / HT"));
            assert!(outgoing.is_between());
            assert!(outgoing.wrote(b"HEAD / HTTP/1.1\r\n"));
            assert!(outgoing.is_head() && !outgoing.is_between());
            assert!(!outgoing.wrote(b"\r\n"));
        }
    }

    #[test]
    fn a_long_field_is_read_by_its_beginning() {
        let long = "x".repeat(10_000);
        let request =
            format!("GET /{long} HTTP/1.1\r\ncookie: {long}\r\ncontent-length: 1\r\n\r\n");
        for size in [1, 7, 4096, 50_000] {
            assert_eq!(begins(&request, size), (vec![0], false));
        }
    }

    #[test]
    fn what_follows_a_request_in_its_write_is_no_end() {
        let mut outgoing = Outgoing::default();
        outgoing.wrote(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        assert!(!outgoing.is_between());
    }
}
