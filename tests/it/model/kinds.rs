//! How an origin may answer, and what that means for whoever else asks.

/// The fields of an answer, with what they say. `{step}`, `{origin}` and `{self}` stand for the request, its `Origin` and its
/// own path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) fields: &'static [(&'static str, &'static str)],
    /// For nobody but who asked, whatever the operator says, unless he overrides and shares with all.
    pub(super) private: bool,
    /// Not to be stored, unless the operator overrides.
    pub(super) no_store: bool,
    /// To be confirmed each time, unless the operator overrides.
    pub(super) no_cache: bool,
    /// It is stale at once, and does not say that it is for all.
    pub(super) stale_at_once: bool,
    /// It says itself how long it is fresh.
    pub(super) explicit: bool,
    /// It is for others also where it answers a request with `Authorization` (RFC 9111 §3.5).
    pub(super) lifts: bool,
    pub(super) set_cookie: bool,
    /// What `Vary` names; `*` for all.
    pub(super) vary: &'static [&'static str],
    /// `Access-Control-Allow-Origin` is the `Origin` of the request.
    pub(super) echoes_origin: bool,
    /// It has a tag, and is confirmed by 304.
    pub(super) tagged: bool,
    /// The tag is the same for all callers.
    pub(super) common_tag: bool,
    /// The answer to a POST that a GET may be given.
    pub(super) of_itself: bool,
}

const SILENT: Kind = Kind {
    name: "silent",
    fields: &[],
    private: false,
    no_store: false,
    no_cache: false,
    stale_at_once: false,
    explicit: false,
    lifts: false,
    set_cookie: false,
    vary: &[],
    echoes_origin: false,
    tagged: false,
    common_tag: false,
    of_itself: false,
};

const FRESH: Kind = Kind {
    name: "fresh",
    fields: &[("cache-control", "max-age=60")],
    explicit: true,
    ..SILENT
};

const PUBLIC: Kind = Kind {
    name: "public",
    fields: &[("cache-control", "public, max-age=60")],
    lifts: true,
    ..FRESH
};

const PRIVATE: Kind = Kind {
    name: "private",
    fields: &[("cache-control", "private, max-age=60")],
    private: true,
    ..FRESH
};

const NO_STORE: Kind = Kind {
    name: "no-store",
    fields: &[("cache-control", "no-store")],
    no_store: true,
    ..SILENT
};

/// What is ordinary.
const ORDINARY: &[Kind] = &[
    SILENT,
    Kind {
        name: "silent, tagged",
        tagged: true,
        ..SILENT
    },
    FRESH,
    PUBLIC,
    Kind {
        name: "public, tagged for all",
        fields: &[("cache-control", "public, max-age=15")],
        tagged: true,
        common_tag: true,
        ..PUBLIC
    },
    Kind {
        name: "fresh, tagged for all",
        fields: &[("cache-control", "max-age=15")],
        tagged: true,
        common_tag: true,
        ..FRESH
    },
    Kind {
        name: "s-maxage",
        fields: &[("cache-control", "s-maxage=30")],
        lifts: true,
        ..FRESH
    },
    Kind {
        name: "must-revalidate",
        fields: &[("cache-control", "max-age=30, must-revalidate")],
        lifts: true,
        tagged: true,
        ..FRESH
    },
    Kind {
        name: "windows",
        fields: &[(
            "cache-control",
            "max-age=5, stale-while-revalidate=60, stale-if-error=90",
        )],
        tagged: true,
        ..FRESH
    },
    Kind {
        name: "stale at once",
        fields: &[("cache-control", "max-age=0")],
        stale_at_once: true,
        tagged: true,
        ..FRESH
    },
    Kind {
        name: "over already",
        fields: &[("expires", "0")],
        stale_at_once: true,
        ..FRESH
    },
    Kind {
        name: "no-cache",
        fields: &[("cache-control", "no-cache, max-age=60")],
        no_cache: true,
        tagged: true,
        ..FRESH
    },
    Kind {
        name: "of itself",
        fields: &[
            ("cache-control", "max-age=60"),
            ("content-location", "{self}"),
        ],
        of_itself: true,
        ..FRESH
    },
    Kind {
        name: "of itself, public",
        fields: &[
            ("cache-control", "public, max-age=60"),
            ("content-location", "{self}"),
        ],
        of_itself: true,
        ..PUBLIC
    },
    Kind {
        name: "of something else",
        fields: &[
            ("cache-control", "public, max-age=60"),
            ("content-location", "/other"),
        ],
        ..PUBLIC
    },
];

/// What is for some callers only.
const SELECTED: &[Kind] = &[
    PRIVATE,
    NO_STORE,
    Kind {
        name: "private, tagged for all",
        fields: &[("cache-control", "private, max-age=60")],
        tagged: true,
        common_tag: true,
        ..PRIVATE
    },
    Kind {
        name: "cookie",
        fields: &[
            ("cache-control", "max-age=60"),
            ("set-cookie", "sid={step}"),
        ],
        set_cookie: true,
        ..FRESH
    },
    Kind {
        name: "silent cookie",
        fields: &[("set-cookie", "sid={step}")],
        set_cookie: true,
        ..SILENT
    },
    Kind {
        name: "a private field",
        fields: &[
            ("cache-control", "public, max-age=60, private=\"x-own\""),
            ("x-own", "{step}"),
        ],
        ..PUBLIC
    },
    Kind {
        name: "vary by all",
        fields: &[("cache-control", "public, max-age=60"), ("vary", "*")],
        vary: &["*"],
        ..PUBLIC
    },
    Kind {
        name: "vary by credentials",
        fields: &[
            ("cache-control", "public, max-age=60"),
            ("vary", "Authorization, Cookie"),
            ("vary", "x-api-key,X-User-Id"),
        ],
        vary: &["authorization", "cookie", "x-api-key", "x-user-id"],
        ..PUBLIC
    },
    Kind {
        name: "vary by cookie",
        fields: &[("cache-control", "max-age=60"), ("vary", "Cookie")],
        vary: &["cookie"],
        ..FRESH
    },
    Kind {
        name: "vary by language",
        fields: &[
            ("vary", "Accept-Language, Accept-Encoding"),
            ("content-language", "{language}"),
        ],
        vary: &["accept-language"],
        tagged: true,
        ..SILENT
    },
    Kind {
        name: "cors, any",
        fields: &[("access-control-allow-origin", "*")],
        ..SILENT
    },
    Kind {
        name: "cors, by Vary",
        fields: &[
            ("access-control-allow-origin", "{origin}"),
            ("vary", "Origin"),
        ],
        vary: &["origin"],
        echoes_origin: true,
        ..SILENT
    },
    Kind {
        name: "cors, without Vary",
        fields: &[
            ("cache-control", "public, max-age=60"),
            ("access-control-allow-origin", "{origin}"),
        ],
        echoes_origin: true,
        ..PUBLIC
    },
];

/// What restricts in odd spelling.
const ODD: &[Kind] = &[
    Kind {
        name: "PRIVATE",
        fields: &[("Cache-Control", "PRIVATE , max-age=60")],
        ..PRIVATE
    },
    Kind {
        name: "private behind ;",
        fields: &[("cache-control", "max-age=60; private")],
        ..PRIVATE
    },
    Kind {
        name: "private in a line of its own",
        fields: &[
            ("cache-control", "max-age=60"),
            ("cache-control", "private"),
        ],
        ..PRIVATE
    },
    Kind {
        name: "public private",
        fields: &[("cache-control", "public private, max-age=60")],
        lifts: true,
        ..PRIVATE
    },
    Kind {
        name: "no-store=1",
        fields: &[("cache-control", "max-age=60, no-store=1")],
        explicit: true,
        ..NO_STORE
    },
    Kind {
        name: "No-Store behind a quote",
        fields: &[("cache-control", "max-age=60, ext=\"a, No-Store")],
        explicit: true,
        ..NO_STORE
    },
    Kind {
        name: "Private for the CDN",
        fields: &[
            ("cache-control", "public, max-age=60"),
            ("cdn-cache-control", "Private"),
        ],
        private: true,
        ..PUBLIC
    },
    Kind {
        name: "no-store for the CDN",
        fields: &[
            ("cache-control", "public, max-age=60"),
            ("cdn-cache-control", "no-store, max-age = 60"),
        ],
        no_store: true,
        ..PUBLIC
    },
];

/// Every kind; an index is its name on the wire.
pub(super) fn all() -> impl Iterator<Item = &'static Kind> {
    [ORDINARY, SELECTED, ODD].into_iter().flatten()
}

/// One by its index.
pub(super) fn kind(at: usize) -> &'static Kind {
    all().nth(at).unwrap()
}

impl Kind {
    /// The only field that says anything is `Cache-Control`.
    fn is_plain(&self) -> bool {
        self.fields.len() == 1 && self.fields[0].0 == "cache-control"
    }

    /// Whether a 304 of this kind may confirm a response of kind `stored` and leaves nothing of what that one said.
    pub(super) fn replaces(&self, stored: &Self) -> bool {
        self.name == stored.name || (self.is_plain() && stored.is_plain())
    }
}

/// What only shows something together, again and again.
const THEMES: [&[&str]; 3] = [
    // One caller's confirmation forbids what another one's permitted.
    &[
        "public, tagged for all",
        "fresh, tagged for all",
        "private, tagged for all",
    ],
    &["of itself", "of itself, public", "of something else"],
    &["no-cache", "silent", "silent, tagged"],
];

/// Those of one walk: a theme, and others at random.
pub(super) fn some(random: &mut fastrand::Rng) -> Vec<usize> {
    let theme = THEMES[random.usize(..THEMES.len())];
    let of_theme = theme.iter().map(|name| named(name));
    of_theme.chain((0..9).map(|_| any(random))).collect()
}

/// One by its name.
pub(super) fn named(name: &str) -> usize {
    all().position(|kind| kind.name == name).unwrap()
}

/// One at random that says which URI it is of.
pub(super) fn of_itself(random: &mut fastrand::Rng) -> usize {
    named(THEMES[1][random.usize(..3)])
}

fn any(random: &mut fastrand::Rng) -> usize {
    let (ordinary, selected) = (ORDINARY.len(), SELECTED.len());
    match random.u8(..10) {
        0..4 => random.usize(..ordinary),
        4..8 => ordinary + random.usize(..selected),
        _ => ordinary + selected + random.usize(..ODD.len()),
    }
}
