//! Whole configurations: from text, arguments and environment to settings or problems.

mod default_ttl;
mod hostile;
mod overrides;
mod prefix;

use std::{fs, net::SocketAddr, time::Duration};

use super::*;
use crate::semantics::{ClientDirectives, Coding, SetCookie, Share, query::CountedQuery};
use crate::store::redis::Address;

const MINIMAL: &str = "[upstream]\nurl = \"http://127.0.0.1:9000\"\n";
const DEFAULTS: &str = include_str!("../../config/default.toml");

/// A file with every kind of value.
const FULL: &str = r#"
[server]
listen = "0.0.0.0:80"
workers = "${WORKERS:-4}"
[upstream]
url = "http://backend:9000/"
timeout = "${TIMEOUT:-1m 30s}"
[cache]
prefix = 'my-api'
bypass_token = "0123456789abcdef"
client_directives = "respect"
heuristic = true
memory.max = "128MB"
memory.collecting = "32MiB"
redis = { url = "redis://:hunter2@${REDIS_HOST}:6379/1", budget = "20ms" }
[ttl]
short = "5m"
long = 7200
[compress]
codings = ["gzip", "${CODING:-br}"]
level = 9
zstd_level = 1
brotli_level = 0
[[route]]
name = "item"
path = "/items/{id}"
ttl = "long"
override = true
stale_if_error = "1d"
share = "all"
set_cookie = "strip"
tags = ["items", "item:{id}"]
[route.key]
query = ["q"]
headers = ["Accept-Language", "authorization"]
[[route]]
name = "write"
path = "/items/{id}"
methods = ["PUT", "${METHOD:-DELETE}"]
purge = ["tag:item:{id}", "hard:path:/items*"]
[[route]]
name = "off"
path = "/off/{*rest}"
ttl = 60
cache = false
"#;

fn env(name: &str) -> Option<String> {
    match name {
        "REDIS_HOST" => Some("redis".to_owned()),
        "OFF" => Some("off".to_owned()),
        _ => None,
    }
}

fn parse(text: &str, set: &[&str]) -> Result<Config, ConfigError> {
    let set: Vec<_> = set.iter().map(|&argument| argument.to_owned()).collect();
    Config::parse("proxy.toml", text, &set, &env)
}

/// What is said about `text`.
fn said(text: &str, set: &[&str]) -> String {
    parse(text, set)
        .expect_err("there is a mistake")
        .to_string()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn every_key_reaches_its_setting() {
    let config = parse(FULL, &[]).unwrap();
    assert_eq!(config.server.listen, SocketAddr::from(([0, 0, 0, 0], 80)));
    assert_eq!(config.server.workers, 4);
    assert_eq!(config.upstream.authority, "backend:9000");
    assert_eq!(config.upstream.timeout, secs(90));
    assert_eq!(
        config.proxy.bypass_token,
        Some(crate::proxy::Token::new("0123456789abcdef"))
    );
    assert_eq!(config.store.memory.max, 128_000_000);
    assert_eq!(config.cache.collecting, 32 << 20);
    let coding = &config.cache.coding;
    assert_eq!(coding.codings, [Coding::Gzip, Coding::Br]);
    let levels = &coding.levels;
    assert_eq!((levels.gzip, levels.zstd, levels.brotli), (9, 1, 0));
    let redis = config.store.redis.unwrap();
    assert_eq!(
        Ok(&redis.address),
        Address::parse("redis://:hunter2@redis:6379/1").as_ref()
    );
    assert_eq!((redis.prefix.as_str(), redis.pool_size), ("my-api", 16));
    assert_eq!(redis.budget, Duration::from_millis(20));
    let [item, write, off] = &config.routes[..] else {
        panic!("{:?}", config.routes)
    };
    assert_eq!(
        (item.name.as_str(), item.path.captures()),
        ("item", &["id".to_owned()][..])
    );
    assert_eq!(item.methods, [http::Method::GET, http::Method::HEAD]);
    assert_eq!(item.policy.ttl, Some(secs(7_200)));
    assert_eq!(item.policy.stale_if_error, Some(secs(86_400)));
    assert_eq!(
        (item.policy.share.clone(), item.policy.set_cookie),
        (Share::All, SetCookie::Strip)
    );
    assert!(item.policy.cache && item.policy.override_origin && item.policy.heuristic);
    assert_eq!(item.policy.client_directives, ClientDirectives::Respect);
    assert_eq!(item.key.query, Some(CountedQuery::only(["q"])));
    assert_eq!(item.key.headers, ["accept-language", "authorization"]);
    assert_eq!((item.tags.len(), write.purge.len()), (2, 2));
    assert_eq!(write.methods, [http::Method::PUT, http::Method::DELETE]);
    assert_eq!((off.policy.cache, off.policy.ttl), (false, Some(secs(60))));
    assert_eq!(off.key, crate::cache::KeySpec::default());
}

#[test]
fn the_file_of_defaults_says_what_no_file_says() {
    let (written, default) = (parse(DEFAULTS, &[]).unwrap(), parse(MINIMAL, &[]).unwrap());
    assert_eq!(written.server, default.server);
    assert_eq!(written.admin, default.admin);
    assert_eq!(written.log, default.log);
    assert_eq!(written.upstream, default.upstream);
    assert_eq!(written.proxy, default.proxy);
    assert_eq!(written.cache, default.cache);
    assert!(written.store == default.store && default.store.redis.is_none());
    assert!(written.routes.is_empty() && default.routes.is_empty());
}

/// Its examples are held to the same standard.
#[test]
fn what_the_file_of_defaults_shows_is_right_too() {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(shown) if !shown.starts_with(' ') => format!("{shown}\n"),
        _ => format!("{line}\n"),
    };
    let text: String = DEFAULTS.lines().map(line).collect();
    let config = parse(&text, &[]).unwrap();
    assert_eq!(config.routes.len(), 2);
    assert!(config.store.redis.is_some());
    let sections = [
        "",
        "[server]",
        "[admin]",
        "[log]",
        "[upstream]",
        "[cache]",
        "[cache.memory]",
    ];
    assert!(sections.iter().all(|section| text.contains(section)));
    // Every name that a problem would suggest has its line.
    for section in [
        "server",
        "admin",
        "log",
        "upstream",
        "cache",
        "cache.memory",
        "cache.redis",
        "compress",
    ] {
        let unknown = said(MINIMAL, &[&format!("{section}.zzzzzzzz=1")]);
        let known = unknown
            .lines()
            .find(|line| line.contains("= help: "))
            .unwrap();
        for name in known.split('`').skip(3).step_by(2) {
            let shown =
                text.contains(&format!("\n{name} = ")) || text.contains(&format!(".{name}]"));
            assert!(shown, "{section}.{name}");
        }
    }
}

#[test]
fn a_variable_may_stand_for_any_scalar() {
    let text = format!("{MINIMAL}[cache]\nenabled = \"${{OFF}}\"\n[ttl]\na = \"${{N:-300}}\"\n");
    let route = "[[route]]\nname = \"a\"\npath = \"/\"\nttl = \"${N:-a}\"\n";
    let config = parse(&(text + route), &[]).unwrap();
    assert!(!config.proxy.enabled);
    assert_eq!(config.routes[0].policy.ttl, Some(secs(300)));
}

#[test]
fn numbers_may_be_written_as_toml_has_them() {
    let text = format!("{MINIMAL}max_connections = 1_000\n[server]\nworkers = 0x10\n");
    let config = parse(&text, &["compress.min_size=0b1000"]).unwrap();
    assert_eq!(config.upstream.max_connections, 1_000);
    assert_eq!(
        (config.server.workers, config.cache.coding.min_size),
        (16, 8)
    );
}

#[test]
fn files_that_cannot_be_read_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let load = |name: &str| Config::load(&folder.path().join(name), &[], &env);
    let missing = load("proxy.toml").unwrap_err();
    assert!(matches!(missing, ConfigError::Missing { .. }));
    let text = missing.render(true);
    assert!(text.contains("proxy.toml: no such file; name another one with --config"));
    assert!(matches!(
        load("").unwrap_err(),
        ConfigError::Unreadable { .. }
    ));
    fs::write(folder.path().join("binary"), b"a = 1\nb = \"\xff\"").unwrap();
    assert!(matches!(
        load("binary").unwrap_err(),
        ConfigError::NotText { line: 2, .. }
    ));
    for byte in [b"#", &b"\xff"[..]] {
        fs::write(folder.path().join("large"), byte.repeat((1 << 20) + 1)).unwrap();
        assert!(matches!(
            load("large").unwrap_err(),
            ConfigError::TooLarge { .. }
        ));
    }
    fs::write(folder.path().join("good"), MINIMAL).unwrap();
    assert!(load("good").is_ok());
}

#[test]
fn there_is_an_end_to_problems_and_routes() {
    let text: String = (0..150).map(|number| format!("[x{number}]\n")).collect();
    let text = said(&format!("{MINIMAL}{text}"), &[]);
    assert_eq!(text.matches("error: ").count(), 100);
    assert!(
        text.ends_with("\n... and 50 more\n\n150 problems in proxy.toml"),
        "{text}"
    );
    let route = |number| format!("[[route]]\nname = \"r{number}\"\npath = \"/{number}\"\n");
    let fits: String = (0..1_000).map(route).collect();
    assert_eq!(
        parse(&format!("{MINIMAL}{fits}"), &[])
            .unwrap()
            .routes
            .len(),
        1_000
    );
    let text = said(&format!("{MINIMAL}{fits}{}", route(1_000)), &[]);
    assert!(
        text.starts_with("error: there are 1001 routes, at most 1000 fit"),
        "{text}"
    );
    assert!(text.contains("proxy.toml:3003:1"), "{text}");
}

#[test]
fn colors_change_nothing_but_colors() {
    let error = parse("[sever]\n", &[]).unwrap_err();
    let styled = error.render(true);
    let mut plain = String::new();
    for (number, part) in styled.split('\u{1b}').enumerate() {
        plain += if number == 0 {
            part
        } else {
            part.split_once('m').unwrap().1
        };
    }
    assert_ne!(styled, plain);
    assert_eq!(plain, error.render(false));
}
