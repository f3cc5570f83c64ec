//! What was written, kept for those who judge the whole.

use std::{collections::BTreeMap, fmt, sync::Arc};

use toml::de::{DeTable, DeValue};

use super::{
    document::Document,
    source::{Place, Source},
};

/// The texts of a configuration, and where each setting is in them.
#[derive(Clone, Default)]
pub(super) struct Written {
    pub(super) sources: Arc<[Source]>,
    pub(super) root: Places,
    /// One for each `[[route]]`.
    pub(super) routes: Vec<Places>,
}

/// Where settings are written, by their path in their table: `key.query`.
#[derive(Clone, Default)]
pub(super) struct Places(BTreeMap<String, Place>);

// === impl Written ===

impl Written {
    pub(super) fn new(sources: &Arc<[Source]>, document: &Document<'_>) -> Self {
        let mut written = Self {
            sources: Arc::clone(sources),
            ..Self::default()
        };
        for (source, table) in &document.layers {
            written.root.add(*source, "", table);
            let routes = table
                .get("route")
                .and_then(|list| list.get_ref().as_array());
            for route in routes.into_iter().flatten() {
                let mut places = Places::default();
                if let DeValue::Table(table) = route.get_ref() {
                    places.add(*source, "", table);
                }
                written.routes.push(places);
            }
        }
        written
    }
}

/// The texts hold secrets.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written")
    }
}

// === impl Places ===

impl Places {
    pub(super) fn get(&self, key: &str) -> Option<Place> {
        self.0.get(key).copied()
    }

    /// Adds what `table` has; what is there already comes from a source that wins.
    fn add(&mut self, source: usize, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path = format!("{prefix}{}", name.get_ref());
            let place = match value.get_ref() {
                DeValue::Table(table) => {
                    self.add(source, &format!("{path}."), table);
                    Place::new(source, name.span())
                }
                _ => Place::new(source, value.span()),
            };
            self.0.entry(path).or_insert(place);
        }
    }
}
