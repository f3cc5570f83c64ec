//! Who uses whom: the paths that each file names, followed through re-exports to the file that defines the name.
//!
//! A module by itself is nobody: `use super::reuse` draws no arrow, `reuse::judge` does.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    circles::room,
    source::{Source, Token, group, is_word},
};

/// File to the files that it uses.
pub(super) type Arrows = BTreeMap<String, BTreeSet<String>>;

type Path = Vec<String>;

#[derive(Debug)]
struct Module {
    file: String,
    place: Path,
    defined: BTreeSet<String>,
    children: BTreeSet<String>,
    /// Name here to what it stands for; `*` is not among them.
    imported: BTreeMap<String, Path>,
    globs: Vec<Path>,
    /// The other paths of two segments and more.
    named: Vec<Path>,
}

#[derive(Debug)]
pub(super) struct Tree(BTreeMap<Path, Module>);

impl Tree {
    pub(super) fn new(sources: &[Source]) -> Self {
        let modules = sources.iter().map(|source| {
            let module = Module::read(source);
            (module.place.clone(), module)
        });
        let mut tree = Self(modules.collect());
        tree.prune();
        tree
    }

    /// Takes out the modules that only tests are built with: no other module declares them.
    fn prune(&mut self) {
        let declared: BTreeSet<Path> = (self.0.values())
            .flat_map(|module| {
                module
                    .children
                    .iter()
                    .map(|child| join(&module.place, child))
            })
            .collect();
        self.0
            .retain(|place, _| (2..=place.len()).all(|end| declared.contains(&place[..end])));
    }

    pub(super) fn arrows(&self) -> Arrows {
        let of = |module: &Module| {
            let paths = self.paths(module);
            let files = paths.iter().filter_map(|path| self.defines(path, 0));
            let others = files.filter(|file| **file != module.file).cloned();
            (module.file.clone(), others.collect())
        };
        self.0.values().map(of).collect()
    }

    /// Each file with the top-level modules that it names, by the path and by the file behind a re-export.
    pub(super) fn rooms(&self) -> Arrows {
        let mut rooms = self.arrows();
        for module in self.0.values() {
            let used = rooms.entry(module.file.clone()).or_default();
            *used = used.iter().map(|file| room(file, 1)).collect();
            used.extend(self.paths(module).into_iter().map(|path| path[0].clone()));
        }
        rooms
    }

    /// Each file with the paths that leave this crate.
    pub(super) fn outside(&self) -> Arrows {
        let of = |module: &Module| {
            let outside = module
                .all_paths()
                .filter(|path| self.absolute(module, path, 0).is_none());
            (
                module.file.clone(),
                outside.map(|path| path.join("::")).collect(),
            )
        };
        self.0.values().map(of).collect()
    }

    /// All that a file names in this crate, from the crate's root.
    fn paths(&self, module: &Module) -> Vec<Path> {
        let imported = module.imported.values();
        let all = imported.chain(&module.globs).chain(&module.named);
        all.filter_map(|path| self.absolute(module, path, 0))
            .collect()
    }

    fn absolute(&self, module: &Module, path: &[String], depth: usize) -> Option<Path> {
        let (first, rest) = path.split_first()?;
        let base = match first.as_str() {
            "crate" | "sidecache" => Vec::new(),
            "self" => module.place.clone(),
            "super" => module.place.split_last()?.1.to_vec(),
            name if module.children.contains(name) => join(&module.place, name),
            name if depth < 8 => {
                let meant = module.imported.get(name).filter(|meant| *meant != path)?;
                self.absolute(module, meant, depth + 1)?
            }
            _ => return None,
        };
        let ups = rest.iter().take_while(|part| *part == "super").count();
        let base = base.get(..base.len().checked_sub(ups)?)?;
        let whole: Path = base.iter().chain(&rest[ups..]).cloned().collect();
        (!whole.is_empty()).then_some(whole)
    }

    /// The file that defines the name which an absolute path ends with; none for a module.
    fn defines(&self, path: &[String], depth: usize) -> Option<&String> {
        let end = (1..=path.len())
            .rev()
            .find(|end| self.0.contains_key(&path[..*end]))?;
        let module = &self.0[&path[..end]];
        let (name, rest) = path[end..].split_first()?;
        if module.defined.contains(name) || depth > 8 {
            return Some(&module.file);
        }
        if let Some(meant) = module.imported.get(name) {
            let meant = self.absolute(module, meant, 0);
            let meant = meant.map(|meant| meant.iter().chain(rest).cloned().collect::<Path>());
            return meant.and_then(|meant| self.defines(&meant, depth + 1));
        }
        let from_glob = module.globs.iter().find_map(|glob| {
            let behind = join(&self.absolute(module, glob, 0)?, name);
            let holder = self.0.get(behind.split_last()?.1)?;
            (holder.defined.contains(name)).then(|| self.defines(&behind, depth + 1))?
        });
        from_glob.or(Some(&module.file))
    }
}

impl Module {
    fn read(source: &Source) -> Self {
        let mut module = Self {
            file: source.name(),
            place: source.module(),
            defined: BTreeSet::new(),
            children: BTreeSet::new(),
            imported: BTreeMap::new(),
            globs: Vec::new(),
            named: Vec::new(),
        };
        module.read_items(&source.tokens);
        module.read_paths(&source.tokens);
        module
    }

    fn all_paths(&self) -> impl Iterator<Item = &Path> {
        let imported = self.imported.values();
        imported.chain(&self.globs).chain(&self.named)
    }

    /// The names that are defined outside any bracket.
    fn read_items(&mut self, tokens: &[Token]) {
        let mut rest = tokens;
        while let [first, second, ..] = rest {
            let name = second.text.clone();
            match first.text.as_str() {
                "(" | "[" | "{" => {
                    rest = &rest[group(rest)..];
                    continue;
                }
                "mod" if rest.get(2).is_some_and(|token| token.text == ";") => {
                    self.children.insert(name);
                }
                "fn" | "struct" | "enum" | "trait" | "const" | "static" | "type" | "mod" => {
                    self.defined.insert(name);
                }
                _ => {}
            }
            rest = &rest[1..];
        }
    }

    fn read_paths(&mut self, tokens: &[Token]) {
        let mut rest = tokens;
        let mut before = "";
        while let Some(first) = rest.first() {
            let taken = if first.text == "use" && rest[1].text != "<" {
                let end = rest.iter().position(|token| token.text == ";");
                let end = end.expect("a use ends with a semicolon");
                self.read_use(&rest[1..end], Vec::new());
                end
            } else if is_word(&first.text) && before != "." {
                let path = path(rest);
                let taken = 2 * path.len() - 1;
                if path.len() > 1 {
                    self.named.push(path);
                }
                taken
            } else {
                1
            };
            before = &rest[taken - 1].text;
            rest = &rest[taken..];
        }
    }

    /// Reads `a::{b, c as d, e::*}` under the path `prefix`.
    fn read_use(&mut self, tokens: &[Token], mut prefix: Path) {
        let words = path(tokens);
        let mut rest = &tokens[(2 * words.len()).saturating_sub(1)..];
        prefix.extend(words);
        if rest.first().is_some_and(|token| token.text == "::") {
            rest = &rest[1..];
        }
        match rest.first().map(|token| token.text.as_str()) {
            Some("{") => {
                let mut list = &rest[1..group(rest) - 1];
                while !list.is_empty() {
                    let end = comma(list);
                    self.read_use(&list[..end], prefix.clone());
                    list = list.get(end + 1..).unwrap_or_default();
                }
            }
            Some("*") => self.globs.push(prefix),
            Some("as") => {
                self.imported.insert(rest[1].text.clone(), prefix);
            }
            _ => {
                if prefix.len() > 1 && prefix.last().is_some_and(|last| last == "self") {
                    prefix.pop();
                }
                let name = prefix.last().cloned();
                self.imported.extend(name.map(|name| (name, prefix)));
            }
        }
    }
}

/// The path that `tokens` begins with, without what stands between `<` and `>`.
fn path(tokens: &[Token]) -> Path {
    let mut found = Path::new();
    for pair in tokens.chunks(2) {
        if !is_word(&pair[0].text) {
            break;
        }
        found.push(pair[0].text.clone());
        let goes_on = pair.get(1).is_some_and(|token| token.text == "::");
        if !goes_on {
            break;
        }
    }
    found
}

/// Where the first comma outside any bracket is, or the end.
fn comma(tokens: &[Token]) -> usize {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "," => return at,
            "{" => at += group(&tokens[at..]),
            _ => at += 1,
        }
    }
    at
}

fn join(place: &[String], name: &str) -> Path {
    place.iter().cloned().chain([name.to_owned()]).collect()
}
