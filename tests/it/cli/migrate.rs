//! `sidecache demo migrate`, as an administrator types it.

use super::{complaint, sidecache};
use tempfile::TempDir;

/// A database that is not there yet, and its folder.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder }
    }

    fn url(&self) -> String {
        format!("sqlite:{}", self.folder.path().join("demo.db").display())
    }

    /// What `sidecache demo migrate` with these words prints.
    fn migrate(&self, words: &[&str]) -> String {
        let words = [&["demo", "migrate"], words].concat();
        let output = sidecache(&words).env("DATABASE_URL", self.url()).output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{words:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The steps that were taken, as `words` print them.
    fn taken(&self, words: &[&str]) -> Vec<String> {
        let text = self.migrate(words);
        let columns = text.lines().map(|line| line.split_whitespace());
        let columns = columns.map(|mut line| (line.next(), line.next(), line.next()));
        let steps: Vec<_> = columns.collect();
        assert_eq!(steps.len(), 4, "{text}");
        let taken = steps.iter().filter(|(_, state, _)| *state == Some("taken"));
        taken.map(|(_, _, name)| name.unwrap().to_owned()).collect()
    }
}

#[test]
fn the_steps_go_up_and_down_and_are_shown() {
    let place = Place::new();
    let all = ["messenger", "relations", "indexes", "search"];
    assert_eq!(place.taken(&["up", "--to", "2"]), all[..2]);
    assert_eq!(place.taken(&["status"]), all[..2]);
    assert_eq!(place.taken(&["up"]), all);
    assert_eq!(place.taken(&["down"]), all[..3]);
    assert_eq!(place.taken(&["down", "--to", "1"]), all[..1]);
    assert_eq!(place.taken(&["status"]), all[..1]);
    assert!(place.taken(&["down", "--to", "0"]).is_empty());
}

#[test]
fn analyze_says_of_each_index_how_it_fares() {
    let place = Place::new();
    place.migrate(&["up", "--to", "2"]);
    let state = |text: &str, index: &str| {
        let line = text.lines().find(|line| line.starts_with(index)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let before = place.migrate(&["analyze"]);
    assert_eq!(state(&before, "profiles_by_city"), "missing", "{before}");
    assert_eq!(before.lines().count(), 11, "{before}");
    place.migrate(&["up"]);
    let after = place.migrate(&["analyze", "--plans", "--vacuum"]);
    assert_eq!(state(&after, "profiles_by_city"), "used", "{after}");
    assert!(after.contains("    SEARCH p USING"), "{after}");
}

#[test]
fn what_cannot_be_migrated_is_said() {
    let place = Place::new();
    let output = |words: &[&str]| {
        let words = [&["demo", "migrate"], words].concat();
        sidecache(&words).output().unwrap()
    };
    let text = complaint(&output(&["status"]), 2);
    assert!(text.contains("which database?"), "{text}");
    let url = place.url();
    let text = complaint(&output(&["up", "--to", "9", "--database", &url]), 2);
    assert!(text.contains("--to is the number of a step"), "{text}");
    // Only `up` makes a file.
    let text = complaint(
        &output(&["status", "--database", "sqlite:/nowhere/demo.db"]),
        1,
    );
    assert!(
        text.contains("there is no file") && text.contains("/nowhere/demo.db"),
        "{text}"
    );
    assert!(text.contains("migrate up"), "{text}");
    let text = complaint(&output(&["status", "--database", "demo.db"]), 2);
    assert!(text.contains("--database"), "{text}");
}
