//! What operators write, and what they mean by it: the oracle's half is written by hand and not read from the file.

/// Who may have what only the route's `ttl` made cacheable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Anonymous,
    Those(&'static [&'static str]),
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SetCookie {
    Bypass,
    Strip,
    Store,
}

/// What the query means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Query {
    AsReceived,
    /// These parameters, in any order, and whatever looks like a credential.
    Only(&'static [&'static str]),
    /// All but these, in any order.
    Except(&'static [&'static str]),
}

/// What holds for some resources.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// The beginning of their paths.
    pub(super) below: &'static str,
    pub(super) cache: bool,
    pub(super) ttl: bool,
    /// Statuses that it keeps by name.
    pub(super) statuses: &'static [u16],
    pub(super) overrides: bool,
    pub(super) share: Share,
    pub(super) keyed: &'static [&'static str],
    pub(super) ignored_cookies: &'static [&'static str],
    pub(super) keyed_cookies: &'static [&'static str],
    pub(super) query: Query,
    /// All hosts are one.
    pub(super) one_host: bool,
    pub(super) set_cookie: SetCookie,
}

const BARE: Rule = Rule {
    below: "/",
    cache: true,
    ttl: false,
    statuses: &[],
    overrides: false,
    share: Share::Anonymous,
    keyed: &[],
    ignored_cookies: &[],
    keyed_cookies: &[],
    query: Query::AsReceived,
    one_host: false,
    set_cookie: SetCookie::Bypass,
};

const TTL: Rule = Rule { ttl: true, ..BARE };

const ME: Rule = Rule {
    below: "/api/me",
    cache: false,
    ..BARE
};

/// A file, and what is meant by it.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) name: &'static str,
    pub(super) toml: &'static str,
    /// The first that fits counts; what none fits is cached as the origin says.
    rules: &'static [Rule],
    /// Hits among a hundred requests that a walk has at least.
    pub(super) least_hits: usize,
}

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../fixtures/walk/", $name, ".toml"))
    };
}

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "origin",
        toml: file!("origin"),
        rules: &[],
        least_hits: 4,
    },
    Operator {
        name: "ttl",
        toml: file!("ttl"),
        rules: &[TTL],
        least_hits: 6,
    },
    Operator {
        name: "keys",
        toml: file!("keys"),
        rules: &[
            ME,
            Rule {
                below: "/api/",
                keyed: &["x-api-key"],
                ..TTL
            },
            Rule {
                below: "/public/",
                share: Share::All,
                ..TTL
            },
            Rule {
                below: "/search",
                query: Query::Only(&["q"]),
                ..TTL
            },
        ],
        least_hits: 5,
    },
    Operator {
        name: "cms",
        toml: file!("cms"),
        rules: &[
            ME,
            Rule {
                below: "/static/",
                share: Share::All,
                ..TTL
            },
            Rule {
                ignored_cookies: &["_ga", "_fbp"],
                keyed_cookies: &["lang"],
                statuses: &[404],
                ..TTL
            },
        ],
        least_hits: 6,
    },
    Operator {
        name: "shop",
        toml: file!("shop"),
        rules: &[
            ME,
            Rule {
                below: "/static/",
                share: Share::All,
                set_cookie: SetCookie::Strip,
                ..TTL
            },
            Rule {
                share: Share::Those(&["cookie"]),
                set_cookie: SetCookie::Strip,
                statuses: &[400],
                ..TTL
            },
        ],
        least_hits: 6,
    },
    Operator {
        name: "override",
        toml: file!("override"),
        rules: &[
            Rule {
                below: "/feed",
                overrides: true,
                share: Share::All,
                ..TTL
            },
            Rule {
                below: "/public/",
                overrides: true,
                ..TTL
            },
            Rule {
                keyed: &["authorization", "cookie"],
                ..TTL
            },
        ],
        least_hits: 6,
    },
    Operator {
        name: "campaign",
        toml: file!("campaign"),
        rules: &[
            ME,
            Rule {
                query: Query::Except(&["utm_source"]),
                one_host: true,
                ..TTL
            },
        ],
        least_hits: 6,
    },
    Operator {
        name: "loose",
        toml: file!("loose"),
        rules: &[Rule {
            overrides: true,
            share: Share::All,
            set_cookie: SetCookie::Store,
            ..TTL
        }],
        least_hits: 15,
    },
];

impl Operator {
    /// What is meant for `resource`.
    pub(super) fn rule(&self, resource: &str) -> &Rule {
        let fits = |rule: &&Rule| resource.starts_with(rule.below);
        self.rules.iter().find(fits).unwrap_or(&BARE)
    }
}
