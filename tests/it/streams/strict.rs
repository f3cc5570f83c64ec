//! Messages read as the grammar has them, and in no other way: what others might read differently is an error.

/// The beginning of a message.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) line: String,
    pub(super) fields: Vec<(String, String)>,
    /// Bytes that it takes.
    pub(super) length: usize,
}

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) head: Head,
    pub(super) body: Vec<u8>,
    /// Bytes that it takes.
    pub(super) length: usize,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of the proxy, which forwards to one origin.
    Request,
    /// Of a client.
    Sent,
    /// To a request of HEAD or of another method.
    Answer { head: bool },
}

/// Why there is no message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// More has to come.
    Incomplete,
    /// This is none.
    Malformed(String),
}

fn malformed<T>(what: impl std::fmt::Debug) -> Result<T, Fault> {
    Err(Fault::Malformed(format!("{what:?}")))
}

impl Head {
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.iter().filter(move |(field, _)| field == name);
        fields.map(|(_, value)| value.as_str())
    }

    fn only<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>, Fault> {
        let mut values = self.values(name);
        let value = values.next();
        if values.next().is_some() {
            return malformed(format!("{name} twice"));
        }
        Ok(value)
    }

    pub(super) fn status(&self) -> u16 {
        self.line[9..12].parse().unwrap()
    }
}

fn is_token(text: &str) -> bool {
    let special = |b| b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && (text.bytes()).all(|b| b.is_ascii_alphanumeric() || special(b))
}

/// [RFC 9112 §2, §5](https://www.rfc-editor.org/rfc/rfc9112#section-2)
pub(super) fn head(bytes: &[u8], kind: Kind) -> Result<Head, Fault> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Err(Fault::Incomplete);
    };
    // Bytes above 0x7f are opaque data of a value.
    let text: String = bytes[..end].iter().map(|b| char::from(*b)).collect();
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    match kind {
        Kind::Request | Kind::Sent => request_line(&line, kind)?,
        Kind::Answer { .. } => status_line(&line)?,
    }
    let mut fields = Vec::new();
    for field in lines {
        let Some((name, value)) = field.split_once(':') else {
            return malformed(field);
        };
        let visible = |c: char| c == '\t' || !c.is_ascii_control();
        if !is_token(name) || !value.chars().all(visible) {
            return malformed(field);
        }
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = end + 4;
    Ok(Head {
        line,
        fields,
        length,
    })
}

fn request_line(line: &str, kind: Kind) -> Result<(), Fault> {
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts[..] else {
        return malformed(line);
    };
    let visible = target.bytes().all(|b| b.is_ascii_graphic());
    let of_origin = target.starts_with('/') || target == "*";
    if !is_token(method) || !visible || kind == Kind::Request && !of_origin {
        return malformed(line);
    }
    Ok(())
}

fn status_line(line: &str) -> Result<(), Fault> {
    let digits = line.get(9..12);
    let is_status = digits.is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit()));
    let visible = !line.chars().any(|c| c != '\t' && c.is_ascii_control());
    // 1.0 for clients of 1.0.
    let version = line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ");
    if !version || !is_status || !visible {
        return malformed(line);
    }
    Ok(())
}

/// The first message. Of an answer whose end is the end of the connection, `bytes` are all.
pub(super) fn message(bytes: &[u8], kind: Kind) -> Result<Message, Fault> {
    let head = head(bytes, kind)?;
    let rest = &bytes[head.length..];
    let (body, taken) = content(&head, rest, kind)?;
    let length = head.length + taken;
    Ok(Message { head, body, length })
}

/// [RFC 9112 §6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3)
fn content(head: &Head, rest: &[u8], kind: Kind) -> Result<(Vec<u8>, usize), Fault> {
    let length = head.only("content-length")?;
    let coding = head.only("transfer-encoding")?;
    if length.is_some() && coding.is_some() {
        return malformed("a length and a coding");
    }
    let without = match kind {
        Kind::Request | Kind::Sent => length.is_none() && coding.is_none(),
        Kind::Answer { head: to_head } => to_head || matches!(head.status(), 100..200 | 204 | 304),
    };
    if without {
        return Ok((Vec::new(), 0));
    }
    if let Some(coding) = coding {
        if !coding.eq_ignore_ascii_case("chunked") {
            return malformed(coding);
        }
        return chunked(rest);
    }
    let Some(length) = length else {
        return Ok((rest.to_vec(), rest.len()));
    };
    let number = length.parse::<usize>();
    let number = number.ok().filter(|number| number.to_string() == length);
    let Some(number) = number else {
        return malformed(length);
    };
    match rest.get(..number) {
        Some(body) => Ok((body.to_vec(), number)),
        None => Err(Fault::Incomplete),
    }
}

/// [RFC 9112 §7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1), without extensions: nobody needs to forward those.
fn chunked(bytes: &[u8]) -> Result<(Vec<u8>, usize), Fault> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let line = line(&bytes[at..])?;
        let Some(size) = (!line.is_empty() && line.len() < 16)
            .then(|| usize::from_str_radix(line, 16).ok())
            .flatten()
        else {
            return malformed(line);
        };
        at += line.len() + 2;
        if size == 0 {
            break;
        }
        let Some(chunk) = bytes.get(at..at + size + 2) else {
            return Err(Fault::Incomplete);
        };
        let Some(data) = chunk.strip_suffix(b"\r\n") else {
            return malformed("a chunk that does not end");
        };
        body.extend_from_slice(data);
        at += size + 2;
    }
    // Trailers, until an empty line.
    loop {
        let line = line(&bytes[at..])?;
        at += line.len() + 2;
        match line.split_once(':') {
            _ if line.is_empty() => return Ok((body, at)),
            Some((name, _)) if is_token(name) => {}
            _ => return malformed(line),
        }
    }
}

fn line(bytes: &[u8]) -> Result<&str, Fault> {
    let Some(end) = bytes.windows(2).position(|w| w == b"\r\n") else {
        return Err(Fault::Incomplete);
    };
    std::str::from_utf8(&bytes[..end]).or_else(|_| malformed("a line that is no text"))
}

#[test]
fn what_can_be_read_in_two_ways_is_malformed() {
    let read = |text: &str, kind| message(text.as_bytes(), kind).map(|m| m.length);
    let request = |text: &str| read(text, Kind::Request);
    assert_eq!(request("GET / HTTP/1.1\r\n\r\n"), Ok(18));
    assert_eq!(
        request("GET / HTTP/1.1\r\nHost: a\r\n"),
        Err(Fault::Incomplete)
    );
    let two = "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for text in [
        "GET / HTTP/1.0\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\na : b\r\n\r\n",
        "GET / HTTP/1.1\r\na\r\n\r\n",
        "GET / HTTP/1.1\r\na: b\nc: d\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 01\r\n\r\na",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\na\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        two,
    ] {
        assert!(
            matches!(request(text), Err(Fault::Malformed(_))),
            "{text:?}"
        );
    }
    let answer = |text: &str| read(text, Kind::Answer { head: false });
    assert_eq!(
        answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nt: x\r\n\r\n!"),
        Ok(64)
    );
    assert_eq!(
        answer("HTTP/1.1 304 OK\r\nContent-Length: 9\r\n\r\n"),
        Ok(38)
    );
}
