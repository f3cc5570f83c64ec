use super::*;

fn patterns(names: &[&str]) -> Vec<ParameterPattern> {
    let parse = |name: &&str| ParameterPattern::parse(name).unwrap();
    names.iter().map(parse).collect()
}

fn only(names: &[&str]) -> CountedQuery {
    CountedQuery::new(Listed::Only(patterns(names)), false)
}

fn except(names: &[&str], sort: bool) -> CountedQuery {
    CountedQuery::new(Listed::Except(patterns(names)), sort)
}

fn sorted() -> CountedQuery {
    CountedQuery::new(Listed::All, true)
}

/// What is in the key; `-` for nothing.
fn counted(counted: &CountedQuery, query: &str) -> String {
    counted.of(Some(query)).map_or("-".into(), Cow::into_owned)
}

#[test]
fn only_listed_parameters_count_sorted() {
    let q = only(&["q", "page"]);
    for (query, expected) in [
        ("q=1&utm=x&page=2", "page=2&q=1"),
        ("utm=x", "-"),
        ("", "-"),
        ("q=1&q=2", "q=1&q=2"),
        ("q=2&q=1", "q=2&q=1"),
        ("q=1&%7=x&%zz=y&a+b=z", "q=1"),
        ("%71=1&x", "%71=1"),
        ("q&&page", "page&q"),
    ] {
        assert_eq!(counted(&q, query), expected, "{query}");
    }
    assert_eq!(q.of(None), None);
    assert_eq!(counted(&only(&["f_*"]), "f_b=1&x=2&f_a=3"), "f_a=3&f_b=1");
    assert_eq!(counted(&only(&[]), "a=1"), "-");
}

#[test]
fn a_name_that_others_read_as_a_listed_one_makes_the_query_count_as_a_whole() {
    for name in [
        "q[]",
        "q[0]",
        "q[x][y]",
        "q.x",
        "+q",
        "%20q",
        "q%00",
        "q%00x",
        "q+",
        "q%20",
        "Q",
        "q%5B%5D",
        "%2571",
        "q%5b0%5d",
        "%EF%BB%BFq",
        "q[",
        "?q",
        "%u0071",
        "q%3D1",
        "q%26x",
        "[q]",
        "%00q",
    ] {
        for spec in [only(&["q"]), except(&["q"], false), except(&["q"], true)] {
            let query = format!("z=1&{name}=evil&a=2");
            assert_eq!(counted(&spec, &query), query, "{spec:?}");
        }
    }
    for spec in [only(&["q"]), except(&["q"], true), sorted()] {
        assert_eq!(counted(&spec, "z=1;q=2&a=3"), "z=1;q=2&a=3");
    }
    for name in ["a.b", "a%20b", "a[b", "A_B"] {
        let query = format!("z=1&{name}=evil&a=2");
        assert_eq!(counted(&only(&["a_b"]), &query), query);
        assert_eq!(counted(&except(&["a_*"], false), &query), query);
    }
}

#[test]
fn what_is_listed_with_brackets_is_a_name_too() {
    let page = only(&["page[size]", "filter[*]"]);
    for (query, expected) in [
        ("x=1&page[size]=5&filter[a]=1", "filter[a]=1&page[size]=5"),
        ("page%5Bsize%5D=5&x", "page%5Bsize%5D=5"),
        ("x=1&page=9", "x=1&page=9"),
        ("x=1&page[number]=9", "x=1&page[number]=9"),
    ] {
        assert_eq!(counted(&page, query), expected);
    }
}

#[test]
fn all_but_the_listed_parameters_count() {
    let spec = except(&["utm_*", "gclid"], false);
    for (query, expected) in [
        ("b=2&a=1&utm_source=x", "b=2&a=1"),
        ("utm_source=x&gclid", "-"),
        ("gclid2=1", "gclid2=1"),
        ("filter[a]=1&utm_medium=x&q=a%20b", "filter[a]=1&q=a%20b"),
        ("", "-"),
    ] {
        assert_eq!(counted(&spec, query), expected, "{query}");
    }
}

/// Who decodes less reads another name.
#[test]
fn what_is_left_out_is_spelt_as_it_is_listed() {
    let spec = except(&["utm_*", "a[b]"], false);
    for query in [
        "x=1&utm%5Fsource=y",
        "x=1&utm_a%26q=evil",
        "x=1&a%5Bb%5D=2",
        "x=1&utm_[q]=2",
    ] {
        assert_eq!(counted(&spec, query), query);
    }
    assert_eq!(counted(&spec, "x=1&a[b]=2"), "x=1");
}

#[test]
fn equal_names_keep_their_order_where_the_others_are_sorted() {
    for (query, expected) in [
        ("b=2&a=1", "a=1&b=2"),
        ("b=2&a=1&b=1&a=0", "a=1&a=0&b=2&b=1"),
        ("q=1&q[]=2&a=3", "a=3&q=1&q[]=2"),
        ("q[]=2&q=1&a=3", "a=3&q[]=2&q=1"),
        ("q=1&Q=2&a=3", "a=3&q=1&Q=2"),
        ("Q=2&q=1&a=3", "a=3&Q=2&q=1"),
        ("b.c=1&a=2", "a=2&b.c=1"),
        ("b_c=1&b.c=2&a=3", "b_c=1&b.c=2&a=3"),
        ("filter[b]=1&filter[a]=2&a", "a&filter[b]=1&filter[a]=2"),
    ] {
        assert_eq!(counted(&sorted(), query), expected);
    }
    let both = except(&["utm_*"], true);
    assert_eq!(counted(&both, "b=2&utm_source=x&a=1"), "a=1&b=2");
}

#[test]
fn what_looks_like_a_credential_always_counts() {
    assert_eq!(
        counted(&only(&["q"]), "q=1&api_key=alice&x=2"),
        "api_key=alice&q=1"
    );
    assert_eq!(counted(&only(&[]), "token[]=alice"), "token[]=alice");
    let all = except(&["*"], false);
    assert_eq!(
        counted(&all, "a=1&X-Amz-Signature=s&b"),
        "X-Amz-Signature=s"
    );
    assert!(only(&[]).counts("session_id") && !only(&[]).counts("page"));
}

#[test]
fn more_parameters_than_anybody_needs_count_as_a_whole() {
    let query = |count: usize| vec!["utm_a=1"; count].join("&");
    let spec = except(&["utm_*"], true);
    assert_eq!(counted(&spec, &query(MOST_PARAMETERS)), "-");
    let more = query(MOST_PARAMETERS + 1);
    assert_eq!(counted(&spec, &more), more);
}

#[test]
fn what_counts_counts_as_it_is_when_it_is_read_again() {
    let specs = [only(&["q", "a_b"]), except(&["utm_*", "a"], true), sorted()];
    for query in [
        "q=1&a.b=2&x",
        "utm_x=1&b&a=2",
        "z&Y&y&x[]&x",
        "a_b=1&q&token=2",
    ] {
        for spec in &specs {
            let once = counted(spec, query);
            assert_eq!(counted(spec, &once), once, "{spec:?} {query}");
        }
    }
}
