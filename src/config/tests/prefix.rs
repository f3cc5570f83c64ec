//! Two services on one Redis are kept apart by a prefix that somebody chose.

use super::*;

const REDIS: &str =
    "[upstream]\nurl = \"http://127.0.0.1:9000\"\n[cache.redis]\nurl = \"${REDIS_URL:-}\"\n";

fn with(prefix: &str, url: &'static str, variable: &'static str) -> Result<Config, ConfigError> {
    let env = move |name: &str| match name {
        "REDIS_URL" => Some(url.to_owned()),
        "CACHE_PREFIX" => Some(variable.to_owned()),
        _ => None,
    };
    let text = format!("{REDIS}[cache]\n{prefix}\n");
    Config::parse("proxy.toml", &text, &[], &env)
}

#[test]
fn a_redis_with_a_url_needs_a_prefix_that_is_written() {
    let (with_redis, alone) = ("redis://127.0.0.1:6379", "");
    let cases = [
        ("", "", None),
        ("prefix = \"\"", "", None),
        ("prefix = \"${CACHE_PREFIX:-}\"", "", None),
        ("prefix = \"${CACHE_PREFIX}\"", "", None),
        ("prefix = \"myapi\"", "", Some("myapi")),
        ("prefix = \"${CACHE_PREFIX:-}\"", "shop", Some("shop")),
        ("prefix = \"${CACHE_PREFIX:-api}\"", "", Some("api")),
    ];
    for (prefix, variable, expected) in cases {
        assert!(
            with(prefix, alone, variable).is_ok(),
            "memory alone: {prefix}"
        );
        match (with(prefix, with_redis, variable), expected) {
            (Ok(config), Some(expected)) => {
                assert_eq!(config.store.redis.unwrap().prefix, expected, "{prefix}");
            }
            (Err(error), None) => {
                let text = error.to_string();
                assert!(
                    text.contains("write `prefix = \"myapi\"` under `[cache]`"),
                    "{text}"
                );
                assert!(text.ends_with("1 problem in proxy.toml"), "{text}");
            }
            (other, _) => panic!("{prefix}: {other:?}"),
        }
    }
}

#[test]
fn the_prefix_may_come_from_an_argument_and_a_wrong_one_is_one_mistake() {
    let set = ["cache.redis.url=redis://127.0.0.1:6379", "cache.prefix=12"];
    let config = parse(MINIMAL, &set).unwrap();
    assert_eq!(config.store.redis.unwrap().prefix, "12");
    let text = said(MINIMAL, &[set[0], "cache.prefix=a b"]);
    assert!(
        text.contains("safe in a key") && text.ends_with("1 problem in --set"),
        "{text}"
    );
    let text = said(MINIMAL, &set[..1]);
    assert!(text.contains(" --> --set:1:17"), "{text}");
}
