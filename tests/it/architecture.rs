//! The layers, circles, the size of files and functions, and their names: what the compiler does not check in one package.
//!
//! Each list of exceptions shrinks: an exception that is no longer needed fails the test as well.

mod arrows;
mod circles;
mod exceptions;
mod floors;
mod source;
mod tests;

use std::collections::BTreeSet;

use self::{
    arrows::{Arrows, Tree},
    circles::{between_rooms, circles, room},
    exceptions::{CIRCLING, LONG, MANY_PARAMETERS},
    floors::{FLOORS, MAY_USE, ONLY_IN},
    source::{Source, all},
};

const MAX_FUNCTION: usize = 80;
const MAX_PARAMETERS: usize = 6;

/// Folder, the most lines of a file, and of the median file.
const SIZES: &[(&str, usize, usize)] = &[("src", 450, 160), ("tests", 500, 200)];

/// Fails where what is found and the list of exceptions differ, in either direction.
fn only<T: Ord + std::fmt::Debug>(what: &str, found: &BTreeSet<T>, exceptions: &BTreeSet<T>) {
    let new: Vec<_> = found.difference(exceptions).collect();
    assert!(new.is_empty(), "{what}: {new:#?}");
    let mended: Vec<_> = exceptions.difference(found).collect();
    assert!(
        mended.is_empty(),
        "no longer {what}; strike the exceptions: {mended:#?}"
    );
}

/// Whether a list of names, separated by spaces, has this one.
fn has(list: &str, name: &str) -> bool {
    list.split(' ').any(|listed| listed == name)
}

fn pairs(arrows: &Arrows) -> impl Iterator<Item = (&str, &str)> {
    let all = arrows.iter();
    all.flat_map(|(file, used)| used.iter().map(move |to| (file.as_str(), to.as_str())))
}

/// Each arrow that the table does not allow: file and top-level module.
fn upward(rooms: &Arrows) -> Vec<(&str, &str)> {
    let allowed = |from: &str, to: &str| {
        let (_, allowed) = (MAY_USE.iter())
            .find(|(name, _)| *name == from)
            .unwrap_or_else(|| panic!("{from} has no place in the layers: add it to MAY_USE"));
        from == to || has(allowed, to)
    };
    pairs(rooms)
        .filter(|(file, to)| !allowed(&room(file, 1), to))
        .collect()
}

/// Each arrow inside the room `name` that does not point to a lower floor.
fn against_the_floors<'a>(
    arrows: &'a Arrows,
    name: &str,
    floors: &[&str],
) -> Vec<(&'a str, &'a str)> {
    let floor = |part: &str| {
        let found = floors.iter().position(|floor| has(floor, part));
        found.unwrap_or_else(|| panic!("{part} has no place in {name}: add it to FLOORS"))
    };
    let part = |file: &str| {
        let room = room(file, 2);
        let (top, part) = room.split_once('/').unwrap_or((&room, "self"));
        (top == name).then(|| part.to_owned())
    };
    let wrong = |from: &str, to: &str| match (part(from), part(to)) {
        (Some(from), Some(to)) => from != to && floor(&from) >= floor(&to),
        _ => false,
    };
    pairs(arrows).filter(|(from, to)| wrong(from, to)).collect()
}

#[test]
fn every_module_uses_only_what_is_below_it() {
    let rooms = Tree::new(&all("src")).rooms();
    let wrong = upward(&rooms);
    assert!(wrong.is_empty(), "not allowed by MAY_USE: {wrong:#?}");
}

#[test]
fn inside_a_room_arrows_point_down() {
    let arrows = Tree::new(&all("src")).arrows();
    for (name, floors) in FLOORS {
        let wrong = against_the_floors(&arrows, name, floors);
        assert!(wrong.is_empty(), "not downward in {name}: {wrong:#?}");
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let arrows = Tree::new(&all("src")).arrows();
    let found = circles(&arrows);
    let files = found.iter().flatten().copied().collect();
    let exceptions = CIRCLING.iter().copied().collect();
    only(&format!("in a circle, of {found:#?}"), &files, &exceptions);
}

/// A room is a file with the folder of its name. What ties the files above is counted there.
#[test]
fn no_rooms_use_each_other_in_a_circle() {
    let mut arrows = Tree::new(&all("src")).arrows();
    let circling = |file: &String| CIRCLING.contains(&file.as_str());
    for (_, used) in arrows.iter_mut().filter(|(file, _)| circling(file)) {
        used.retain(|file| !circling(file));
    }
    for depth in 1..=4 {
        let rooms = between_rooms(&arrows, depth);
        let found = circles(&rooms);
        assert!(found.is_empty(), "rooms in a circle: {found:#?}");
    }
}

#[test]
fn the_semantics_are_pure() {
    const FORBIDDEN: &[&str] = &[
        "tokio",
        "hyper",
        "redis",
        "std::net",
        "std::fs",
        "std::env",
        "std::thread",
    ];
    let sources = all("src");
    let semantics = |file: &str| room(file, 1) == "semantics";
    for (file, path) in pairs(&Tree::new(&sources).outside()).filter(|(file, _)| semantics(file)) {
        let impure = FORBIDDEN
            .iter()
            .any(|forbidden| path.starts_with(forbidden));
        assert!(!impure, "{file}: {path}");
    }
    for source in sources.iter().filter(|source| semantics(&source.name())) {
        let clock = source.says(&["::", "now", "("]);
        assert!(!clock, "{}: time is an argument", source.name());
    }
}

#[test]
fn crates_are_named_only_where_they_belong() {
    for (file, path) in pairs(&Tree::new(&all("src")).outside()) {
        let named = path.split("::").next().unwrap_or_default();
        for (name, places) in ONLY_IN.iter().filter(|(name, _)| *name == named) {
            assert!(has(places, &room(file, 1)), "{file}: {name}");
        }
    }
}

#[test]
fn files_are_short_and_named_after_their_module() {
    for (folder, most, median) in SIZES {
        let sources = all(folder);
        for source in &sources {
            let (name, lines) = (source.name(), source.lines());
            assert!(lines <= *most, "{name}: {lines} lines, at most {most}");
            assert!(!name.ends_with("mod.rs"), "{name}: `foo.rs` beside `foo/`");
        }
        let mut lengths: Vec<usize> = sources.iter().map(Source::lines).collect();
        lengths.sort_unstable();
        let middle = lengths[lengths.len() / 2];
        assert!(
            middle <= *median,
            "{folder}: the median is {middle} lines, at most {median}"
        );
    }
}

#[test]
fn functions_are_short_and_take_few_parameters() {
    let (mut long, mut many) = (BTreeSet::new(), BTreeSet::new());
    for source in all("src") {
        for function in source.functions() {
            let place = (source.name(), function.name);
            if function.lines > MAX_FUNCTION {
                long.insert(place.clone());
            }
            if function.parameters > MAX_PARAMETERS {
                many.insert(place);
            }
        }
    }
    let owned = |list: &[(&str, &str)]| {
        let pairs = list
            .iter()
            .map(|(file, name)| ((*file).to_owned(), (*name).to_owned()));
        pairs.collect()
    };
    only("over 80 lines", &long, &owned(LONG));
    only("over 6 parameters", &many, &owned(MANY_PARAMETERS));
}

#[test]
fn nothing_is_left_undone() {
    for source in all("src").into_iter().chain(all("tests")) {
        for word in ["todo", "unimplemented", "dbg"] {
            let undone = source.text.contains(&format!("{word}!("));
            assert!(!undone, "{}: {word}", source.name());
        }
        let ignored = ["#[", "ignore"].concat();
        let is_ignored = source.text.contains(&ignored);
        assert!(!is_ignored, "{}: an ignored test", source.name());
    }
}
