//! sidecache: a caching reverse proxy that runs beside one backend API.
//!
//! `proxy.toml` says, route by route, how long answers are kept. They are kept in the process's own memory and in Redis,
//! where every replica shares them. The proxy generates ETags and answers 304, compresses, collapses concurrent misses,
//! revalidates, invalidates on writes, and says of every answer why it came from where it came from.
//!
//! # Layers
//!
//! Arrows point down only; `tests/it/architecture.rs` fails the build otherwise.
//!
//! | | modules | what they are about |
//! |---|---|---|
//! | 6 | [`cli`] | the process edge: arguments, exit codes, printing |
//! | 5 | [`app`] | composition root: a [`config::Config`] becomes a running proxy |
//! | 4 | [`config`], [`telemetry`] | text and environment in, settings and subscriber out |
//! | 3 | [`server`], [`admin`] | sockets, connections, drain; the operator's HTTP |
//! | 2 | [`service`] | one request through the proxy |
//! | 1 | [`store`] | tiers and the purge log |
//! | 0 | [`runtime`], [`semantics`], [`clock`], [`metrics`], [`interim`] | what each part is started with; pure HTTP caching; the time source; what is counted; 1xx on their way |
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
//! service::observe     starts the one event of this request
//! service::target      host and path, checked
//! service::route       path, method -> the first route that matches
//! service::cache       key -> memory -> semantics::reuse(stored, request, now) -> serve, synchronously
//! service::fetch       else: redis (with a budget) -> a flight, its own or another request's
//! service::fill        the flight's task: upstream -> semantics::storability -> store and readers
//! service::deliver     entry -> conditional -> coding -> response with Age
//! service::observe     Cache-Status, metrics, access line
//! ```
//!
//! # As a library
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
