//! The limit: hyper alone, answering every request with the same bytes. Also the origin of the benchmarks.
//!
//! `bare_hyper 127.0.0.1:9100 [SIZE]` answers SIZE bytes of JSON (1024 unless said).

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, error::Error};
use tokio::{net::TcpListener, runtime::Builder, task::LocalSet};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:9100".to_owned());
    let size: usize = arguments.next().map_or(Ok(1024), |size| size.parse())?;
    let body = Bytes::from(format!(
        "{{\"text\":\"{}\"}}",
        "x".repeat(size.saturating_sub(11))
    ));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::bind(&address).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let body = body.clone();
            tokio::task::spawn_local(async move {
                let answer = service_fn(move |_: Request<Incoming>| {
                    let response = Response::builder()
                        .header(header::CONTENT_TYPE, "application/json")
                        .header(header::CACHE_CONTROL, "max-age=3600")
                        .header(header::ETAG, "\"0123456789abcdef\"")
                        .body(Full::new(body.clone()));
                    async move { Ok::<_, Infallible>(response.expect("these fields are valid")) }
                });
                let mut protocol = http1::Builder::new();
                protocol.timer(TokioTimer::new());
                let _ = protocol
                    .serve_connection(TokioIo::new(stream), answer)
                    .await;
            });
        }
    })
}
