//! What callers ask, at random, and how it is spelled.

use super::kinds;
use std::net::{IpAddr, Ipv4Addr};

/// Fields that say who asks, two callers of each. The spellings with `_` are one variable with the others to CGI and its heirs.
pub(super) const CREDENTIALS: &[&str] = &[
    "authorization",
    "cookie",
    "x-api-key",
    "x_api_key",
    "x-user-id",
    "x_user_id",
    "x-auth-request-email",
    "cf-access-jwt-assertion",
    "x-tenant-id",
    "remote-user",
];

/// Fields by which servers learn how they were reached, with two values of each.
pub(super) const FORWARDING: &[(&str, [&str; 2])] = &[
    ("x-forwarded-host", ["evil.example", "b.example"]),
    ("x-forwarded-proto", ["https", "http"]),
    (
        "forwarded",
        ["host=evil.example;proto=https", "host=b.example"],
    ),
    ("x-original-url", ["/api/me", "/feed"]),
    ("x-http-method-override", ["DELETE", "PUT"]),
];

const RESOURCES: [&str; 6] = [
    "/feed",
    "/api/items",
    "/public/news",
    "/static/app",
    "/search",
    "/api/me",
];

/// What a walk asks again and again, so that its requests meet each other.
#[derive(Debug)]
pub(super) struct Habits {
    pub(super) resources: Vec<&'static str>,
    pub(super) kinds: Vec<usize>,
    credentials: Vec<&'static str>,
    spellings: Vec<u8>,
}

impl Habits {
    /// Some at random.
    pub(super) fn any(random: &mut fastrand::Rng) -> Self {
        let some = |random: &mut fastrand::Rng, among: usize, count: usize| {
            let mut all: Vec<usize> = (0..among).collect();
            random.shuffle(&mut all);
            all.truncate(count);
            all
        };
        let resources = some(random, RESOURCES.len(), 3);
        let credentials = some(random, CREDENTIALS.len(), 3);
        let named = credentials.into_iter().map(|at| CREDENTIALS[at]);
        let spellings = some(random, usize::from(SPELLINGS), 4);
        Self {
            resources: resources.into_iter().map(|at| RESOURCES[at]).collect(),
            kinds: kinds::some(random),
            // These two nearly every API has.
            credentials: named.chain(["authorization", "cookie"]).collect(),
            spellings: (spellings.into_iter())
                .map(|at| u8::try_from(at).unwrap())
                .collect(),
        }
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// Its number in the walk: what is made for it says so.
    pub(super) step: usize,
    pub(super) method: &'static str,
    /// As it is spelled.
    pub(super) path: String,
    pub(super) query: Option<&'static str>,
    pub(super) host: &'static str,
    /// What is sent: names in lower case, each once.
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) content: &'static str,
    pub(super) source: IpAddr,
    /// How the origin is to answer it.
    pub(super) kind: usize,
    pub(super) status: u16,
    /// The origin codes what it answers, where the request lets it.
    pub(super) coded: bool,
}

impl Ask {
    /// `GET` and nothing else.
    pub(super) fn plain(path: &str) -> Self {
        Self {
            step: 0,
            method: "GET",
            path: path.to_owned(),
            query: None,
            host: "a.example",
            fields: Vec::new(),
            content: "",
            source: Ipv4Addr::LOCALHOST.into(),
            kind: 0,
            status: 200,
            coded: false,
        }
    }

    /// One at random.
    pub(super) fn any(random: &mut fastrand::Rng, habits: &Habits) -> Self {
        let resource = *random.choice(&habits.resources).unwrap();
        let method = method(random);
        let mut ask = Self {
            method,
            query: query(random, resource),
            kind: match method {
                "POST" if random.bool() => kinds::of_itself(random),
                _ => *random.choice(&habits.kinds).unwrap(),
            },
            status: match random.u8(..100) {
                0..5 => 404,
                5..9 => 400,
                9..15 => 503,
                _ => 200,
            },
            coded: random.u8(..4) == 0,
            ..Self::plain(resource)
        };
        if random.u8(..10) == 0 {
            ask.host = ["b.example", "A.Example"][random.usize(..2)];
        }
        if random.u8(..6) == 0 {
            ask.path = spelled(*random.choice(&habits.spellings).unwrap(), resource);
        }
        if ask.method == "QUERY" {
            ask.content = ["cats", "cats", "cats", "dogs"][random.usize(..4)];
            ask.fields.push(("content-type", "text/plain".to_owned()));
        }
        ask.add_caller(random, habits);
        ask.add_preferences(random);
        ask.add_forwarding(random);
        ask
    }

    /// One that differs from `other` in little: in who asks, in what else is sent, in the address it comes from, or in how it
    /// is answered.
    pub(super) fn like(random: &mut fastrand::Rng, habits: &Habits, other: &Self) -> Self {
        let any = Self::any(random, habits);
        let is_question = other.method == "QUERY";
        let keeps = |random: &mut fastrand::Rng| random.u8(..3) > 0;
        let (fields, source) = if keeps(random) {
            (other.fields.clone(), other.source)
        } else {
            let mut fields = any.fields.clone();
            fields.retain(|(name, _)| *name != "content-type");
            fields.extend(is_question.then(|| ("content-type", "text/plain".to_owned())));
            (fields, any.source)
        };
        Self {
            method: match other.method {
                "GET" if random.u8(..8) == 0 => "HEAD",
                "HEAD" | "POST" => "GET",
                method => method,
            },
            path: other.path.clone(),
            query: other.query,
            host: other.host,
            content: other.content,
            fields,
            source,
            ..any
        }
    }

    fn add_caller(&mut self, random: &mut fastrand::Rng, habits: &Habits) {
        let mut cookies = Vec::new();
        if random.u8(..10) < 2 {
            cookies.push(format!("_ga=GA{}", random.u8(..9)));
        }
        if random.u8(..10) < 2 {
            cookies.push(format!("lang={}", ["de", "en"][random.usize(..2)]));
        }
        let credentials = match random.u8(..10) {
            0..5 => 0,
            5..9 => 1,
            _ => 2,
        };
        for _ in 0..credentials {
            let name = *random.choice(&habits.credentials).unwrap();
            let caller = ["alice", "bob"][random.usize(..2)];
            if name == "cookie" {
                cookies.push(format!("session={caller}"));
            } else if self.field(name).is_none() {
                self.fields.push((name, caller.to_owned()));
            }
        }
        if !cookies.is_empty() {
            random.shuffle(&mut cookies);
            self.fields.push(("cookie", cookies.join("; ")));
        }
    }

    fn add_preferences(&mut self, random: &mut fastrand::Rng) {
        let mut one_of = |name, among: usize, values: &[&str]| {
            if random.usize(..among) == 0 {
                let value = values[random.usize(..values.len())];
                self.fields.push((name, value.to_owned()));
            }
        };
        one_of("accept-language", 5, &["de", "en", "de, en;q=0.5"]);
        one_of("accept-encoding", 3, &["gzip", "br, gzip", "identity"]);
        one_of("origin", 5, &["https://one.example", "https://two.example"]);
    }

    fn add_forwarding(&mut self, random: &mut fastrand::Rng) {
        if random.u8(..4) == 0 {
            self.source = Ipv4Addr::new(127, 0, 0, 2).into();
        }
        if random.u8(..9) == 0 && !self.is_write() {
            let (name, values) = FORWARDING[random.usize(..FORWARDING.len())];
            let value = values[random.usize(..2)];
            self.fields.push((name, value.to_owned()));
        }
    }

    /// Whether it changes the resource.
    pub(super) fn is_write(&self) -> bool {
        matches!(self.method, "PUT" | "PATCH" | "DELETE")
    }

    /// Whether its sender may speak for others.
    pub(super) fn is_trusted(&self) -> bool {
        self.source == Ipv4Addr::LOCALHOST
    }

    /// What the origin is to hear of it: strangers do not say how others were reached, nor give names that are one variable
    /// with another's.
    pub(super) fn heard(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let speaks = |name: &str| name.contains('_') || FORWARDING.iter().any(|(n, _)| *n == name);
        let heard =
            (self.fields.iter()).filter(move |(name, _)| self.is_trusted() || !speaks(name));
        heard.map(|(name, value)| (*name, value.as_str()))
    }

    /// The value of a field, as far as it is heard.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut heard = self.heard();
        heard.find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The cookies but for those that `without` names.
    pub(super) fn cookies(&self, without: &[&str]) -> Vec<&str> {
        let all = self.field("cookie").into_iter().flat_map(|c| c.split("; "));
        all.filter(|pair| !without.iter().any(|name| is_cookie(pair, name)))
            .collect()
    }

    /// Whether the path has another spelling than its own.
    pub(super) fn is_disguised(&self) -> bool {
        !RESOURCES.contains(&self.path.as_str())
    }

    /// What stands in the request line.
    pub(super) fn target(&self) -> String {
        match self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// Whether `pair` is the cookie `name`.
pub(super) fn is_cookie(pair: &str, name: &str) -> bool {
    pair.split('=').next() == Some(name)
}

fn method(random: &mut fastrand::Rng) -> &'static str {
    match random.u8(..100) {
        0..6 => "HEAD",
        6..16 => "QUERY",
        16..22 => "POST",
        22..27 => ["PUT", "PATCH", "DELETE"][random.usize(..3)],
        _ => "GET",
    }
}

fn query(random: &mut fastrand::Rng, resource: &str) -> Option<&'static str> {
    const QUERIES: [&str; 10] = [
        "q=1",
        "q=2",
        "page=1&q=1",
        "q=1&page=1",
        "q=1&utm_source=x",
        "access_token=alice",
        "access_token=bob",
        "q=1&q[]=2",
        "q=1&%71=2",
        "q=1;q=2",
    ];
    let often = if resource == "/search" { 7 } else { 2 };
    (random.u8(..10) < often).then(|| QUERIES[random.usize(..QUERIES.len())])
}

/// In so many ways a path is spelled.
const SPELLINGS: u8 = 13;

/// `resource` as somebody spells it who wants another route than the one that was meant for it.
fn spelled(spelling: u8, resource: &str) -> String {
    let rest = &resource[1..];
    match spelling {
        0 | 1 => format!("/%{:02x}{}", rest.as_bytes()[0], &rest[1..]),
        2 => format!("/./{rest}"),
        3 => format!("//{rest}"),
        4 => format!("/b/../{rest}"),
        5 => format!("/static/..%2f{rest}"),
        6 => format!("/static/%2e%2e/{rest}"),
        7 => format!("/static/..;/{rest}"),
        8 => format!("{resource};x"),
        9 => format!("{resource}%2f"),
        10 => format!("/static/..%5c{rest}"),
        11 => format!("/{}", rest.replace('/', "%2F")),
        _ => format!("/public/%2E%2e/{rest}"),
    }
}
