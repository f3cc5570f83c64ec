//! What may use what. Names are separated by spaces.

/// The top-level modules, from the top floor down, and which others each may use.
pub(super) const MAY_USE: &[(&str, &str)] = &[
    ("main", "cli"),
    ("lib", ""),
    (
        "cli",
        "app config telemetry admin server demo runtime metrics clock",
    ),
    (
        "app",
        "config telemetry admin server proxy cache store upstream origin runtime metrics semantics message clock",
    ),
    // Each layer owns its settings, and the configuration assembles them.
    (
        "config",
        "telemetry admin server proxy cache store upstream semantics",
    ),
    ("telemetry", ""),
    (
        "admin",
        "server proxy cache store runtime metrics semantics message clock",
    ),
    ("server", "runtime metrics message clock"),
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
    ("clock", ""),
    ("demo", ""),
];

/// The parts of a room, floor by floor from the top down: each uses only what is on a lower floor. `self` is the file
/// with the room's own name. A room that is not here has no order but that of no circles.
pub(super) const FLOORS: &[(&str, &[&str])] = &[
    (
        "proxy",
        &[
            "self",
            "head",
            "pass purge",
            "post tunnel",
            "received",
            "dispatch observe forwarding",
            "access query rescue shared",
            "live",
            "route forward",
            "target token party",
            "circle",
            "content peer problem",
        ],
    ),
    (
        "cache",
        &[
            "self",
            "fetch",
            "lookup",
            "refresh",
            "fill",
            "deliver ask invalidate",
            "key",
            "core",
            "flight backoff hit_for_miss query_rules rule rendition",
            "variants",
            "remembered tags coding answer status",
            "caller",
        ],
    ),
    (
        "server",
        &["self", "listener connection workers", "attend crowd", "io"],
    ),
    (
        "store",
        &[
            "self",
            "tiered",
            "memory redis",
            "codec purge_log",
            "entry secret",
        ],
    ),
];

/// Crates that only these top-level modules may name.
pub(super) const ONLY_IN: &[(&str, &str)] = &[
    (
        "tokio",
        "cli app admin server proxy layer cache store upstream runtime message demo",
    ),
    ("hyper", "admin server proxy upstream"),
    ("hyper_util", "server upstream"),
    ("axum", "admin demo layer"),
    ("redis", "app store"),
    ("deadpool_redis", "store"),
    ("rustls", "store upstream"),
    ("zstd", "store"),
    ("rustix", "clock"),
    ("async_compression", "message"),
    ("crc16", "store"),
    ("prometheus_client", "metrics demo"),
    ("clap", "cli"),
    ("toml", "config"),
    ("annotate_snippets", "config"),
    ("sqlx", "demo"),
];
