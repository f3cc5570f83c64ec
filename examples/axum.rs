//! An axum server with the cache in front of one slow handler.
//!
//! ```sh
//! cargo run --example axum
//! curl -i http://127.0.0.1:3000/report     # takes a second: Cache-Status: sidecache; fwd=uri-miss; stored
//! curl -i http://127.0.0.1:3000/report     # at once:        Cache-Status: sidecache; hit; ttl=58
//! curl -X POST http://127.0.0.1:3000/report
//! curl -i http://127.0.0.1:3000/report     # a second again: the write has purged its own URI
//! ```

use axum::{Router, response::IntoResponse, routing::get};
use sidecache::CacheLayer;
use std::{
    error::Error,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

static VERSION: AtomicU64 = AtomicU64::new(1);

async fn report() -> impl IntoResponse {
    tokio::time::sleep(Duration::from_secs(1)).await; // what the cache is for
    let version = VERSION.load(Relaxed);
    // What the response is made of: `cache.purge_tags(["report"])` makes it stale wherever it is stored.
    ([("Surrogate-Key", "report")], format!("report {version}\n"))
}

async fn write() -> &'static str {
    VERSION.fetch_add(1, Relaxed);
    "written\n"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cache = CacheLayer::builder()
        .ttl(Duration::from_secs(60))
        .stale_while_revalidate(Duration::from_secs(30))
        .build()
        .await?;
    let app = Router::new()
        .route("/report", get(report).post(write))
        .layer(cache.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async {
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    cache.drain().await;
    Ok(())
}
