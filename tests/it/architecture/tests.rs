//! The checks can fail: small sources, made up, with what each of them is to find.

use super::{
    against_the_floors,
    arrows::{Arrows, Tree},
    circles::{between_rooms, circles},
    floors::FLOORS,
    only,
    source::Source,
    upward,
};

fn tree(files: &[(&str, &str)]) -> Tree {
    let sources: Vec<Source> = (files.iter())
        .map(|(path, text)| Source::new(*path, *text))
        .collect();
    Tree::new(&sources)
}

fn arrows(files: &[(&str, &str)]) -> Arrows {
    tree(files).arrows()
}

fn used<'a>(arrows: &'a Arrows, file: &str) -> Vec<&'a str> {
    arrows[file].iter().map(String::as_str).collect()
}

#[test]
fn an_upward_arrow_is_found_in_braces_and_in_a_type() {
    for text in [
        "use crate::{semantics::Key, server::{Server, io}};",
        "fn f(x: crate::server::Settings) {}",
        "use crate::server; fn f(x: server::Settings) {}",
    ] {
        let rooms = tree(&[("store.rs", text)]).rooms();
        assert_eq!(upward(&rooms), [("store.rs", "server")], "{text}");
    }
}

#[test]
fn an_upward_arrow_is_found_behind_a_re_export() {
    let rooms = tree(&[
        ("admin.rs", "use crate::config::Settings;"),
        ("config.rs", "pub use crate::app::Settings;"),
        ("app.rs", "pub struct Settings;"),
    ])
    .rooms();
    let found = upward(&rooms);
    assert!(found.contains(&("admin.rs", "config")), "{found:?}");
    assert!(found.contains(&("admin.rs", "app")), "{found:?}");
}

#[test]
#[should_panic(expected = "has no place in the layers")]
fn a_module_without_a_place_is_found() {
    upward(&tree(&[("attic.rs", "use crate::store::Entry;")]).rooms());
}

#[test]
fn an_arrow_against_the_floors_of_a_room_is_found() {
    let (_, floors) = FLOORS.iter().find(|(name, _)| *name == "store").unwrap();
    let arrows = arrows(&[
        ("store.rs", "mod entry; mod tiered;"),
        (
            "store/tiered.rs",
            "use super::entry::Entry; pub struct Store;",
        ),
        (
            "store/entry.rs",
            "use super::tiered::Store; pub struct Entry;",
        ),
    ]);
    let found = against_the_floors(&arrows, "store", floors);
    assert_eq!(found, [("store/entry.rs", "store/tiered.rs")]);
}

#[test]
fn a_circle_of_three_files_is_found() {
    let arrows = arrows(&[
        ("store.rs", "mod a; mod b; mod c;"),
        ("store/a.rs", "use super::b::B; pub struct A;"),
        ("store/b.rs", "use super::c; pub struct B(c::C);"),
        ("store/c.rs", "pub struct C(crate::store::a::A);"),
    ]);
    assert_eq!(
        circles(&arrows),
        [["store/a.rs", "store/b.rs", "store/c.rs"]]
    );
}

#[test]
fn a_child_that_uses_a_name_of_its_parent_is_a_circle() {
    let parent = "mod child; pub struct Whole; fn f() { child::run() }";
    let arrows = arrows(&[
        ("store.rs", parent),
        ("store/child.rs", "use super::Whole; pub fn run() {}"),
    ]);
    assert_eq!(circles(&arrows), [["store.rs", "store/child.rs"]]);
}

#[test]
fn a_parent_that_only_declares_or_hands_on_is_in_no_circle() {
    let arrows = arrows(&[
        ("store.rs", "mod a; mod b; pub use self::{a::A, b::*};"),
        ("store/a.rs", "use super::B; pub struct A;"),
        ("store/b.rs", "pub struct B;"),
    ]);
    assert_eq!(used(&arrows, "store/a.rs"), ["store/b.rs"]);
    assert!(circles(&arrows).is_empty());
}

#[test]
fn what_only_tests_use_and_comments_say_is_no_arrow() {
    let text = "/// [`crate::app::App`]\nfn f() -> char { '\"' }
        #[cfg(test)]
        #[expect(dead_code, reason = \"it is\")]
        pub(crate) fn sample() -> crate::app::App { todo() }
        #[cfg(test)]\nmod tests { use crate::app::App; }
        const TEXT: &str = r#\"crate::app::App \"\"#;";
    let arrows = arrows(&[
        ("store.rs", text),
        ("store/tests.rs", "use crate::app::App;"),
        ("app.rs", "pub struct App;"),
    ]);
    assert!(arrows["store.rs"].is_empty(), "{arrows:?}");
    assert!(!arrows.contains_key("store/tests.rs"));
}

#[test]
fn a_circle_of_rooms_without_a_circle_of_files_is_found() {
    let arrows = arrows(&[
        ("store.rs", "mod a; mod b;"),
        ("store/a.rs", "mod low; use super::b::B;"),
        ("store/a/low.rs", "pub struct Low;"),
        ("store/b.rs", "use super::a::low::Low; pub struct B;"),
    ]);
    assert!(circles(&arrows).is_empty());
    let rooms = between_rooms(&arrows, 2);
    assert_eq!(circles(&rooms), [["store/a", "store/b"]]);
}

#[test]
fn a_long_function_and_one_with_many_parameters_are_found() {
    let body = "    work();\n".repeat(79);
    let text = format!(
        "trait T {{ fn none(&self); }}\nfn long() {{\n{body}}}
        fn many<F: Fn(u8) -> u8>(&self, a: Map<K, V>, b: [u8; 2], (c, d): (u8, u8), e: F,) {{}}"
    );
    let functions = Source::new("a.rs", text).functions();
    let found: Vec<_> = (functions.iter())
        .map(|f| (f.name.as_str(), f.lines, f.parameters))
        .collect();
    assert_eq!(found, [("long", 81, 0), ("many", 1, 5)]);
}

#[test]
fn a_crate_is_told_from_a_module_of_the_same_name() {
    let named = |text| {
        let outside = tree(&[("a.rs", text)]).outside();
        outside["a.rs"].iter().any(|path| path.starts_with("redis"))
    };
    assert!(named("use redis::Value;"));
    assert!(named("use {redis as other};"));
    assert!(named("fn f(x: ::redis::Value) {}"));
    assert!(!named("use crate::store::{self, redis::Tier};"));
    assert!(!named("use crate::store::redis; fn f(x: redis::Tier) {}"));
    assert!(!named("mod redis; fn f(x: redis::Tier) {}"));
    assert!(!named("// redis::Value\n"));
}

#[test]
#[should_panic(expected = "in a circle: [\n    \"b.rs\",\n]")]
fn a_new_exception_fails() {
    only("in a circle", &["a.rs", "b.rs"].into(), &["a.rs"].into());
}

#[test]
#[should_panic(expected = "no longer in a circle")]
fn an_exception_that_is_no_longer_needed_fails() {
    only("in a circle", &["a.rs"].into(), &["a.rs", "b.rs"].into());
}
