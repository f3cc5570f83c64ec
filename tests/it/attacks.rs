//! What had been tried on other caches and not here: names, spellings and fields that one server reads and another does not.

use crate::support::{Origin, Proxy, Reply};

const TTL: &str = "[[route]]\nname = \"all\"\npath = \"/{*rest}\"\nttl = 300\n";

#[tokio::test]
async fn a_credential_by_another_name_is_one() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, TTL).await;
    origin.answer("/a", Reply::ok("anybody's"));
    proxy.get("/a").await;
    for name in [
        "X-Authorization",
        "X-Serverless-Authorization",
        "Authentication",
        "Token",
        "Auth",
        "Session-Id",
        "Username",
        "X-Arr-Clientcert",
        "X-Amzn-Mtls-Clientcert-Subject",
        "X-Forwarded-Client-Cert-Chain",
        "X-Vouch-User",
        "Kubeflow-Userid",
        "X-Apigateway-Api-Userinfo",
        "X-Hasura-Role",
        "X-Scope-OrgID",
        "X-Workspace-Id",
        "X.Api.Key",
        "X!Auth!Token",
    ] {
        let bob = proxy.get_with("/a", &[(name, "bob")]).await;
        assert!(!bob.is_hit(), "{name}: {}", bob.cache_status());
    }
    let browser = [("Sec-Fetch-User", "?1"), ("Priority", "u=0, i")];
    assert!(proxy.get_with("/a", &browser).await.is_hit());
}

/// A trusted proxy continues what its client says in `Forwarded`, and servers look for `host=` in many ways.
#[tokio::test]
async fn what_hides_in_forwarded_is_in_the_key() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, "").await;
    let hidden = [
        r#"for="\"";host=evil.example"#,
        r#"for="x, host=evil.example""#,
        r#"for="x;host=evil.example""#,
        r#"for="host=evil.example""#,
        "xhost=evil.example",
        "for=1 host=evil.example",
        r"for=1;ho\st=evil.example",
    ];
    for (at, said) in hidden.iter().enumerate() {
        let path = format!("/{at}");
        origin.answer(&path, Reply::fresh("evil's", 60));
        proxy.get_with(&path, &[("Forwarded", said)]).await;
        origin.answer(&path, Reply::fresh("ours", 60));
        for said in ["for=192.0.2.1", "for=\"[2001:db8::1]:4711\";by=_secret"] {
            let ours = proxy.get_with(&path, &[("Forwarded", said)]).await;
            assert_eq!(ours.text(), "ours", "{}", ours.cache_status());
        }
        assert!(proxy.get(&path).await.is_hit(), "addresses do not count");
    }
}

#[tokio::test]
async fn what_restricts_in_other_fields_and_spellings_counts() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, TTL).await;
    let restrictions = [
        ("Surrogate-Control", "no-store"),
        ("Surrogate-Control", "private"),
        ("Surrogate-Control", "no-store, content=\"ESI/1.0\""),
        ("Pragma", "no-cache"),
        ("Pragma", "No-Cache"),
        ("Cache-Control", "nostore"),
        ("Cache-Control", "no_store"),
        ("Cache-Control", "NoCache"),
        ("Cache-Control", "private=\"*\""),
        ("Cache-Control", "private=\" \""),
        ("CDN-Cache-Control", "max-age=60, private=\"*\""),
        ("CDN-Cache-Control", "max-age=60, private=\" \""),
        ("CDN-Cache-Control", "max-age=60, private=\",\""),
    ];
    for (at, (name, value)) in restrictions.iter().enumerate() {
        let path = format!("/{at}");
        origin.answer(&path, Reply::ok("alice's").header(name, *value));
        proxy.get(&path).await;
        let again = proxy.get(&path).await;
        assert!(!again.is_hit(), "{name}: {value}: {}", again.cache_status());
    }
    // What permits something there counts no more than before.
    let permits = Reply::ok("a").header("surrogate-control", "max-age=60");
    origin.answer("/a", permits.header("cache-control", "private"));
    proxy.get("/a").await;
    assert!(!proxy.get("/a").await.is_hit());
}

#[tokio::test]
async fn a_cookie_of_the_key_counts_however_some_origin_finds_it() {
    let origin = Origin::start().await;
    let toml = format!("{TTL}cookies = {{ key = [\"lang\"] }}\nshare = [\"cookie\"]\n");
    let proxy = Proxy::to(&origin, &toml).await;
    for (at, cookie) in [
        "x=1 lang=evil",
        "x=1, lang=evil",
        "LANG=evil",
        "l%61ng=evil",
        "x=\"lang=evil\"",
        "lang[]=evil",
    ]
    .iter()
    .enumerate()
    {
        let path = format!("/{at}");
        origin.answer(&path, Reply::ok("evil's"));
        proxy.get_with(&path, &[("Cookie", cookie)]).await;
        assert!(!proxy.get(&path).await.is_hit(), "{cookie}");
        let session = [("Cookie", "sid=1")];
        assert!(proxy.get_with(&path, &session).await.is_hit());
    }
}

#[tokio::test]
async fn several_lines_of_a_field_in_the_key_are_not_one() {
    let origin = Origin::start().await;
    let toml = format!("{TTL}key = {{ headers = [\"x-group\"] }}\n");
    let proxy = Proxy::to(&origin, &toml).await;
    origin.answer("/a", Reply::ok("of the first line"));
    let lines = [("X-Group", "admin"), ("X-Group", "users")];
    proxy.get_with("/a", &lines).await;
    origin.answer("/a", Reply::ok("of both"));
    let one = proxy.get_with("/a", &[("X-Group", "admin, users")]).await;
    assert_eq!(one.text(), "of both");
}

/// A part that was stored for everybody is not completed with what one caller is given.
#[tokio::test]
async fn a_part_is_not_completed_for_a_caller_that_it_is_not_for() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, TTL).await;
    let part = Reply::ok("01234").status(206).header("etag", "\"1\"");
    origin.answer("/a", part.header("content-range", "bytes 0-4/10"));
    proxy.get_with("/a", &[("Range", "bytes=0-4")]).await;
    origin.answer("/a", Reply::ok("bob's").header("etag", "\"1\""));
    let bob = proxy.get_with("/a", &[("X-Api-Key", "bob")]).await;
    assert_eq!(bob.text(), "bob's");
    assert_eq!(origin.last("/a").header("range"), None);
    assert!(
        bob.cache_status().starts_with("fwd=bypass"),
        "{}",
        bob.cache_status()
    );
}

/// The difference to what one client has is of no use to others.
#[tokio::test]
async fn a_difference_is_not_stored() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, TTL).await;
    origin.answer("/a", Reply::fresh("+1", 60).status(226));
    proxy.get_with("/a", &[("A-IM", "feed")]).await;
    origin.answer("/a", Reply::fresh("all", 60));
    assert_eq!(proxy.get("/a").await.text(), "all");
}
