//! What nobody should write: it must neither panic nor give a secret away.

use super::*;

#[test]
fn no_problem_shows_a_secret() {
    const SECRET: &str = "hunter2";
    let cases = [
        "[cache]\nbypass_token = \"hunter2\"",
        "[cache]\nbypass_token = [\"hunter2\"]",
        "[cache]\nbypass_token = hunter2",
        "[cache]\nbypass_token = \"hunter2",
        "[cache]\nbypass_token = \"hunter2hunter2\\q\"",
        "[cache]\nbypass_token = \"\"\"\nhunter2\\q\"\"\"",
        "[cache]\nbypass_token \"hunter2\"",
        "[cache]\nbypass-token = \"hunter2hunter2\"",
        "[cache]\nbypass_toke = \"hunter2hunter2\"",
        "[cache]\nbypass_token = \"${HUNTER}hunter2\"",
        "[cash]\nbypass_token = \"hunter2\"",
        "cache = { bypass_token = \"hunter2\", max = 1 }",
        "[cache.redis]\nurl = \"redis://:hunter2@\"",
        "[cache.redis]\nurl = \"redis://:hunter2\"",
        "[cache.redis]\nurl = \"redis://hunter2:x\"",
        "[cache.redis]\nurl = \"rediss://u:hunter2@redis\"",
        "[cache.redis]\nurl = \"redis://u:hunter2@redis",
        "[cache.redis]\nurl = \"redis://:hunter2",
        "[cache.redis]\nurl = redis://u:hunter2@redis",
        "[cache.redis]\nurl = \"redis://u:hunter2@redis/x\"",
        "[cache.redis]\nurl = \"redis://u:hunter2@${NO_HOST}\"",
        "[cache.redis]\nurl = [\"redis://u:hunter2@redis\"]",
        "[cache.redis]\nurl = \"unix:///s?pass=hunter2&db=x\"",
        "[cache.redis]\nulr = \"redis://u:hunter2@redis\"",
        "[cache]\nredis = \"redis://u:hunter2@redis\"",
        "redis = \"redis://u:hunter2@redis\"",
        "[upstream]\nurl = \"http://u:hunter2@127.0.0.1\"",
        "[upstream]\nurl = \"u:hunter2@127.0.0.1\"",
    ];
    for text in cases {
        let error = parse(text, &[]).unwrap_err();
        for shown in [error.to_string(), error.render(true), format!("{error:?}")] {
            assert!(!shown.contains(SECRET), "{text}\n{shown}");
        }
        // The same as an argument.
        let argument = match text.split_once("]\n") {
            Some((section, line)) => format!("{}.{line}", &section[1..]),
            None => text.to_owned(),
        };
        let shown = parse("", &[&argument]).unwrap_err().to_string();
        assert!(!shown.contains(SECRET), "{argument}\n{shown}");
    }
    // Nor what the environment says.
    let env = |name: &str| (name == "SECRET").then(|| "redis://u:hunter2@redis:x".to_owned());
    for key in [
        "cache.redis.url",
        "upstream.url",
        "upstream.timeout",
        "server.listen",
        "log.level",
    ] {
        let set = [format!("{key}=${{SECRET}}")];
        let shown = Config::parse("proxy.toml", MINIMAL, &set, &env)
            .unwrap_err()
            .to_string();
        assert!(!shown.contains(SECRET), "{key}\n{shown}");
    }
}

/// Mutations of a valid file: whatever they are, they are read or explained.
#[test]
fn nothing_that_is_written_panics() {
    const PIECES: [&str; 24] = [
        "[",
        "]",
        "[[",
        "=",
        "\"",
        "'",
        "\"\"\"",
        "{",
        "}",
        "${",
        "$${",
        "\n",
        "\r\n",
        "\t",
        "#",
        ".",
        "é",
        "日本",
        "\u{feff}",
        "\u{0}",
        "\u{202e}",
        "-1",
        "99999999999999999999999999",
        "= \"\\u00\"",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below.max(1) as u64).expect("it is below a usize")
    };
    for round in 0..4_000 {
        let mut bytes = FULL.as_bytes().to_vec();
        for _ in 0..=random(6) {
            let at = random(bytes.len());
            let end = (at + random(40)).min(bytes.len());
            match random(5) {
                0 => drop(bytes.drain(at..end)),
                1 if at < bytes.len() => {
                    bytes[at] = u8::try_from(random(256)).expect("it is below 256")
                }
                2 => drop(bytes.splice(at..at, PIECES[random(PIECES.len())].bytes())),
                3 => bytes.truncate(at.max(1)),
                _ => {
                    let copy = bytes[at..end].to_vec();
                    let to = random(bytes.len());
                    drop(bytes.splice(to..to, copy));
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().nth(random(40)).unwrap_or_default();
        let set: &[&str] = match round % 3 {
            0 => &[],
            1 => &[line],
            _ => &[&format!("cache.{line}")],
        };
        if let Err(error) = parse(&text, set) {
            assert!(error.to_string().contains(" in "), "{text}");
            assert!(!error.render(true).is_empty(), "{text}");
        }
    }
}

#[test]
fn what_is_written_twice_is_explained() {
    for twice in [
        "[a]",
        "[\"a]b\"]",
        "[ a ]",
        "[[a]]\n[a]",
        "a.b = 1",
        "[a.b]\n[a]\nb = 1",
        "\"é\"=1",
    ] {
        let text = said(&format!("{twice}\n{twice}\n"), &[]);
        assert!(text.contains("error: "), "{twice}");
    }
}

/// Each of these once took minutes, or could: the size of a file is bounded, and so is its work.
#[test]
fn large_files_take_no_more_time_than_they_should() {
    for piece in [
        "://",
        "bypass_tokex ",
        "token=1\n",
        "[",
        "=\n",
        "a.",
        "\"\"\"",
        "${A",
        "\0",
    ] {
        let text = format!("{MINIMAL}x = \"{}", piece.repeat((200 << 10) / piece.len()));
        assert!(!said(&text, &[]).is_empty());
        let text = format!("{MINIMAL}{}", piece.repeat((200 << 10) / piece.len()));
        assert!(!said(&text, &[]).is_empty());
    }
    let line = |number| format!("k{number} = -1\nk{number} = -1\n");
    let text: String = (0..5_000).map(line).collect();
    assert!(
        said(&format!("{MINIMAL}[ttl]\n{text}"), &[]).ends_with("10000 problems in proxy.toml")
    );
}
