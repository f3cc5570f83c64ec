//! sidecache: a caching reverse proxy that runs beside one backend API.
//!
//! `proxy.toml` says, route by route, how long answers are kept. They are kept in the process's own memory and in Redis,
//! where every replica shares them. The proxy generates ETags and answers 304, compresses, collapses concurrent misses,
//! revalidates, invalidates on writes, and says of every answer why it came from where it came from.
//!
//! # Rooms
//!
//! A room is a file with the folder of its name. Arrows point down only; a test, `tests/it/architecture.rs`, fails otherwise.
//!
//! | | rooms | what they are for |
//! |---|---|---|
//! | 9 | [`cli`] | the process edge: arguments, exit codes, printing |
//! | 8 | [`app`] | composition root: a [`config::Config`] becomes a running proxy |
//! | 7 | [`config`], [`telemetry`] | text and environment in, settings and subscriber out |
//! | 6 | [`admin`], [`server`] | the operator's HTTP; sockets, connections, drain |
//! | 5 | [`proxy`], [`layer`] | one request through the proxy; the same cache as a [`tower`] layer, [`CacheLayer`] |
//! | 4 | [`cache`] | the core: lookup, fetch, fill, deliver, refresh; asks an [`origin::Origin`], never a socket |
//! | 3 | [`store`], [`upstream`] | tiers and the purge log; the client, a stack of [`tower`] services |
//! | 2 | [`origin`], [`runtime`] | the contract between the cache and whoever answers; what each long-lived part is started with |
//! | 1 | [`metrics`] | what is counted |
//! | 0 | [`semantics`], [`message`], [`clock`] | pure HTTP caching; bodies and field names on their way; the time source |
//!
#![cfg_attr(
    feature = "demo",
    doc = "The bundled backend is [`demo`]; it knows nothing of the proxy."
)]
//!
//! # One request
//!
//! ```text
//! server::connection   bytes -> http::Request; limits and timeouts
//! proxy::observe       starts the one event of this request
//! proxy::target        the effective request: host, path, how it was reached; checked, computed once
//! proxy::route         method and canonical path -> the first route that matches, and its Rule
//! proxy::dispatch      purge | pass (and tunnels) | QUERY | ask the cache
//! cache::lookup        key -> memory -> semantics::reuse -> a hit is served; nothing has waited so far
//! cache::lookup        else: Redis, within its budget
//! cache::fetch         else: a flight, led by this request or by another one of the same key
//! cache::fill          the flight's task: the Origin -> semantics::storability -> store and those who wait
//! proxy::forwarding    the Origin: rewrites the request and sends it through the layers of upstream
//! cache::deliver       stored response -> 304, range or coding -> answer with Age
//! proxy::observe       Cache-Status, metrics, access line
//! ```
//!
//! docs/architecture.md has the other ways of a request (pass, write, HEAD, QUERY, refresh), docs/lexicon.md the words.
//!
//! # As a library
//!
//! [`CacheLayer`] puts the cache in front of an axum router or of any other tower service. [`app::App`] is the whole proxy:
//!
//! ```
//! use sidecache::{app::App, clock::Clock, config::Config};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let toml = r#"
//!     server.listen = "127.0.0.1:0"
//!     admin.listen = "127.0.0.1:0"
//!     upstream.url = "http://127.0.0.1:9000"
//! "#;
//! let config = Config::parse("proxy.toml", toml, &[], &|name| std::env::var(name).ok())?;
//! let app = App::start(config, Clock::System).await?;
//! println!("listening on {}", app.public_address());
//! assert!(app.drain().await, "nothing was under way");
//! # Ok(())
//! # }
//! ```

pub mod admin;
pub mod app;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod layer;
pub mod message;
pub mod metrics;
pub mod origin;
pub mod proxy;
pub mod runtime;
pub mod semantics;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod upstream;

pub use layer::CacheLayer;
