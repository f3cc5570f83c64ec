//! A table of the configuration, read key by key.

use std::{cell::RefCell, collections::BTreeMap};

use toml::de::{DeTable, DeValue};

use super::{
    document::{Document, clip, kind},
    nearest::nearest,
    problem::Problem,
    reader::{Read, Reader, Setting},
    secret,
    source::Place,
    value::Value,
};

/// Sections that are looked for one level too high.
const IN_CACHE: [&str; 2] = ["memory", "redis"];

/// Keys that are looked for in another section: where, what, and what to write.
const ELSEWHERE: [(&str, &str, &str); 5] = [
    (
        "route.key",
        "cookies",
        "cookies are counted beside `key`: write `cookies = { key = [\"sid\"] }` in the `[[route]]`",
    ),
    (
        "cache",
        "ttl",
        "write `default_ttl = \"5m\"` for what names no `ttl`, or `ttl` in a `[[route]]`",
    ),
    (
        "cache",
        "compress",
        "write it in a `[[route]]`, or `enabled = false` under `[compress]` for all",
    ),
    (
        "upstream",
        "compress",
        "write it in a `[[route]]`, or `enabled = false` under `[compress]` for all",
    ),
    (
        "upstream",
        "ttl",
        "write `ttl` in a `[[route]]`, or `default_ttl` under `[cache]`",
    ),
];

/// One table as all layers together give it.
pub(super) struct Section<'a> {
    pub(super) reader: &'a Reader<'a>,
    /// `cache.redis`; empty for the whole file.
    path: String,
    /// The first that has a key decides.
    layers: Vec<Layer<'a>>,
    /// Every key that was asked for: all others are unknown.
    known: RefCell<Vec<&'static str>>,
    /// Written as something else than a table, so that nothing in it is missing.
    mistaken: bool,
}

struct Layer<'a> {
    source: usize,
    /// Its name in the text; the header for one of a list, `None` for a whole source.
    at: Option<Place>,
    table: &'a DeTable<'a>,
}

// === impl Section ===

impl<'a> Section<'a> {
    /// The section that all others are in.
    pub(super) fn root(reader: &'a Reader<'a>, document: &'a Document<'a>) -> Self {
        let layers = document.layers.iter();
        let layers = layers.map(|(source, table)| Layer {
            source: *source,
            at: None,
            table,
        });
        Self::new(reader, String::new(), layers.collect())
    }

    fn new(reader: &'a Reader<'a>, path: String, layers: Vec<Layer<'a>>) -> Self {
        Self {
            reader,
            path,
            layers,
            known: RefCell::new(Vec::new()),
            mistaken: false,
        }
    }

    /// The name of `key` in messages.
    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Where its own name is written.
    pub(super) fn at(&self) -> Option<Place> {
        self.layers.last().and_then(|layer| layer.at)
    }

    /// Whether any layer has it.
    pub(super) fn is_present(&self) -> bool {
        !self.layers.is_empty()
    }

    /// The value of `key`, if it is written.
    pub(super) fn value(&self, key: &'static str) -> Option<Value<'a>> {
        self.known.borrow_mut().push(key);
        let (source, (key_span, value)) = self
            .layers
            .iter()
            .find_map(|layer| Some((layer.source, layer.table.get_key_value(key)?)))?;
        Some(Value::new(
            self.reader,
            self.path_of(key),
            source,
            key_span.span(),
            value,
        ))
    }

    /// The setting `key`, read by `parse`, which reports what is wrong and then returns `None` or [`Read::Wrong`].
    pub(super) fn read<T, R: Into<Read<T>>>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&Value<'a>) -> R,
    ) -> Setting<Option<T>> {
        match self.value(key) {
            None => Setting {
                value: None,
                at: None,
                sound: true,
            },
            Some(value) => {
                let (found, sound) = match parse(&value).into() {
                    Read::Wrong => (None, false),
                    Read::Empty => (None, true),
                    Read::Value(found) => (Some(found), true),
                };
                Setting {
                    value: found,
                    at: Some(value.at),
                    sound,
                }
            }
        }
    }

    /// As [`Section::read`], for what must be written; else it is `missing`.
    pub(super) fn require<T, R: Into<Read<T>>>(
        &self,
        key: &'static str,
        (missing, help): (&str, &str),
        parse: impl FnOnce(&Value<'a>) -> R,
    ) -> Setting<Option<T>> {
        let setting = self.read(key, parse);
        if setting.at.is_none() && !self.mistaken && self.reader.all_readable() {
            let problem = Problem::new(missing, self.at()).key(self.path_of(key));
            self.reader.report(problem.help(help));
        }
        setting
    }

    /// The table `key`; without layers when nobody wrote it.
    pub(super) fn table(&self, key: &'static str) -> Section<'a> {
        self.known.borrow_mut().push(key);
        let path = self.path_of(key);
        let mut layers = Vec::new();
        let mut mistaken = false;
        for layer in &self.layers {
            let Some((name, value)) = layer.table.get_key_value(key) else {
                continue;
            };
            let at = Some(Place::new(layer.source, name.span()));
            match value.get_ref() {
                DeValue::Table(table) => layers.push(Layer {
                    source: layer.source,
                    at,
                    table,
                }),
                other => {
                    let message = format!("`{path}` is a section, not {}", kind(other));
                    let help = format!("write `[{path}]` on a line of its own, its keys below");
                    self.reader.report(Problem::new(message, at).help(help));
                    mistaken = true;
                }
            }
        }
        Section {
            mistaken,
            ..Section::new(self.reader, path, layers)
        }
    }

    /// The list of tables `key`, in the order of the file.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let path = self.path_of(key);
        let help = format!("begin each with `[[{path}]]`, with two brackets");
        let Some(items) = value.data.as_array() else {
            let message = format!("`{path}` is a list of tables, not {}", kind(value.data));
            self.reader
                .report(Problem::new(message, value.key).help(help));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in items {
            let place = Place::new(value.at.source, item.span());
            match item.get_ref() {
                DeValue::Table(table) => {
                    let layer = Layer {
                        source: value.at.source,
                        at: Some(place),
                        table,
                    };
                    sections.push(Section::new(self.reader, path.clone(), vec![layer]));
                }
                other => {
                    let message = format!("`{path}` is a list of tables, not of {}", kind(other));
                    self.reader
                        .report(Problem::new(message, place).help(help.as_str()));
                }
            }
        }
        sections
    }

    /// Every key with its value where the keys are the user's own; all of them are known then.
    pub(super) fn entries(self) -> BTreeMap<&'a str, Value<'a>> {
        let mut entries = BTreeMap::new();
        for layer in &self.layers {
            for (name, value) in layer.table {
                let path = self.path_of(&clip(name.get_ref()));
                let value = Value::new(self.reader, path, layer.source, name.span(), value);
                entries.entry(name.get_ref().as_ref()).or_insert(value);
            }
        }
        entries
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for layer in &self.layers {
            for (name, value) in layer.table {
                if known.contains(&name.get_ref().as_ref()) {
                    continue;
                }
                let is_section = self.path.is_empty();
                let noun = if is_section { "section" } else { "key" };
                let message = format!("unknown {noun} `{}`", clip(&self.path_of(name.get_ref())));
                let at = Place::new(layer.source, name.span());
                let mut problem =
                    Problem::new(message, at).key(clip(&self.path_of(name.get_ref())));
                let near = nearest(name.get_ref(), known.iter().copied());
                let inner = IN_CACHE.iter().find(|inner| **inner == name.get_ref());
                let elsewhere = ELSEWHERE
                    .iter()
                    .find(|(path, key, _)| *path == self.path && *key == name.get_ref());
                problem = match near {
                    _ if let Some((_, _, help)) = elsewhere => problem.help(*help),
                    _ if is_section && inner.is_some() => problem.help(format!(
                        "it is a part of the cache: `[cache.{}]`",
                        name.get_ref()
                    )),
                    Some("route") => problem.help("did you mean `[[route]]`?"),
                    Some(near) if is_section => problem.help(format!("did you mean `[{near}]`?")),
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(self.all_names(&known)),
                };
                let holds_secret = secret::is_secret(name.get_ref()) && !value.get_ref().is_table();
                self.reader.report(if holds_secret {
                    problem.secret()
                } else {
                    problem
                });
            }
        }
    }

    fn all_names(&self, known: &[&str]) -> String {
        let mut names: Vec<String> = Vec::new();
        for name in known.iter().map(|name| format!("`{name}`")) {
            // One that may be of two types is asked for twice.
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let table = if self.path.is_empty() {
            "the file"
        } else {
            &format!("`{}`", self.path)
        };
        format!("{table} has {}", names.join(", "))
    }
}
