//! One request to the admin port of a running proxy.

use super::{admin::Access, failure::Failure};
use std::{
    error::Error,
    io::{self, Read, Write},
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
    let silent = |why: Box<dyn Error + Send + Sync>| {
        let why = format!("{}: {why}", access.address);
        Failure::new("the admin port does not answer", why)
    };
    let text = exchange(access, method, path, body).map_err(|error| silent(error.into()))?;
    read(&text).ok_or_else(|| silent("that is no HTTP".into()))
}

fn exchange(access: &Access, method: &str, path: &str, body: &str) -> io::Result<String> {
    let admin = &access.address;
    let address = admin.to_socket_addrs()?.next();
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
        "{method} {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n{authorization}\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    Ok(answer)
}

fn read(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let body = body.to_owned();
    Some(Answer { status, body })
}
