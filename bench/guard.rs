//! What `bench/guard.py` counts: operations of one kind through the proxy itself, without a connection to a client.
//!
//! `guard serve FILE` is what `bench/attacks.py` counts, in served.rs.
//!
//! `guard CASE ORIGIN TOTAL COUNTED` makes TOTAL requests and has the first COUNTED of them answered; ORIGIN is the address of
//! the upstream. Two runs that differ in COUNTED alone differ by what the proxy does, and by nothing else: start, warm-up and
//! the requests themselves are the same in both. It fails where an answer is not what the name of the case says.

mod served;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, HOST, IF_NONE_MATCH, USER_AGENT},
};
use http_body_util::{BodyExt, Empty};
use sidecache::{
    app::App,
    clock::{Clock, Manual},
    config::Config,
    message::Interim,
    proxy::Proxy,
    server::workers,
};
use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::{Duration, UNIX_EPOCH},
};

type Failure = Box<dyn Error>;

/// The clock stands still there, and the origin's `Date` says the same: an age with another number of digits would count.
const NOW: Duration = Duration::from_secs(1_750_000_000);

/// Where the client seems to come from.
const ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 50_000));

/// One kind of operation, and what its answer has to be.
struct Case {
    name: &'static str,
    path: &'static str,
    /// Whether each request is for another URI.
    distinct: bool,
    /// What the request says beside what every request says.
    field: Option<(HeaderName, &'static str)>,
    status: StatusCode,
    coding: Option<&'static str>,
    cache_status: &'static str,
}

const HIT: Case = Case {
    name: "hit",
    path: "/stored",
    distinct: false,
    field: None,
    status: StatusCode::OK,
    coding: None,
    cache_status: "sidecache; hit; ttl=3600",
};

const CASES: [Case; 5] = [
    HIT,
    Case {
        name: "hit_gzip",
        field: Some((ACCEPT_ENCODING, "gzip, deflate")),
        coding: Some("gzip"),
        ..HIT
    },
    Case {
        name: "not_modified",
        field: Some((IF_NONE_MATCH, "\"0123456789abcdef\"")),
        status: StatusCode::NOT_MODIFIED,
        ..HIT
    },
    Case {
        name: "pass",
        path: "/pass",
        cache_status: "sidecache; fwd=bypass; detail=route",
        ..HIT
    },
    Case {
        name: "miss",
        distinct: true,
        cache_status: "sidecache; fwd=uri-miss; stored",
        ..HIT
    },
];

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, file] = &arguments[..]
        && command == "serve"
    {
        return workers::runtime(1)?.block_on(served::serve(file));
    }
    let [name, origin, total, counted] = &arguments[..] else {
        return Err("guard CASE ORIGIN TOTAL COUNTED, or guard serve FILE".into());
    };
    let case = CASES.into_iter().find(|case| case.name == name);
    let case = case.ok_or("there is no such case")?;
    let (total, counted) = (total.parse()?, counted.parse()?);
    // One thread: nothing is handed over, so that the same happens in every run.
    workers::runtime(1)?.block_on(async {
        let app = start(origin).await?;
        let client = Client {
            proxy: app.proxy(),
            interim: Interim::default(),
        };
        for warming in total..total + 2 {
            client.ask(case.request(warming)?).await?;
        }
        for number in 0..total {
            let request = case.request(number)?;
            if number < counted {
                case.check_status(&client.ask(request).await?)?;
            }
        }
        case.check(&client.ask(case.request(total + 2)?).await?)
    })
}

async fn start(origin: &str) -> Result<App, Failure> {
    let toml = format!(
        r#"
        server.listen = "127.0.0.1:0"
        admin.listen = "127.0.0.1:0"
        log.access = false
        upstream.url = "http://{origin}"
        [[route]]
        name = "stored"
        path = "/stored/{{number}}"
        ttl = "1h"
        [[route]]
        name = "pass"
        path = "/pass/{{number}}"
        cache = false
        "#
    );
    let config = Config::parse("guard", &toml, &[], &|_| None)?;
    let clock = Clock::Manual(Manual::at(UNIX_EPOCH + NOW));
    Ok(App::start(config, clock).await?)
}

/// A client, as far as the proxy knows one.
struct Client<'a> {
    proxy: &'a Proxy,
    interim: Interim,
}

impl Client<'_> {
    /// The answer, with the length of its body in place of it: it has been read to its end.
    async fn ask(&self, request: Request<Empty<Bytes>>) -> Result<Response<usize>, Failure> {
        let response = self
            .proxy
            .call(request, self.proxy.peer(ADDRESS), &self.interim)
            .await?;
        let (head, mut body) = response.into_parts();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame?.data_ref().map_or(0, Bytes::len);
        }
        Ok(Response::from_parts(head, length))
    }
}

// === impl Case ===

impl Case {
    /// As a server reads it: the target and the values of all fields are parts of one buffer.
    fn request(&self, number: usize) -> Result<Request<Empty<Bytes>>, Failure> {
        let number = if self.distinct { number } else { 0 };
        let (name, value) = self.field.clone().unzip();
        let target = format!("{}/{number:08}", self.path);
        let lines = [&*target, "api.example", "guard/1.0", "*/*"].into_iter();
        let buffer: Vec<_> = lines.chain(value).collect();
        let buffer = Bytes::from(buffer.join("\n"));
        let mut lines = buffer.split(|byte| *byte == b'\n');
        let mut next = || lines.next().map(|line| buffer.slice_ref(line));
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = Uri::from_maybe_shared(next().ok_or("the first line")?)?;
        for name in [HOST, USER_AGENT, ACCEPT].into_iter().chain(name) {
            let value = HeaderValue::from_maybe_shared(next().ok_or("a line for each")?)?;
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }

    fn check_status(&self, answer: &Response<usize>) -> Result<(), Failure> {
        if answer.status() == self.status {
            Ok(())
        } else {
            Err(format!("{} was answered with {}", self.name, answer.status()).into())
        }
    }

    fn check(&self, answer: &Response<usize>) -> Result<(), Failure> {
        self.check_status(answer)?;
        let field = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok());
        let (cache_status, coding) = (field("cache-status"), field(CONTENT_ENCODING.as_str()));
        let has_body = *answer.body() > 0;
        if cache_status == Some(self.cache_status)
            && coding == self.coding
            && has_body == (self.status == StatusCode::OK)
        {
            return Ok(());
        }
        Err(format!("{} was answered with {answer:?}", self.name).into())
    }
}
