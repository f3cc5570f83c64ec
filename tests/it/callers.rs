//! Whose an answer may be: every field of the list, cookies by name, and what the operator tightens.

use crate::support::{Origin, Proxy, Reply, proxy::synchronised, redis::Redis, until};

const TTL: &str = "[[route]]\nname = \"all\"\npath = \"/{*rest}\"\nttl = 300\n";

#[tokio::test]
async fn with_nothing_but_a_ttl_no_credential_makes_or_gets_a_shared_answer() {
    let origin = Origin::start().await;
    let proxy = Proxy::to(&origin, TTL).await;
    for name in [
        "Authorization",
        "Cookie",
        "X-Api-Key",
        "Api-Key",
        "X-Auth-Token",
        "X-Access-Token",
        "X-User-Id",
        "X-Auth-Request-User",
        "X-Auth-Request-Email",
        "Cf-Access-Jwt-Assertion",
        "Remote-User",
        "X-Goog-Iap-Jwt-Assertion",
        "Ocp-Apim-Subscription-Key",
        "X-Tenant-Id",
    ] {
        let path = format!("/{}", name.to_lowercase());
        origin.answer(&path, Reply::ok("alice's"));
        for _ in 0..2 {
            let alice = proxy.get_with(&path, &[(name, "alice")]).await;
            assert!(!alice.is_hit(), "{name}: {}", alice.cache_status());
        }
        origin.answer(&path, Reply::ok("anybody's"));
        assert_eq!(proxy.get(&path).await.text(), "anybody's", "{name}");
        assert!(proxy.get(&path).await.is_hit(), "{name}");
        origin.answer(&path, Reply::ok("bob's"));
        let bob = proxy.get_with(&path, &[(name, "bob")]).await;
        assert_eq!(bob.text(), "bob's", "{name}: {}", bob.cache_status());
    }
}

#[tokio::test]
async fn a_credential_in_the_key_is_lifted_and_the_others_are_not() {
    let origin = Origin::start().await;
    let toml = format!("{TTL}key = {{ headers = [\"x-api-key\"] }}\n");
    let proxy = Proxy::to(&origin, &toml).await;
    origin.answer("/a", Reply::ok("alice's"));
    let alice = [("X-Api-Key", "alice")];
    proxy.get_with("/a", &alice).await;
    assert!(proxy.get_with("/a", &alice).await.is_hit());
    origin.answer("/a", Reply::ok("bob's"));
    assert_eq!(
        proxy.get_with("/a", &[("X-Api-Key", "bob")]).await.text(),
        "bob's"
    );
    assert_eq!(
        proxy.get("/a").await.text(),
        "bob's",
        "nobody is a caller too"
    );
    let both = [("X-Api-Key", "alice"), ("X-User-Id", "7")];
    assert!(!proxy.get_with("/a", &both).await.is_hit());
}

#[tokio::test]
async fn the_operator_names_credentials_and_those_of_http_stay() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    let toml = format!("[cache]\ncredentials = [\"x-badge\", \"acme-*\"]\n{TTL}");
    let proxy = Proxy::to(&origin, &toml).await;
    proxy.get("/a").await;
    for name in ["X-Badge", "Acme-Caller", "Authorization", "Cookie"] {
        assert!(
            !proxy.get_with("/a", &[(name, "x")]).await.is_hit(),
            "{name}"
        );
    }
    assert!(proxy.get_with("/a", &[("X-Api-Key", "x")]).await.is_hit());
    let toml = format!("[cache]\ncredentials = [\"usual\", \"x-badge\"]\n{TTL}");
    let proxy = Proxy::to(&origin, &toml).await;
    proxy.get("/a").await;
    for name in ["X-Badge", "X-Api-Key"] {
        assert!(
            !proxy.get_with("/a", &[(name, "x")]).await.is_hit(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn cookies_and_authorization_are_shared_apart() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("a"));
    let (cookie, authorization) = ([("Cookie", "sid=1")], [("Authorization", "alice")]);
    let proxy = Proxy::to(&origin, &format!("{TTL}share = [\"cookie\"]\n")).await;
    proxy.get_with("/a", &cookie).await;
    assert!(proxy.get_with("/a", &cookie).await.is_hit());
    assert!(!proxy.get_with("/a", &authorization).await.is_hit());
    let proxy = Proxy::to(&origin, &format!("{TTL}share = [\"authorization\"]\n")).await;
    proxy.get_with("/a", &authorization).await;
    assert!(proxy.get_with("/a", &authorization).await.is_hit());
    assert!(!proxy.get_with("/a", &cookie).await.is_hit());
}

#[tokio::test]
async fn a_visitor_with_ignored_cookies_alone_is_anonymous_and_the_origin_does_not_see_them() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("page"));
    let toml = format!("{TTL}cookies = {{ ignore = [\"analytics\", \"promo_*\"] }}\n");
    let proxy = Proxy::to(&origin, &toml).await;
    let visitor = [("Cookie", "_ga=GA1.2; _fbp=fb.1; promo_x=1")];
    proxy.get_with("/a", &visitor).await;
    assert_eq!(origin.last("/a").header("cookie"), None);
    assert!(
        proxy
            .get_with("/a", &[("Cookie", "_ga=GA9")])
            .await
            .is_hit()
    );
    assert!(proxy.get("/a").await.is_hit());
    let member = [("Cookie", "_ga=GA1.2; sid=7")];
    assert!(!proxy.get_with("/a", &member).await.is_hit());
    assert_eq!(origin.last("/a").header("cookie"), Some("sid=7"));
}

#[tokio::test]
async fn a_write_keeps_all_of_its_cookies() {
    let origin = Origin::start().await;
    origin.answer("/a", Reply::ok("done"));
    let toml = format!("{TTL}methods = [\"GET\", \"POST\"]\ncookies = {{ ignore = [\"_ga\"] }}\n");
    let proxy = Proxy::to(&origin, &toml).await;
    proxy
        .send("POST", "/a", &[("Cookie", "_ga=1; sid=7")], "x")
        .await;
    assert_eq!(origin.last("/a").header("cookie"), Some("_ga=1; sid=7"));
}

#[tokio::test]
async fn a_cookie_in_the_key_selects_by_its_value() {
    let origin = Origin::start().await;
    let toml = format!("{TTL}cookies = {{ ignore = [\"_ga*\"], key = [\"lang\"] }}\n");
    let proxy = Proxy::to(&origin, &toml).await;
    origin.answer("/a", Reply::ok("deutsch"));
    proxy.get_with("/a", &[("Cookie", "lang=de; _ga=1")]).await;
    origin.answer("/a", Reply::ok("english"));
    assert_eq!(
        proxy.get_with("/a", &[("Cookie", "lang=en")]).await.text(),
        "english"
    );
    let again = proxy.get_with("/a", &[("Cookie", "_ga=2; lang=de")]).await;
    assert_eq!((again.text(), again.is_hit()), ("deutsch", true));
    for other in ["lang=de; sid=1", "lang=de; lang=en", "Lang=de"] {
        assert!(
            !proxy.get_with("/a", &[("Cookie", other)]).await.is_hit(),
            "{other}"
        );
    }
}

/// What was stored by rules that are tightened since is for nobody, whichever tier has it.
#[tokio::test]
async fn a_tightened_rule_holds_for_what_is_stored_already() {
    let redis = Redis::start();
    let origin = Origin::start().await;
    let loose = [
        ("share = \"all\"\nset_cookie = \"store\"\n", "sid=alice"),
        ("override = true\n", ""),
        ("cookies = { ignore = [\"sid\"] }\n", "sid=alice"),
        ("share = [\"cookie\"]\n", "sid=alice"),
        ("key = { query = [] }\n", ""),
    ];
    for (at, (rule, cookie)) in loose.into_iter().enumerate() {
        let path = format!("/{at}");
        let reply = Reply::ok("alice's");
        let reply = match at {
            0 => reply.header("set-cookie", "sid=alice"),
            1 => reply.header("cache-control", "no-store"),
            _ => reply,
        };
        origin.answer(&path, reply);
        let store = format!(
            "[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n",
            redis.url()
        );
        let alice = [("Cookie", cookie)];
        let alice = if cookie.is_empty() { &[][..] } else { &alice };
        let before = Proxy::to(&origin, &format!("{store}{TTL}{rule}")).await;
        synchronised(&before).await;
        before.get_with(&path, alice).await;
        until("it is in redis", async || redis.holds("alice's")).await;
        before.drain().await;
        origin.answer(&path, Reply::ok("anybody's"));
        let after = Proxy::to(&origin, &format!("{store}{TTL}")).await;
        synchronised(&after).await;
        let anybody = after.get(&path).await;
        assert_eq!(
            anybody.text(),
            "anybody's",
            "{rule}{}",
            anybody.cache_status()
        );
        after.drain().await;
        let _: () = redis.command(&["FLUSHALL"]);
    }
}

/// Keys and selecting fields: nothing of what callers sent to say who they are can be read in Redis.
#[tokio::test]
async fn nothing_that_says_who_asked_is_readable_in_redis() {
    let redis = Redis::start();
    let origin = Origin::start().await;
    let toml = format!(
        "[cache]\nprefix = \"t\"\n[cache.redis]\nurl = \"{}\"\n\
         {TTL}share = \"all\"\nkey = {{ headers = [\"x-api-key\", \"authorization\", \"x-own\"] }}\n\
         cookies = {{ key = [\"lang\"] }}\n",
        redis.url()
    );
    let proxy = Proxy::to(&origin, &toml).await;
    synchronised(&proxy).await;
    let vary = "cookie, x-user-id, x-long";
    origin.answer("/a", Reply::ok("the body").header("vary", vary));
    let caller = [
        ("X-Api-Key", "kee"),
        ("Authorization", "Basic YWxpY2U6c2VjcmV0"),
        ("X-Own", "sesame"),
        ("Cookie", "lang=klingon; sid=crumb"),
        ("X-User-Id", "alice"),
        ("X-Long", "a value of many bytes"),
    ];
    let url = "/a?access_token=hunter2";
    proxy.get_with(url, &caller).await;
    assert!(proxy.get_with(url, &caller).await.is_hit());
    until("it is in redis", async || redis.holds("the body")).await;
    for said in [
        "kee",
        "YWxpY2U6c2VjcmV0",
        "sesame",
        "klingon",
        "crumb",
        "alice",
        "many bytes",
        "hunter2",
    ] {
        assert!(!redis.holds(said), "{said}");
    }
    proxy.drain().await;
    let replica = Proxy::to(&origin, &toml).await;
    synchronised(&replica).await;
    assert!(
        replica.get_with(url, &caller).await.is_hit(),
        "the digests are those of all replicas"
    );
    let mut other = caller;
    other[4].1 = "mallory";
    assert!(!replica.get_with(url, &other).await.is_hit());
}
