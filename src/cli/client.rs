//! One request to the admin port of a running proxy, or to another server whose health is asked.

use super::{admin::Access, failure::Failure};
use std::{
    error::Error,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

/// What connecting, writing and each read may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An answer is short; what is longer is another server's.
const LONGEST: u64 = 64 << 10;

/// Status and body of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// `method path` with a JSON body, or none.
pub(super) fn ask(
    access: &Access,
    method: &str,
    path: &str,
    body: &str,
) -> Result<Answer, Failure> {
    let whole = || {
        let mut text = String::new();
        send(access, method, path, body)?.read_to_string(&mut text)?;
        Ok(text)
    };
    answered(access, whole(), read)
}

/// The status of a GET. The rest is not waited for: not every server closes a connection when it is asked to.
pub(super) fn status(access: &Access, path: &str) -> Result<u16, Failure> {
    let first_line = || {
        let mut text = String::new();
        send(access, "GET", path, "")?.read_line(&mut text)?;
        Ok(text)
    };
    answered(access, first_line(), status_of)
}

/// What `read` makes of the text, if there is one.
fn answered<T>(
    access: &Access,
    text: io::Result<String>,
    read: fn(&str) -> Option<T>,
) -> Result<T, Failure> {
    let silent = |why: Box<dyn Error + Send + Sync>| {
        let why = format!("{}: {why}", access.address);
        Failure::new(access.silent, why)
    };
    let text = text.map_err(|error| silent(error.into()))?;
    read(&text).ok_or_else(|| silent("that is no HTTP".into()))
}

fn send(access: &Access, method: &str, path: &str, body: &str) -> io::Result<impl BufRead> {
    let host = &access.address;
    let address = host.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::other("that host has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let length = body.len();
    let token = access.token.as_ref();
    let authorization = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{authorization}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    Ok(BufReader::new(stream.take(LONGEST)))
}

fn read(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = status_of(head)?;
    let body = body.to_owned();
    Some(Answer { status, body })
}

fn status_of(head: &str) -> Option<u16> {
    head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}
