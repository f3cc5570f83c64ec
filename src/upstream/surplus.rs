//! Where a response without content ends, as its bytes pass by.
//!
//! Origins send a body behind the head of an answer that has none: to HEAD, with 204 or 304. In one piece hyper sees that; in
//! two, the second would be read as the answer to the next request on the connection, and that is somebody else's. Nobody can
//! tell whether more comes, so nothing that comes is read: such an answer is the last of its connection.

/// How far the message on a connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// No request has been begun, or the last response has content, whose end hyper sees.
    #[default]
    Between,
    /// In the status line of a response, so many of its first bytes.
    Status(u8),
    /// In the fields of an interim or a final response without content; what follows the last line end.
    Fields { interim: bool, line: Line },
    /// Behind a response without content.
    End,
    /// Another protocol is spoken from here on.
    Switched,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Something is in it.
    Some,
    /// Nothing but, perhaps, a carriage return.
    Empty,
}

/// `HTTP/1.1 200`.
const STATUS_LINE: u8 = 12;

/// See the module docs.
#[derive(Debug, Default)]
pub(super) struct Surplus {
    at: At,
    is_head: bool,
    code: [u8; 3],
}

impl Surplus {
    /// A request begins.
    pub(super) fn asked(&mut self) {
        (self.at, self.is_head) = (At::Status(0), false);
    }

    /// Whether the request that has begun is a HEAD.
    pub(super) fn asked_for_head(&mut self, is_head: bool) {
        self.is_head = is_head;
    }

    /// Whether HTTP is spoken no more.
    pub(super) fn has_switched(&self) -> bool {
        self.at == At::Switched
    }

    /// Whether the last request has no final status yet.
    pub(super) fn is_waited_for(&self) -> bool {
        matches!(self.at, At::Status(_) | At::Fields { interim: true, .. })
    }

    /// Whether what comes has to be looked at.
    pub(super) fn looks(&self) -> bool {
        matches!(self.at, At::Status(_) | At::Fields { .. })
    }

    /// Whether the last response has come, and nothing more is to be read.
    pub(super) fn is_over(&self) -> bool {
        self.at == At::End
    }

    /// `bytes` came from the upstream.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match self.at {
                At::Status(seen) => self.at = self.status(seen, *byte),
                At::Fields { interim, line } => self.at = fields(interim, line, *byte),
                At::Between | At::End | At::Switched => return,
            }
        }
    }

    fn status(&mut self, seen: u8, byte: u8) -> At {
        if seen == 0 && matches!(byte, b'\r' | b'\n') {
            return At::Status(0); // the parser skips empty lines too
        }
        if let Some(digit) = seen.checked_sub(STATUS_LINE - 3) {
            self.code[usize::from(digit)] = byte;
        }
        if seen + 1 < STATUS_LINE {
            return At::Status(seen + 1);
        }
        let interim = self.code[0] == b'1';
        match &self.code {
            b"101" => At::Switched,
            b"204" | b"304" => At::Fields {
                interim: false,
                line: Line::Some,
            },
            _ if interim || self.is_head => At::Fields {
                interim,
                line: Line::Some,
            },
            _ => At::Between,
        }
    }
}

fn fields(interim: bool, line: Line, byte: u8) -> At {
    let line = match (line, byte) {
        (Line::Empty, b'\n') if interim => return At::Status(0),
        (Line::Empty, b'\n') => return At::End,
        (_, b'\n') | (Line::Empty, b'\r') => Line::Empty,
        _ => Line::Some,
    };
    At::Fields { interim, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a response to `request` is the last of its connection, in one piece and byte by byte.
    fn is_last(request: &str, response: &str) -> bool {
        let after = |size: usize| {
            let mut surplus = Surplus::default();
            surplus.asked();
            surplus.asked_for_head(request.starts_with("HEAD "));
            assert!(surplus.is_waited_for());
            for piece in response.as_bytes().chunks(size) {
                assert!(!surplus.is_over(), "it ends with its last byte");
                surplus.read(piece);
            }
            surplus.is_over()
        };
        assert_eq!(after(1), after(response.len()), "{response}");
        after(1)
    }

    #[test]
    fn a_response_without_content_is_the_last_of_its_connection() {
        for (request, response) in [
            ("HEAD / ", "HTTP/1.1 200 OK\r\nA: b\r\n\r\n"),
            ("HEAD / ", "HTTP/1.1 200 OK\r\n\r\n"),
            ("HEAD / ", "HTTP/1.1 404\r\n\r\n"),
            ("GET / ", "HTTP/1.1 204 No Content\r\n\r\n"),
            ("GET / ", "\r\nHTTP/1.1 304 Not\r\nA: \r\n\r\n"),
            ("GET / ", "HTTP/1.1 304 Not\nA:\n\n"),
            (
                "POST / ",
                "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            ),
        ] {
            assert!(is_last(request, response), "{response}");
        }
    }

    #[test]
    fn one_with_content_is_not() {
        for (request, response) in [
            (
                "GET / ",
                "HTTP/1.1 200 OK\r\nA: b\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
            ),
            (
                "GET / ",
                "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            ),
            ("GET / ", "HTTP/1.1 101 Switching\r\n\r\n"),
            ("HEADER / ", "HTTP/1.1 200 OK\r\n\r\n"),
        ] {
            assert!(!is_last(request, response), "{response}");
        }
    }

    #[test]
    fn each_request_begins_anew() {
        let mut surplus = Surplus::default();
        surplus.asked();
        surplus.read(b"HTTP/1.1 100 Continue\r\n\r\n");
        assert!(surplus.is_waited_for());
        surplus.read(b"HTTP/1.1 200 OK\r\n\r\n");
        assert!(!surplus.is_waited_for());
        surplus.asked();
        surplus.asked_for_head(true);
        surplus.read(b"HTTP/1.1 200 OK\r\n\r\n");
        assert!(surplus.is_over());
    }
}
