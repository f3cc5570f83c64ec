//! `cache.default_ttl`: the `ttl` of what names none.

use super::*;

fn with(default_ttl: &str) -> Result<Config, ConfigError> {
    let text = format!(
        "{MINIMAL}[cache]\ndefault_ttl = {default_ttl}\n[ttl]\nlong = \"2h\"\n\
         [[route]]\nname = \"silent\"\npath = \"/silent\"\n\
         [[route]]\nname = \"own\"\npath = \"/own\"\nttl = 0\n"
    );
    let env = |name: &str| (name == "CACHE_DEFAULT_TTL").then(|| "300".to_owned());
    Config::parse("proxy.toml", &text, &[], &env)
}

#[test]
fn the_default_ttl_is_that_of_routes_without_one_and_of_what_no_route_matches() {
    for (written, expected) in [
        ("\"5m\"", Some(300)),
        ("60", Some(60)),
        ("\"long\"", Some(7_200)),
        ("\"${CACHE_DEFAULT_TTL:-}\"", Some(300)),
        ("\"${UNSET:-}\"", None),
        ("\"\"", None),
    ] {
        let config = with(written).unwrap();
        let [silent, own] = &config.routes[..] else {
            panic!("{:?}", config.routes)
        };
        let expected = expected.map(secs);
        assert_eq!(silent.policy.ttl, expected, "{written}");
        assert_eq!(config.default_policy.ttl, expected, "{written}");
        assert_eq!(own.policy.ttl, Some(Duration::ZERO), "{written}");
    }
    assert_eq!(parse(MINIMAL, &[]).unwrap().default_policy.ttl, None);
}

#[test]
fn the_default_ttl_may_come_from_an_argument() {
    let config = parse(MINIMAL, &["cache.default_ttl=10m"]).unwrap();
    assert_eq!(config.default_policy.ttl, Some(secs(600)));
}

/// Who overrides an origin says with what at the same place.
#[test]
fn override_wants_a_ttl_of_its_own() {
    let text = format!(
        "{MINIMAL}[cache]\ndefault_ttl = \"5m\"\n\
         [[route]]\nname = \"a\"\npath = \"/a\"\noverride = true\n"
    );
    let said = said(&text, &[]);
    assert!(said.contains("`override = true` has no `ttl`"), "{said}");
    assert!(
        said.contains("`cache.default_ttl` overrules nobody"),
        "{said}"
    );
}

/// GraphQL and its like answer 200 with errors in it too: only who reads knows for how long.
#[test]
fn what_is_read_by_post_has_no_default_ttl() {
    let text = format!(
        "{MINIMAL}[cache]\ndefault_ttl = \"5m\"\n[[route]]\nname = \"a\"\npath = \"/a\"\n\
         methods = [\"POST\"]\nkey = {{ body = true }}\n"
    );
    let ttl = |text: &str| parse(text, &[]).unwrap().routes[0].policy.ttl;
    assert_eq!(ttl(&text), None);
    assert_eq!(ttl(&format!("{text}ttl = \"1m\"\n")), Some(secs(60)));
}
