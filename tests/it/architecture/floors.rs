//! What may use what. Names are separated by spaces.

/// The top-level modules, from the top floor down, and which others each may use.
pub(super) const MAY_USE: &[(&str, &str)] = &[
    ("main", "cli"),
    ("lib", ""),
    (
        "cli",
        "app config telemetry server demo runtime metrics clock",
    ),
    (
        "app",
        "config telemetry admin server service proxy cache store upstream origin runtime metrics semantics message clock",
    ),
    // Each layer owns its settings, and the configuration assembles them.
    (
        "config",
        "telemetry admin server service proxy cache store upstream semantics",
    ),
    ("telemetry", ""),
    (
        "admin",
        "service proxy cache store runtime metrics semantics message clock",
    ),
    ("server", "interim runtime metrics message clock"),
    (
        "service",
        "store runtime metrics semantics interim message clock",
    ),
    (
        "proxy",
        "cache store upstream origin runtime metrics semantics message clock",
    ),
    (
        "layer",
        "cache store origin runtime metrics semantics message clock",
    ),
    (
        "cache",
        "store origin runtime metrics semantics message clock",
    ),
    ("store", "runtime metrics semantics clock"),
    ("upstream", "origin runtime metrics semantics message clock"),
    ("origin", "metrics semantics message"),
    ("runtime", "metrics clock"),
    ("metrics", "semantics"),
    ("semantics", ""),
    ("message", ""),
    ("interim", ""),
    ("clock", ""),
    ("demo", ""),
];

/// The parts of a room, floor by floor from the top down: each uses only what is on a lower floor. `self` is the file
/// with the room's own name. A room that is not here has no order but that of no circles.
pub(super) const FLOORS: &[(&str, &[&str])] = &[
    ("server", &["self", "listener connection workers", "io"]),
    (
        "store",
        &["self", "tiered", "memory redis", "codec purge_log", "entry"],
    ),
];

/// Crates that only these top-level modules may name.
pub(super) const ONLY_IN: &[(&str, &str)] = &[
    (
        "tokio",
        "cli app admin server service proxy layer cache store upstream message interim demo",
    ),
    ("hyper", "server service proxy upstream message"),
    ("hyper_util", "server service upstream"),
    ("axum", "admin demo"),
    ("redis", "app store"),
    ("deadpool", "store"),
    ("rustls", "store upstream"),
    ("zstd", "store"),
    ("crc16", "store"),
    ("prometheus_client", "metrics"),
    ("clap", "cli"),
    ("toml", "config"),
    ("annotate_snippets", "config"),
    ("sqlx", "demo"),
];
