//! `--set` and the environment over the file.

use super::*;

#[test]
fn arguments_win_over_the_file_and_the_last_one_wins() {
    let set = [
        "server.listen=127.0.0.1:0",
        "cache.memory.max=2MiB",
        "cache.memory.max = 3145728",
        "log.access=false",
        "cache.prefix=12",
        "ttl.long=\"1h\"",
        "cache.redis.url=",
    ];
    let config = parse(FULL, &set).unwrap();
    assert_eq!(config.server.listen, SocketAddr::from(([127, 0, 0, 1], 0)));
    assert_eq!(config.store.memory.max, 3 << 20);
    assert!(!config.log.access);
    assert!(config.store.redis.is_none());
    assert_eq!(config.routes[0].policy.ttl, Some(secs(3_600)));
    assert!(parse("", &["upstream.url=http://127.0.0.1:9000"]).is_ok());
}

#[test]
fn a_bad_argument_is_shown_as_it_was_given() {
    let text = said(
        MINIMAL,
        &["server.workers=many", "cache.memroy.max=1", "route.name=a"],
    );
    assert_eq!(
        text,
        "\
error: `server.workers` must be an integer, not a string
 --> --set:1:16
  |
1 | server.workers=many
  |                ^^^^
  |
  = help: write it in digits, without quotes

error: unknown key `cache.memroy`
 --> --set:1:7
  |
1 | cache.memroy.max=1
  |       ^^^^^^
  |
  = help: did you mean `memory`?

error: routes cannot be changed with `--set`
 --> --set:1:1
  |
1 | route.name=a
  | ^^^^^^^^^^
  |
  = help: write the `[[route]]` in the file, where their order is seen

3 problems in --set"
    );
    assert!(
        said("[sever]\n", &["server.workers=-1"]).ends_with("3 problems in proxy.toml and --set")
    );
}

#[test]
fn cache_enabled_wins_over_the_file_and_an_argument_over_both() {
    let on = format!("{MINIMAL}[cache]\nenabled = true\n");
    let cases = [
        (None, &[][..], Some(true)),
        (Some(""), &[], Some(true)),
        (Some("false"), &[], Some(false)),
        (Some("0"), &[], Some(false)),
        (Some("off"), &["cache.enabled=true"], Some(true)),
        (Some("1"), &["cache.enabled=false"], Some(false)),
        (Some("maybe"), &[], None),
    ];
    for (variable, set, expected) in cases {
        let env = |name: &str| {
            variable
                .filter(|_| name == "CACHE_ENABLED")
                .map(str::to_owned)
        };
        let set: Vec<String> = set
            .iter()
            .map(|&argument: &&str| argument.to_owned())
            .collect();
        match (Config::parse("proxy.toml", &on, &set, &env), expected) {
            (Ok(config), Some(enabled)) => {
                assert_eq!(config.proxy.enabled, enabled, "{variable:?}")
            }
            (Err(error), None) => {
                let text = error.to_string();
                assert!(
                    text.starts_with("error: `CACHE_ENABLED` cannot be `maybe`"),
                    "{text}"
                );
                assert!(text.ends_with("1 problem in the environment"), "{text}");
            }
            (other, _) => panic!("{variable:?}: {other:?}"),
        }
    }
}
