//! What newcomers write after ten minutes, for ten kinds of API: nobody gets what is another's, and what can be shared is.
//! The files are in `tests/fixtures/newcomers`.

use crate::support::{
    Answer, Origin, Proxy, Reply,
    client::{request, request_from},
    origin::Received,
};
use sidecache::config::Config;
use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::Command,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/newcomers");

type Fields<'a> = &'a [(&'a str, &'a str)];

fn file(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name).with_extension("toml")
}

/// A proxy with the file of that name, before an origin that answers by `of`.
struct Site {
    proxy: Proxy,
    _origin: Origin,
}

impl Site {
    async fn new(
        name: &str,
        set: &[&str],
        of: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let origin = Origin::start().await;
        origin.answer_by(of);
        let ours = [
            "server.listen=127.0.0.1:0".to_owned(),
            "admin.listen=127.0.0.1:0".to_owned(),
            "log.access=false".to_owned(),
            format!("upstream.url=http://{}", origin.address()),
        ];
        let set: Vec<String> = (ours.into_iter())
            .chain(set.iter().map(|set| (*set).to_owned()))
            .collect();
        let config = Config::load(&file(name), &set, &|_| None);
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        Self {
            proxy: Proxy::with(config).await,
            _origin: origin,
        }
    }

    async fn ask(&self, line: &str, fields: Fields<'_>) -> Answer {
        let (method, rest) = line.split_once(' ').unwrap();
        let (path, content) = rest.split_once(' ').unwrap_or((rest, ""));
        let address = self.proxy.address();
        request(address, method, path, fields, content.as_bytes()).await
    }

    /// Both times the answer is `expected`, and the second time it was stored.
    async fn hits(&self, line: &str, fields: Fields<'_>, expected: &str) {
        for stored in [None, Some(true)] {
            self.gets(line, fields, expected, stored).await;
        }
    }

    /// Both times the answer is `expected`, and the backend gave it.
    async fn asks(&self, line: &str, fields: Fields<'_>, expected: &str) {
        for _ in 0..2 {
            self.gets(line, fields, expected, Some(false)).await;
        }
    }

    async fn gets(&self, line: &str, fields: Fields<'_>, expected: &str, stored: Option<bool>) {
        let answer = self.ask(line, fields).await;
        let status = answer.cache_status();
        assert_eq!(answer.decoded(), expected, "{line} {fields:?}: {status}");
        if let Some(stored) = stored {
            assert_eq!(answer.is_hit(), stored, "{line} {fields:?}: {status}");
        }
    }
}

/// Path, query and content of a request.
fn question(received: &Received) -> String {
    let target = received.line.split(' ').nth(1).unwrap();
    format!("{target}{}", String::from_utf8_lossy(&received.body))
}

/// An origin that answers everything by these fields.
fn by(names: &'static [&'static str]) -> impl Fn(&Received) -> Reply {
    move |received| {
        let values = names.iter().filter_map(|name| received.header(name));
        let who: Vec<&str> = values.collect();
        Reply::ok(format!("{} for {}", question(received), who.join("+")))
    }
}

/// An origin that answers by these fields below `own`, and everywhere else the same to everybody.
fn by_below(own: &'static str, names: &'static [&'static str]) -> impl Fn(&Received) -> Reply {
    move |received| {
        if question(received).starts_with(own) {
            by(names)(received)
        } else {
            Reply::ok(question(received))
        }
    }
}

#[test]
fn check_has_nothing_to_say() {
    let mut files = 0;
    for entry in std::fs::read_dir(FOLDER).unwrap() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidecache"));
        let path = entry.unwrap().path();
        let output = command.args(["check", "--strict"]).arg(&path).output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.is_empty(),
            "{path:?}: {said}"
        );
        files += 1;
    }
    assert_eq!(files, 10);
}

#[tokio::test]
async fn an_api_with_keys() {
    let of_key = by(&["x-api-key"]);
    let site = Site::new("api_keys", &[], move |received| {
        if question(received).starts_with("/v1/rates/") {
            return Reply::ok("rates");
        }
        of_key(received)
    });
    let site = site.await;
    let (alice, bob) = ([("X-Api-Key", "alice")], [("X-Api-Key", "bob")]);
    site.hits("GET /v1/items/1", &alice, "/v1/items/1 for alice")
        .await;
    site.hits("GET /v1/items/1", &bob, "/v1/items/1 for bob")
        .await;
    site.hits("GET /v1/items/1", &[], "/v1/items/1 for ").await;
    site.asks("GET /v1/account/me", &alice, "/v1/account/me for alice")
        .await;
    site.asks("GET /v1/account/me", &bob, "/v1/account/me for bob")
        .await;
    site.hits("GET /v1/rates/eur", &alice, "rates").await;
    site.gets("GET /v1/rates/eur", &bob, "rates", Some(true))
        .await;
    // Not the field that the route has in its key: only the backend knows what it means.
    let with_token = [("X-Api-Key", "alice"), ("Authorization", "Bearer x")];
    site.asks("GET /v1/items/1", &with_token, "/v1/items/1 for alice")
        .await;
}

#[tokio::test]
async fn bearer_tokens_and_public_parts() {
    let site = Site::new("bearer", &[], |received| {
        if question(received).starts_with("/articles/") {
            return Reply::ok("article");
        }
        by(&["authorization"])(received)
    });
    let site = site.await;
    let (alice, bob) = (
        [("Authorization", "Bearer a")],
        [("Authorization", "Bearer b")],
    );
    site.hits("GET /articles/1", &alice, "article").await;
    site.gets("GET /articles/1", &bob, "article", Some(true))
        .await;
    site.gets("GET /articles/1", &[], "article", Some(true))
        .await;
    site.asks("GET /lists/new", &alice, "/lists/new for Bearer a")
        .await;
    site.hits("GET /lists/new", &[], "/lists/new for ").await;
    site.asks("GET /lists/new", &bob, "/lists/new for Bearer b")
        .await;
    site.asks("GET /me", &alice, "/me for Bearer a").await;
    site.asks("GET /me", &bob, "/me for Bearer b").await;
    assert_eq!(site.ask("PUT /articles/2 x", &alice).await.status, 200);
    site.hits("GET /articles/1", &bob, "article").await;
}

#[tokio::test]
async fn a_cms_with_analytics_and_editors() {
    let site = Site::new("cms", &[], by_below("/", &["cookie"])).await;
    let page = "GET /news";
    site.hits(page, &[("Cookie", "_ga=1; _fbp=2")], "/news for ")
        .await;
    site.gets(page, &[("Cookie", "_gid=3")], "/news for ", Some(true))
        .await;
    site.gets(page, &[], "/news for ", Some(true)).await;
    site.hits(page, &[("Cookie", "lang=de; _ga=1")], "/news for lang=de")
        .await;
    site.hits(page, &[("Cookie", "lang=en")], "/news for lang=en")
        .await;
    let editor = [("Cookie", "_ga=1; session=e; lang=de")];
    site.asks(page, &editor, "/news for session=e; lang=de")
        .await;
    site.asks(
        "GET /admin/news",
        &editor,
        "/admin/news for _ga=1; session=e; lang=de",
    )
    .await;
    let site = Site::new("cms", &[], by(&[])).await;
    site.hits("GET /assets/a.js", &editor, "/assets/a.js for ")
        .await;
    site.gets("GET /assets/a.js", &[], "/assets/a.js for ", Some(true))
        .await;
}

#[tokio::test]
async fn a_shop_with_sessions_and_a_cart() {
    let site = Site::new("shop", &[], |received| {
        if !question(received).starts_with("/products/") {
            return by(&["cookie"])(received);
        }
        match received.header("cookie") {
            Some(_) => Reply::ok("shoes"),
            None => Reply::ok("shoes").header("set-cookie", "session=new"),
        }
    });
    let site = site.await;
    let first = site.ask("GET /products/1", &[]).await;
    assert_eq!(first.header("set-cookie"), Some("session=new"));
    for session in ["session=a", "session=b"] {
        let customer = [("Cookie", session)];
        let again = site.ask("GET /products/1", &customer).await;
        assert!(again.is_hit() && again.header("set-cookie").is_none());
        site.asks("GET /cart", &customer, &format!("/cart for {session}"))
            .await;
        let orders = format!("/account/orders for {session}");
        site.asks("GET /account/orders", &customer, &orders).await;
        site.asks("GET /help", &customer, &format!("/help for {session}"))
            .await;
    }
    assert_eq!(site.ask("POST /orders 1", &[]).await.status, 200);
    let stale = site.ask("GET /products/1", &[]).await;
    assert!(
        stale.cache_status().contains("stale"),
        "{}",
        stale.cache_status()
    );
}

#[tokio::test]
async fn a_graphql_api() {
    let site = Site::new("graphql", &[], by(&["authorization"])).await;
    let (alice, bob) = (
        [("Authorization", "Bearer a")],
        [("Authorization", "Bearer b")],
    );
    for line in ["GET /graphql?extensions=1", "GET /graphql?extensions=2"] {
        let asked = line.strip_prefix("GET ").unwrap();
        for (caller, name) in [(&alice[..], "Bearer a"), (&bob, "Bearer b"), (&[], "")] {
            site.hits(line, caller, &format!("{asked} for {name}"))
                .await;
        }
    }
    for content in ["{me}", "{you}"] {
        for (caller, name) in [(&alice[..], "Bearer a"), (&bob, "Bearer b")] {
            let expected = format!("/graphql{content} for {name}");
            site.hits(&format!("QUERY /graphql {content}"), caller, &expected)
                .await;
        }
    }
    for (name, field) in [("Bearer a", alice[0]), ("Bearer b", bob[0])] {
        let caller = [("Content-Type", "application/json"), field];
        let query = r#"{"query": "{me}"}"#;
        site.hits(
            &format!("POST /graphql {query}"),
            &caller,
            &format!("/graphql{query} for {name}"),
        )
        .await;
    }
    let caller = [("Content-Type", "application/json"), alice[0]];
    for content in [
        r#"{"query": "mutation {me}"}"#,
        r#"{"extensions": {"persistedQuery": {"version": 1}}}"#,
    ] {
        let expected = format!("/graphql{content} for Bearer a");
        site.asks(&format!("POST /graphql {content}"), &caller, &expected)
            .await;
    }
    let cookie = [("Cookie", "session=a")];
    site.asks(
        "GET /graphql?extensions=1",
        &cookie,
        "/graphql?extensions=1 for ",
    )
    .await;
}

#[tokio::test]
async fn a_public_api_behind_an_ingress() {
    let trusted = ["server.trusted=[\"127.0.0.1/32\"]"]; // as the ingress
    let site = Site::new("ingress", &trusted, |received| {
        let who = by(&["x-forwarded-proto", "x-forwarded-host"])(received);
        match received.header("origin") {
            Some(site) => who.header("access-control-allow-origin", site),
            None => who,
        }
    });
    let site = site.await;
    let by_ingress = [
        ("Host", "api.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example"),
        ("X-Forwarded-For", "192.0.2.1"),
    ];
    let other_client = [
        &by_ingress[..3],
        &[("X-Forwarded-For", "192.0.2.2"), ("X-Real-Ip", "192.0.2.2")],
    ];
    site.hits("GET /a", &by_ingress, "/a for https+api.example")
        .await;
    let line = "/a for https+api.example";
    site.gets("GET /a", &other_client.concat(), line, Some(true))
        .await;
    // Somebody in the pod network who is not the ingress.
    let stranger: IpAddr = Ipv4Addr::new(127, 0, 0, 2).into();
    let evil = [
        ("Host", "api.example"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Original-URL", "/admin"),
    ];
    let address = site.proxy.address();
    let got = request_from(stranger, address, ("GET", "/a"), &evil, b"").await;
    assert_eq!(got.text(), "/a for http+api.example");
    for name in ["https://one.example", "https://two.example"] {
        let page = [&by_ingress[..], &[("Origin", name)]].concat();
        for _ in 0..2 {
            let answer = site.ask("GET /b", &page).await;
            assert_eq!(answer.header("access-control-allow-origin"), Some(name));
        }
        assert!(site.ask("GET /b", &page).await.is_hit());
    }
}

#[tokio::test]
async fn tenants_by_host() {
    let site = Site::new("tenants_by_host", &[], by(&["host"])).await;
    for tenant in ["acme.example", "globex.example"] {
        let (host, session) = (("Host", tenant), ("Cookie", "session=a"));
        for path in ["/pages/1", "/catalogue/1"] {
            let expected = format!("{path} for {tenant}");
            site.hits(&format!("GET {path}"), &[host], &expected).await;
        }
        let expected = format!("/catalogue/1 for {tenant}");
        site.gets("GET /catalogue/1", &[host, session], &expected, Some(true))
            .await;
        let expected = format!("/pages/1 for {tenant}");
        site.asks("GET /pages/1", &[host, session], &expected).await;
    }
}

#[tokio::test]
async fn tenants_by_header() {
    let names = &["x-tenant-id", "authorization"];
    let site = Site::new("tenants_by_header", &[], |received| {
        let shown = question(received).starts_with("/catalogue/");
        by(if shown { &names[..1] } else { names })(received)
    });
    let site = site.await;
    for tenant in ["acme", "globex"] {
        for user in ["a", "b"] {
            let caller = [("X-Tenant-Id", tenant), ("Authorization", user)];
            let expected = format!("/catalogue/1 for {tenant}");
            site.hits("GET /catalogue/1", &caller, &expected).await;
            let expected = format!("/reports/1 for {tenant}+{user}");
            site.hits("GET /reports/1", &caller, &expected).await;
            let expected = format!("/forgotten for {tenant}+{user}");
            site.asks("GET /forgotten", &caller, &expected).await;
        }
    }
}

#[tokio::test]
async fn behind_an_auth_gateway() {
    const WHO: &[&str] = &["x-auth-request-email"];
    let site = Site::new("auth_gateway", &[], |received| {
        let handbook = question(received).starts_with("/handbook/");
        by(if handbook { &[] } else { WHO })(received)
    });
    let site = site.await;
    for (user, email) in [("a", "a@example"), ("b", "b@example")] {
        for token in ["one", "two"] {
            let caller = [
                ("X-Auth-Request-User", user),
                ("X-Auth-Request-Email", email),
                ("X-Forwarded-Access-Token", token),
                ("Cookie", "_oauth2_proxy=x"),
            ];
            site.hits("GET /handbook/1", &caller, "/handbook/1 for ")
                .await;
            let expected = format!("/dashboard/1 for {email}");
            site.hits("GET /dashboard/1", &caller, &expected).await;
            site.asks("GET /other", &caller, &format!("/other for {email}"))
                .await;
        }
    }
}

#[tokio::test]
async fn a_search_api_with_tracking_parameters() {
    let site = Site::new("search", &[], |received| {
        let target = question(received);
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let counts = |pair: &&str| ["q=", "page=", "sort="].iter().any(|n| pair.starts_with(n));
        let mut pairs: Vec<&str> = query.split('&').filter(counts).collect();
        pairs.sort_unstable();
        Reply::ok(pairs.join(" "))
    });
    let site = site.await;
    site.hits("GET /search?q=shoes&page=2", &[], "page=2 q=shoes")
        .await;
    for same in [
        "GET /search?page=2&q=shoes",
        "GET /search?utm_source=mail&q=shoes&page=2&gclid=x",
        "GET /search?q=shoes&fbclid=y&page=2",
    ] {
        site.gets(same, &[], "page=2 q=shoes", Some(true)).await;
    }
    site.hits("GET /search?q=shoes", &[], "q=shoes").await;
    site.hits("GET /search?q=socks", &[], "q=socks").await;
    site.hits("GET /suggest?q=sho&page=1", &[], "page=1 q=sho")
        .await;
    let same = "GET /suggest?utm_campaign=x&page=1&q=sho";
    site.gets(same, &[], "page=1 q=sho", Some(true)).await;
    site.hits("GET /suggest?q=sho&new=1", &[], "q=sho").await;
    let caller = [("Authorization", "Bearer a")];
    site.asks("GET /search?q=shoes", &caller, "q=shoes").await;
}
