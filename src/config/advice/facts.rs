//! What a lint looks at.

use crate::{
    config::{
        file::Config,
        problem::{Problem, Where},
        source::Place,
        system::System,
        written::{Places, Written},
    },
    proxy::route::Route,
};
use http::Method;

pub(super) struct Facts<'a> {
    pub(super) config: &'a Config,
    pub(super) written: &'a Written,
    pub(super) system: &'a System,
}

/// A route and where its keys are written.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) route: &'a Route,
    places: &'a Places,
}

// === impl Facts ===

impl<'a> Facts<'a> {
    /// Where `key` is written; the file as a whole where it is its default.
    pub(super) fn at(&self, key: &str) -> Where {
        self.written.root.get(key).into()
    }

    /// Every route, in the order of the file.
    pub(super) fn routes(&self) -> impl Iterator<Item = Line<'a>> {
        let routes = self.config.routes.iter().zip(&self.written.routes);
        routes.map(|(route, places)| Line { route, places })
    }

    /// A warning about a key that is not of a route.
    pub(super) fn warn(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem::warning(message, self.at(key)).key(key)
    }
}

// === impl Line ===

impl Line<'_> {
    /// Whether answers to any of its methods are stored by it: GET, HEAD or QUERY, or POST where its content is in the key. What
    /// stands for a GET in the answer to a POST is stored by the route of that GET.
    pub(super) fn has_a_stored_method(&self) -> bool {
        let stored = |method: &Method| match *method {
            Method::GET | Method::HEAD => true,
            Method::POST => self.route.key.body,
            _ => method.as_str() == "QUERY",
        };
        self.route.methods.iter().any(stored)
    }

    pub(super) fn place(&self, key: &str) -> Option<Place> {
        self.places.get(key)
    }

    pub(super) fn warn(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem::warning(message, self.place(key)).key(format!("route.{key}"))
    }

    pub(super) fn remark(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem::remark(message, self.place(key)).key(format!("route.{key}"))
    }
}
