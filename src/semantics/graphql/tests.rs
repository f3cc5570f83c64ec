use super::*;
use http::{HeaderValue, header::CONTENT_TYPE};
use proptest::prelude::*;

fn fields(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}

fn typed(media_type: &'static str, content: &str) -> Reading {
    let headers = fields(&[(CONTENT_TYPE, media_type)]);
    reading(&headers, None, content.as_bytes())
}

fn json(content: &str) -> Reading {
    typed("application/json", content)
}

fn document(text: &str) -> Reading {
    let direct = typed("application/graphql", text);
    let request = serde_json::json!({ "query": text }).to_string();
    assert_eq!(json(&request), direct, "{text:?}");
    direct
}

#[test]
fn documents_with_nothing_but_queries_are_read() {
    for text in [
        "{a}",
        "query{a}",
        "query One { a }",
        "query One($x: [Int!]! = [1, -2.5e3] @d) @live(if: true) { a(x: $x) { ...F b: c @skip(if: $y) } }",
        "fragment F on T @d(x: 1) { mutation subscription } query { ...F ... on M { b } }",
        "fragment F($x: Int = 1) on T { a } {...F}",
        "query One { a } query Two { b }",
        "# mutation { a }\r\n{ a # subscription\n}",
        "{ a(text: \"} mutation { b }\") }",
        "{ a(text: \"\\\" } mutation { b \\\\\", c: {d: \"\\u0041\\n\"}) }",
        "{ a(text: \"\"\"\n} mutation { b }\n\"\"\") }",
        "{ a(text: \"\", b: \"\"\"\"\"\") { mutation } }",
        "query ($m: T) { a(x: mutation) }",
        ",,{ \t a(x: \"ü ＋\") } # ü",
    ] {
        assert_eq!(document(text), Reading::Queries, "{text:?}");
    }
}

#[test]
fn a_document_with_anything_else_is_doubtful() {
    for text in [
        "mutation { a }",
        "mutation M { a }",
        "subscription { a }",
        "query One { a } mutation Two { b }",
        "mutation Two { b } query One { a }",
        "{ a } fragment F on T { b } subscription { c }",
        "#\n mutation{a}",
        "query mutation { a }",
        "fragment subscription on T { a } { a }",
        "type T { a: Int }",
        "extend type T { a: Int } { a }",
        "fragment F on T { a }",
        "\"it reads\" query { a }",
        "shoes",
        "",
        "Query { a }",
    ] {
        assert_eq!(document(text), Reading::Doubtful, "{text:?}");
    }
}

#[test]
fn what_cannot_be_read_is_doubtful() {
    for text in [
        "{ a",
        "{ a } }",
        "{ a(x: [1) }",
        "query",
        "query One",
        "query One Two { a }",
        "query @d",
        "{ a(x: \"\n\") }",
        "{ a(x: \"",
        "{ a(x: \"\"\"",
        "{ a(x: \"\\x\") }",
        "{ a(x: \"\\u00\") }",
        "{ a(x: 'b') }",
        "{ ä }",
        "{ a ; }",
        "{a} 1",
    ] {
        assert_eq!(document(text), Reading::Doubtful, "{text:?}");
    }
}

/// Where a comment or a string ends has changed, and some servers are old.
#[test]
fn what_servers_end_somewhere_else_is_doubtful() {
    for text in [
        "{ a } # \r mutation { b }",
        "{ a } # \u{2028} mutation { b }",
        "{ a } # \u{2029} mutation { b }",
        "{ a } # \u{85} mutation { b }",
        "{ a } # \u{b} mutation { b }",
        "{ a } # \0 mutation { b }",
        "\u{feff}{ a }",
        "{ a(x: [\"\"\" \"])} mutation M { b(y: [\" \"\"\"]) }",
        "{ a(x: \"\"\" \\\"\"\" \"\"\") }",
        "{ a(x: \"\"\"b\"\"\"\") }",
    ] {
        assert_eq!(document(text), Reading::Doubtful, "{text:?}");
    }
}

#[test]
fn no_nesting_is_too_deep() {
    let (open, close) = ("{a".repeat(30_000), "}".repeat(30_000));
    assert_eq!(document(&open), Reading::Doubtful);
    assert_eq!(document(&(open + &close)), Reading::Queries);
    assert_eq!(json(&"[".repeat(60_000)), Reading::Doubtful);
    let nested = "[".repeat(100) + &"]".repeat(100);
    assert_eq!(json(&nested), Reading::Other);
}

#[test]
fn a_request_has_the_usual_members_and_no_others() {
    for content in [
        r#"{"query": "{a}"}"#,
        r#" {"query": "{a}", "operationName": "A", "variables": {"query": "mutation {b}", "id": 1}}"#,
        r#"{"query": "{a}", "operationName": null, "variables": null, "extensions": null}"#,
        r#"{"query": "{a}", "extensions": {"clientLibrary": {"name": "a"}}}"#,
        r#"{"qu\u0065ry": "\u007ba}"}"#,
    ] {
        assert_eq!(json(content), Reading::Queries, "{content}");
    }
    for content in [
        r#"{"query": "mutation {a}"}"#,
        r#"{"query": "\u006dutation {a}"}"#,
        r#"{"query": "{a}", "id": "b"}"#,
        r#"{"query": "{a}", "mutation": "{b}"}"#,
        r#"{"query": "{a}", "anything": 1}"#,
        r#"{"query": "shoes"}"#,
        r#"{"query": null}"#,
        r#"{"query": ["mutation {a}"]}"#,
        r#"{"query": 1}"#,
    ] {
        assert_eq!(json(content), Reading::Doubtful, "{content}");
    }
}

#[test]
fn a_persisted_query_is_doubtful() {
    let persisted = r#""extensions": {"persistedQuery": {"version": 1, "sha256Hash": "a"}}"#;
    for content in [
        format!("{{{persisted}}}"),
        format!("{{\"operationName\": \"A\", {persisted}}}"),
        format!("{{\"query\": \"{{a}}\", {persisted}}}"),
        r#"{"query": "{a}", "extensions": {"PersiſtedQuery": {}}}"#.to_owned(),
        r#"{"query": "{a}", "extensions": {"documentId": "a"}}"#.to_owned(),
        r#"{"query": "{a}", "extensions": "{}"}"#.to_owned(),
        r#"{"id": "a"}"#.to_owned(),
        r#"{"id": "a", "variables": {}}"#.to_owned(),
        r#"{"documentId": "a"}"#.to_owned(),
        r#"{"doc_id": 1}"#.to_owned(),
        r#"{"operationName": "A", "variables": {}}"#.to_owned(),
    ] {
        assert_eq!(json(&content), Reading::Doubtful, "{content}");
    }
}

/// Go and .NET do not tell the case of letters apart, parsers differ in which of two members of one name they take, and those in C
/// read a name up to a zero.
#[test]
fn members_that_some_read_otherwise_are_doubtful() {
    for content in [
        r#"{"query": "{a}", "query": "mutation {a}"}"#,
        r#"{"query": "mutation {a}", "query": "{a}"}"#,
        r#"{"query": "{a}", "qu\u0065ry": "{a}"}"#,
        r#"{"query": "{a}", "Query": "mutation {a}"}"#,
        r#"{"QUERY": "{a}"}"#,
        r#"{" query": "{a}"}"#,
        r#"{"query\u0000": "mutation {a}"}"#,
        r#"{"VARIABLES": {}}"#,
        r#"{"variableſ": {}}"#,
        r#"{"a": 1, "A": 2}"#,
        r#"{"query": "{a}", "extensions": {"a": 1, "a": 2}}"#,
        r#"{"_method": "DELETE"}"#,
    ] {
        assert_eq!(json(content), Reading::Doubtful, "{content}");
    }
}

#[test]
fn a_batch_is_of_queries_alone() {
    let (query, mutation) = (r#"{"query": "{a}"}"#, r#"{"query": "mutation {a}"}"#);
    let batch = |requests: &[&str]| json(&format!("[{}]", requests.join(",")));
    assert_eq!(batch(&[query]), Reading::Queries);
    assert_eq!(batch(&[query, query]), Reading::Queries);
    for requests in [
        &[mutation][..],
        &[query, mutation],
        &[mutation, query],
        &[query, "{}"],
        &["1", mutation],
        &["\"mutation {a}\""],
    ] {
        assert_eq!(batch(requests), Reading::Doubtful, "{requests:?}");
    }
    assert_eq!(json(&format!("[[{mutation}]]")), Reading::Doubtful);
    assert_eq!(json(&format!("{query}\n{query}")), Reading::Doubtful);
    assert_eq!(json(&format!("{{}}\n{mutation}")), Reading::Doubtful);
}

#[test]
fn other_content_is_what_the_operator_says() {
    for (media_type, content) in [
        (
            "application/json",
            r#"{"q": "shoes", "filters": {"id": 1, "query": "mutation {a}"}}"#,
        ),
        (
            "application/json",
            r#"{"query": {"match": {"a": "b"}}, "size": 10}"#,
        ),
        ("application/json", "[1, {\"a\": null}, true]"),
        ("application/json", "[]"),
        (
            "application/x-ndjson",
            "{\"index\": \"a\"}\n{\"query\": {\"match_all\": {}}}\n",
        ),
        (
            "application/x-www-form-urlencoded",
            "query=shoes&id=5&page=2",
        ),
        ("application/x-www-form-urlencoded", ""),
        (
            "application/xml; charset=\"UTF-8\"",
            "<search>mutation</search>",
        ),
        ("text/plain", "shoes"),
        ("application/octet-stream", "\u{1}\u{2}{"),
    ] {
        assert_eq!(typed(media_type, content), Reading::Other, "{content}");
    }
    assert_eq!(reading(&HeaderMap::new(), None, b""), Reading::Other);
}

#[test]
fn more_parameters_than_are_read_are_doubtful() {
    let form = |count| typed("application/x-www-form-urlencoded", &"a=1&".repeat(count));
    assert_eq!(form(999), Reading::Other);
    assert_eq!(form(1000), Reading::Doubtful);
}

#[test]
fn what_type_it_says_does_not_hide_an_operation() {
    let request = r#"{"query": "mutation {a}"}"#;
    for (media_type, content) in [
        ("text/plain", request),
        ("application/x-www-form-urlencoded", request),
        ("application/graphql", request),
        ("text/plain", "mutation {a}"),
        ("text/plain", "\u{feff}{\"query\": \"{a}\"}"),
        ("text/plain", "{a}"),
        ("application/x-www-form-urlencoded", "query=mutation%7Ba%7D"),
        (
            "application/x-www-form-urlencoded",
            "a=1&+Query%5B0%5D=mutation{a}",
        ),
        ("application/x-www-form-urlencoded", "a=1;query=%25%37%42a"),
        ("application/x-www-form-urlencoded", "a=1&documentId=b"),
        ("application/x-www-form-urlencoded", "_method=DELETE"),
        (
            "application/x-www-form-urlencoded",
            r#"{"query": "{a(x: \"&query=mutation{b}&\")}"}"#,
        ),
        (
            "application/x-www-form-urlencoded",
            r#"{"a": "&query=mutation{b}&"}"#,
        ),
        ("multipart/form-data; boundary=a", "--a--"),
        ("application/json; a=multipart/form-data", "{}"),
        ("application/x-www-form-urlencoded+json", "{}"),
        ("application/json, text/plain", "{}"),
        ("application/graphql", "{}"),
    ] {
        assert_eq!(typed(media_type, content), Reading::Doubtful, "{content}");
    }
}

#[test]
fn what_is_not_certainly_utf_8_is_doubtful() {
    let of = |lines: &[(HeaderName, &'static str)], content: &[u8]| {
        reading(&fields(lines), None, content)
    };
    let (json, query) = (
        (CONTENT_TYPE, "application/json"),
        &br#"{"query":"{a}"}"#[..],
    );
    assert_eq!(
        of(&[(CONTENT_TYPE, "Application/JSON; Charset=UTF-8")], query),
        Reading::Queries
    );
    assert_eq!(of(std::slice::from_ref(&json), query), Reading::Queries);
    for media_type in [
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "application/json; charset=utf-8; charset=utf-7",
        "application/json; charset =utf-7",
        "application/graphql; charset=utf-7",
        "text/xml; charset=latin1",
    ] {
        assert_eq!(
            of(&[(CONTENT_TYPE, media_type)], query),
            Reading::Doubtful,
            "{media_type}"
        );
    }
    for coding in ["gzip", "identity", ""] {
        let coded = [json.clone(), (CONTENT_ENCODING, coding)];
        assert_eq!(of(&coded, query), Reading::Doubtful, "{coding}");
    }
    assert_eq!(of(&[json.clone(), json.clone()], query), Reading::Doubtful);
    let wide: Vec<u8> = query.iter().flat_map(|byte| [0, *byte]).collect();
    let marked = [&b"\xef\xbb\xbf"[..], query].concat();
    for content in [
        &wide[..],
        &marked,
        b"{\"query\":\"{a #\xff}\"}",
        b"",
        b" ",
        b"1",
    ] {
        assert_eq!(
            of(std::slice::from_ref(&json), content),
            Reading::Doubtful,
            "{content:?}"
        );
    }
    let graphql = [(CONTENT_TYPE, "application/graphql")];
    assert_eq!(of(&graphql, b"{a #\xff\n}"), Reading::Doubtful);
}

/// express-graphql takes `query` of the URL before that of the content.
#[test]
fn the_url_may_hold_the_operation() {
    let headers = fields(&[(CONTENT_TYPE, "application/json")]);
    let of = |query, content: &str| reading(&headers, Some(query), content.as_bytes());
    let request = r#"{"query": "{a}"}"#;
    for query in ["", "a=1", "operationName=A", "_=1&querying=mutation%7B"] {
        assert_eq!(of(query, request), Reading::Queries, "{query}");
        assert_eq!(of(query, "{}"), Reading::Other, "{query}");
    }
    for query in [
        "query=mutation{a}",
        "a&QUERY=mutation%7Ba}",
        "query[]=%257B",
        "extensions=%7B%22persistedQuery%22:1}",
        "documentId=a",
        "_method=PUT",
    ] {
        assert_eq!(of(query, request), Reading::Doubtful, "{query}");
        assert_eq!(of(query, "{}"), Reading::Doubtful, "{query}");
    }
    for query in ["query=shoes", "id=5"] {
        assert_eq!(of(query, request), Reading::Doubtful, "{query}");
        assert_eq!(of(query, "{}"), Reading::Other, "{query}");
    }
}

#[test]
fn another_method_is_doubtful() {
    for name in OTHER_METHODS.into_iter().chain(["x_http_method_override"]) {
        let headers = fields(&[(HeaderName::from_static(name), "PUT")]);
        assert_eq!(reading(&headers, None, b""), Reading::Doubtful, "{name}");
    }
}

/// Selections without what a document can end in.
fn selection() -> impl Strategy<Value = String> {
    let leaf = "[a-z_]{1,8}|a\\(x: \"([a-z {}()#]|\\\\\"|\\\\\\\\){0,9}\"\\)|#[a-z {}\"]{0,9}\n a|b: c @d\\(if: true\\)|\\.\\.\\.F|a\\(x: \"\"\"[a-z{}\n]{0,9}\"\"\"\\)";
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop::collection::vec(inner, 1..4).prop_map(|all| format!("a {{ {} }}", all.join(" ")))
    })
}

fn definition() -> impl Strategy<Value = String> {
    let head = "|query|query One|query Two\\(\\$x: \\[Int!\\] = \\[1\\]\\) @a\\(b: \"mutation \\{\"\\)|fragment F on T";
    (head, selection()).prop_map(|(head, selection)| format!("{head} {{ {selection} }}\n"))
}

proptest! {
    #[test]
    fn documents_of_queries_are_read(definitions in prop::collection::vec(definition(), 0..4)) {
        let text = definitions.concat() + "{ a }";
        prop_assert_eq!(document(&text), Reading::Queries);
    }

    #[test]
    fn with_a_mutation_among_them_they_are_not(
        definitions in prop::collection::vec(definition(), 0..4),
        at in any::<prop::sample::Index>(),
        word in "mutation|subscription|mutation M|subscription S\\(\\$x: Int\\)",
        selection in selection(),
    ) {
        let mut all = definitions;
        all.push("{ a }\n".to_owned());
        all.insert(at.index(all.len() + 1), format!("{word} {{ {selection} }}\n"));
        prop_assert_eq!(document(&all.concat()), Reading::Doubtful);
    }

    /// Whatever it is made of, a server that splits it into the same tokens finds no operation of another kind at its top.
    #[test]
    fn no_text_with_the_word_at_its_top_is_read(
        before in prop::collection::vec(pieces(), 0..8),
        after in prop::collection::vec(pieces(), 0..8),
    ) {
        let text = format!("{} mutation {}", before.concat(), after.concat());
        let is_top = before.iter().all(|piece| !piece.contains(['{', '(', '[', '"', '#']));
        if is_top {
            prop_assert_eq!(document(&text), Reading::Doubtful);
        }
    }

    #[test]
    fn nothing_panics(
        media_type in "|application/(json|graphql|x-www-form-urlencoded)|text/plain; charset=(utf-8|x)",
        query in "(query|id|_method|%|&|=|;|\\{|\\PC){0,9}",
        text in prop::collection::vec(pieces(), 0..20),
        bytes in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut headers = HeaderMap::new();
        if !media_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(&media_type).unwrap());
        }
        for content in [text.concat().as_bytes(), &bytes, &[b"{\"query\":", &bytes[..]].concat()] {
            let is_read = reading(&headers, Some(&query), content) == Reading::Queries;
            prop_assert!(!is_read || str::from_utf8(content).is_ok());
        }
    }
}

fn pieces() -> impl Strategy<Value = String> {
    "query|fragment F on T|mutation|\\{|\\}|\\(|\\)|\\[|\\]|\"|\"\"\"|\\\\|#|\n|\r|,|:|@|\\$|\\.\\.\\.|[a-z0-9]{1,3}|\\PC"
}
