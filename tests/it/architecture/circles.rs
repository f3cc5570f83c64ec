//! Which files, or rooms of files, use each other in a circle.

use std::collections::BTreeSet;

use super::arrows::Arrows;

/// The groups of two and more that all reach each other.
pub(super) fn circles(arrows: &Arrows) -> Vec<Vec<&str>> {
    let mut found: Vec<Vec<&str>> = Vec::new();
    for start in arrows.keys() {
        if found.iter().flatten().any(|known| known == start) {
            continue;
        }
        let below = reach(arrows, start);
        let back = |file: &&&str| reach(arrows, file).contains(start.as_str());
        let circle: Vec<&str> = below.iter().filter(back).copied().collect();
        if circle.len() > 1 {
            found.push(circle);
        }
    }
    found
}

/// All that `start` uses, straight or through others.
fn reach<'a>(arrows: &'a Arrows, start: &str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut next = vec![start];
    while let Some(file) = next.pop() {
        for used in arrows.get(file).into_iter().flatten() {
            if seen.insert(used.as_str()) {
                next.push(used);
            }
        }
    }
    seen
}

/// The same arrows between rooms: `depth` segments of the path name a room, and `foo.rs` is the story of `foo/`.
pub(super) fn between_rooms(arrows: &Arrows, depth: usize) -> Arrows {
    let mut rooms = Arrows::new();
    for (file, used) in arrows {
        let from = room(file, depth);
        let used = used.iter().map(|file| room(file, depth));
        let others: BTreeSet<String> = used.filter(|to| *to != from).collect();
        rooms.entry(from).or_default().extend(others);
    }
    rooms
}

/// The first `depth` segments of a file's module.
pub(super) fn room(file: &str, depth: usize) -> String {
    let parts = file.trim_end_matches(".rs").split('/');
    parts.take(depth).collect::<Vec<_>>().join("/")
}
