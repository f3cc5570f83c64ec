//! Each trap, and what is no trap.

use std::net::IpAddr;

use crate::config::{Config, Severity, System, system::Memory};

const UPSTREAM: &str = "[upstream]\nurl = \"http://backend:9000\"\n";

/// What is found in `text` on `system`, as severity, key and line.
fn found_on(system: &System, text: &str) -> Vec<(Severity, String, usize)> {
    let text = format!("{UPSTREAM}{text}");
    let config = Config::parse("proxy.toml", &text, &[], &|_| None);
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let advice = config.advice(system);
    let findings = advice.findings().map(|finding| {
        assert!(finding.help.is_some(), "{finding:?}");
        let line = finding.line.unwrap_or(0);
        (finding.severity, finding.key.unwrap_or_default(), line)
    });
    findings.collect()
}

fn found(text: &str) -> Vec<(Severity, String, usize)> {
    found_on(&System::unknown(), text)
}

/// What is found in one route for GET of these lines, from line 1.
fn route(lines: &str) -> Vec<(Severity, String, usize)> {
    let found = found(&format!(
        "[[route]]\nname = \"a\"\npath = \"/a/{{id}}\"\n{lines}\n"
    ));
    let line = |(severity, key, line)| (severity, key, line - 5);
    found.into_iter().map(line).collect()
}

fn warning(key: &str, line: usize) -> (Severity, String, usize) {
    (Severity::Warning, key.to_owned(), line)
}

fn note(key: &str, line: usize) -> (Severity, String, usize) {
    (Severity::Note, key.to_owned(), line)
}

#[test]
fn sharing_with_everybody_is_told() {
    assert_eq!(route("share = \"all\""), [note("route.share", 1)]);
    assert_eq!(route("share = [\"cookie\"]"), []);
    // Where there is more to say, that is said.
    let idle = route("share = \"all\"\ncache = false");
    assert_eq!(idle, [warning("route.share", 1)]);
}

#[test]
fn dropping_every_cookie_is_told() {
    let every = route("cookies = { ignore = [\"*\"] }");
    assert_eq!(every, [note("route.cookies.ignore", 1)]);
    assert_eq!(route("cookies = { ignore = [\"analytics\", \"_*\"] }"), []);
    let idle = route("cookies = { ignore = [\"*\"] }\ncache = false");
    assert_eq!(idle, [warning("route.cookies", 1)]);
}

#[test]
fn credentials_without_the_usual_ones_are_told() {
    let with = |list: &str| found(&format!("[cache]\ncredentials = {list}\n"));
    assert_eq!(with("[\"x-badge\"]"), [warning("cache.credentials", 4)]);
    assert_eq!(with("[]"), [warning("cache.credentials", 4)]);
    assert_eq!(with("[\"usual\", \"x-badge\"]"), []);
}

#[test]
fn a_credential_in_the_key_wants_a_secret_where_there_is_a_redis() {
    let file = |cache: &str, key: &str| {
        let route =
            format!("[[route]]\nname = \"a\"\npath = \"/a\"\nkey = {{ headers = [\"{key}\"] }}\n");
        found(&format!("[cache]\nprefix = \"p\"\n{cache}{route}"))
    };
    let redis = "[cache.redis]\nurl = \"redis://redis:6379\"\n";
    let secret = format!("secret = \"0123456789abcdef\"\n{redis}");
    assert_eq!(file(redis, "x-api-key"), [note("route.key", 10)]);
    assert_eq!(file(redis, "accept-language"), []);
    assert_eq!(file(&secret, "x-api-key"), []);
    assert_eq!(file("", "x-api-key"), []);
}

#[test]
fn what_is_usual_is_no_trap() {
    assert_eq!(found(""), []);
    let usual = "ttl = \"5m\"\nttl_jitter = 10\nstale_if_error = \"1d\"\ntags = [\"a\"]\nshare = [\"cookie\"]\n\
        key = { query = [\"q\"], headers = [\"accept-language\"] }\nset_cookie = \"strip\"";
    assert_eq!(route(usual), []);
    for file in [
        include_str!("../../../proxy.toml"),
        include_str!("../../../config/default.toml"),
    ] {
        let config = Config::parse("proxy.toml", file, &[], &|_| None).unwrap();
        let advice = config.advice(&System::unknown());
        assert!(advice.is_empty(), "{advice}");
    }
}

#[test]
fn who_trusts_everybody_is_told() {
    let trusted = |list: &str| found(&format!("[server]\ntrusted = {list}\n"));
    for list in [
        "[\"0.0.0.0/0\"]",
        "[\"loopback\", \"::/0\"]",
        "[\"::ffff:0.0.0.0/96\"]",
        "[\"0.0.0.0/1\", \"128.0.0.0/1\"]",
        "[\"0.0.0.0/4\"]",
        "[\"2000::/4\", \"3000::/4\"]",
        "[\"12.0.0.0/6\", \"20.0.0.0/6\", \"40.0.0.0/6\", \"60.0.0.0/6\"]",
    ] {
        assert_eq!(trusted(list), [warning("server.trusted", 4)], "{list}");
    }
    for list in [
        "[\"private\", \"203.0.113.0/24\"]",
        "[\"12.0.0.0/6\", \"12.0.0.0/6\", \"12.0.0.0/7\", \"13.0.0.0/8\", \"15.0.0.0/8\"]",
    ] {
        assert_eq!(trusted(list), [], "{list}");
    }
}

#[test]
fn a_stored_cookie_is_everybodys() {
    assert_eq!(
        route("set_cookie = \"store\""),
        [warning("route.set_cookie", 1)]
    );
    let both = route("share = \"all\"\nset_cookie = \"store\"");
    assert_eq!(both, [warning("route.set_cookie", 2)]);
}

#[test]
fn override_says_what_it_does_and_warns_where_all_share() {
    let alone = "ttl = \"5m\"\noverride = true";
    assert_eq!(route(alone), [note("route.override", 2)]);
    let both = route(&format!("{alone}\nshare = \"all\""));
    assert_eq!(both, [warning("route.override", 2)]);
}

#[test]
fn an_admin_port_beyond_this_machine_is_never_without_a_word() {
    let listen = "[admin]\nlisten = \"0.0.0.0:9901\"\n";
    let open = found(&format!("{listen}open = true\n"));
    assert_eq!(open, [warning("admin.open", 5)]);
    let token = found(&format!("{listen}token = \"0123456789abcdef\"\n"));
    assert_eq!(token, [note("admin.listen", 4)]);
    let here = "[admin]\nlisten = \"[::1]:9901\"\nopen = true\n";
    assert_eq!(found(here), []);
}

#[test]
fn a_query_that_does_not_count_at_all_is_told() {
    assert_eq!(
        route("key = { query = [] }"),
        [warning("route.key.query", 1)]
    );
    assert_eq!(
        route("[route.key]\nquery = []"),
        [warning("route.key.query", 2)]
    );
    assert_eq!(route("key = {}"), []);
}

#[test]
fn a_field_that_no_second_request_has_is_told() {
    for name in [
        "X-Amzn-Trace-Id",
        "traceparent",
        "x-b3-traceid",
        "cf-ray",
        "date",
        "user-agent",
    ] {
        let key = format!("key = {{ headers = [\"accept-language\", \"{name}\"] }}");
        assert_eq!(route(&key), [warning("route.key.headers", 1)], "{name}");
    }
    for name in ["authorization", "x-tenant", "accept", "x-b3"] {
        assert_eq!(
            route(&format!("key = {{ headers = [\"{name}\"] }}")),
            [],
            "{name}"
        );
    }
}

#[test]
fn what_says_how_to_store_does_nothing_for_writes() {
    let keys = "ttl = \"5m\"\nstale_if_error = \"1m\"\ntags = [\"a\"]\nkey = { query = [\"q\"] }";
    let expected = [
        warning("route.ttl", 2),
        warning("route.stale_if_error", 3),
        warning("route.tags", 4),
        warning("route.key", 5),
    ];
    assert_eq!(
        route(&format!("methods = [\"POST\", \"PUT\"]\n{keys}")),
        expected
    );
    for stored in ["GET", "HEAD", "QUERY"] {
        let methods = format!("methods = [\"POST\", \"{stored}\"]\n{keys}");
        assert_eq!(route(&methods), [], "{stored}");
    }
    let read = "methods = [\"POST\"]\nttl = \"5m\"\nkey = { body = true }";
    assert_eq!(route(read), []);
}

#[test]
fn what_says_how_to_store_does_nothing_without_cache() {
    let text = "cache = false\nttl = \"5m\"\ntags = [\"a\"]";
    assert_eq!(
        route(text),
        [warning("route.ttl", 2), warning("route.tags", 3)]
    );
    assert_eq!(route("cache = false"), []);
}

#[test]
fn a_capture_in_the_spelling_of_others_is_told() {
    for path in ["/u/:id", "/u/<int:id>/x", "/u/[id]", "/$id"] {
        let toml = format!("[[route]]\nname = \"a\"\npath = \"{path}\"\nttl = 5\n");
        assert_eq!(found(&toml), [warning("route.path", 5)], "{path}");
    }
    for path in ["/u/{id}", "/v1/things:batch", "/u/:", "/u/<>", "/a/$"] {
        let toml = format!("[[route]]\nname = \"a\"\npath = \"{path}\"\nttl = 5\n");
        assert_eq!(found(&toml), [], "{path}");
    }
}

#[test]
fn a_jitter_has_something_to_shorten() {
    assert_eq!(route("ttl_jitter = 5"), [warning("route.ttl_jitter", 1)]);
    assert_eq!(
        route("ttl_jitter = 5\nttl_by_status = { 404 = \"1m\" }"),
        []
    );
}

#[test]
fn a_purge_names_a_tag_that_a_route_gives() {
    let reads = "[[route]]\nname = \"r\"\npath = \"/r/{id}\"\ntags = [\"item:{id}\", \"{id}-x\"]\n";
    let write = |purge: &str, reads: &str| {
        let methods = "methods = [\"PUT\"]";
        found(&format!(
            "[[route]]\nname = \"w\"\npath = \"/w/{{id}}\"\n{methods}\npurge = [\"{purge}\"]\n{reads}"
        ))
    };
    let some = reads.replace(", \"{id}-x\"", "");
    for purge in [
        "tag:item:{id}",
        "hard:tag:item:7",
        "tag:item:",
        "tag:{id}",
        "path:/none*",
    ] {
        assert_eq!(write(purge, &some), [], "{purge}");
    }
    assert_eq!(write("tag:itme:{id}", &some), [warning("route.purge", 7)]);
    assert_eq!(write("tag:item:{id}", ""), [warning("route.purge", 7)]);
    let idle = some.replace("tags", "cache = false\ntags");
    assert!(write("tag:item:{id}", &idle).contains(&warning("route.purge", 7)));
    assert_eq!(
        write("tag:anything", reads),
        [],
        "a tag that begins with a capture may be any"
    );
}

#[test]
fn a_window_beyond_the_longest_lifetime_is_never_reached() {
    assert_eq!(
        route("stale_while_revalidate = \"8d\""),
        [warning("route.stale_while_revalidate", 1)]
    );
    assert_eq!(route("stale_if_error = \"7d\""), []);
    let cache = "[cache]\nmax_lifetime = \"1h\"\nstale_on_disconnect = \"2h\"\n";
    assert_eq!(found(cache), [warning("cache.stale_on_disconnect", 5)]);
}

#[test]
fn memory_is_compared_with_what_the_system_has() {
    let with = |bytes: u64| System {
        memory: Some(Memory {
            bytes,
            is_container: true,
        }),
        ..System::unknown()
    };
    let text = "[cache.memory]\nmax = \"1TiB\"\n";
    assert_eq!(
        found_on(&with(1 << 30), text),
        [warning("cache.memory.max", 4)]
    );
    assert_eq!(found_on(&with(1 << 41), text), []);
    assert_eq!(
        found_on(&with(32 << 20), ""),
        [warning("cache.memory.max", 0)],
        "the default too"
    );
    let none = "[cache.memory]\nmax = 0\n";
    assert_eq!(found(none), [warning("cache.memory.max", 4)]);
}

#[test]
fn each_door_has_a_token_of_its_own() {
    let token = |key: &str, last: char| format!("{key} = \"0123456789abcde{last}\"\n");
    let [bypass, purge, admin] = ["bypass_token", "purge_token", "token"];
    let same = format!(
        "[cache]\n{}{}[admin]\n{}",
        token(bypass, 'f'),
        token(purge, 'f'),
        token(admin, 'f')
    );
    assert_eq!(
        found(&same),
        [warning("cache.purge_token", 5), warning("admin.token", 7)]
    );
    let others = format!(
        "[cache]\n{}{}[admin]\n{}",
        token(bypass, 'f'),
        token(purge, 'e'),
        token(admin, 'd')
    );
    assert_eq!(found(&others), []);
}

#[test]
fn an_upstream_on_this_machine_is_known_by_its_addresses_and_names() {
    let system = System {
        hostname: Some("box".to_owned()),
        hosts: vec![(IpAddr::from([127, 0, 0, 1]), "me".to_owned())],
        owns: |ip| ip == IpAddr::from([10, 0, 0, 1]),
        ..System::unknown()
    };
    let is_self = |listen: &str, url: &str| {
        let text = format!("[server]\nlisten = \"{listen}\"\n[upstream]\nurl = \"http://{url}\"\n");
        let config = Config::parse("proxy.toml", &text, &[], &|_| None);
        let advice = config
            .unwrap_or_else(|error| panic!("{error}"))
            .advice(&system);
        advice.count(Severity::Error) == 1
    };
    for (listen, url, expected) in [
        ("0.0.0.0:80", "10.0.0.1", true),
        ("0.0.0.0:80", "10.0.0.1:81", false),
        ("0.0.0.0:80", "10.0.0.2", false),
        ("127.0.0.1:80", "10.0.0.1", false),
        ("0.0.0.0:80", "Box", true),
        ("127.0.0.1:80", "box", false),
        ("127.0.0.1:80", "me", true),
        ("127.0.0.1:80", "me:9901", true),
        ("127.0.0.1:80", "me:9902", false),
        ("127.0.0.1:80", "other", false),
    ] {
        assert_eq!(is_self(listen, url), expected, "{listen} {url}");
    }
}
