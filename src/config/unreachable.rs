//! Routes that can never match, because earlier ones take everything they would.

use http::Method;

use super::{problem::Problem, reader::Reader, source::Place};
use crate::proxy::route::{Pattern, methods::matched};

/// A route as far as it matters here.
pub(super) struct Candidate {
    pub(super) name: Option<String>,
    pub(super) path: Pattern,
    pub(super) methods: Vec<Method>,
    pub(super) at: Place,
}

/// What the routes so far match.
#[derive(Default)]
pub(super) struct Unreachable {
    earlier: Vec<Earlier>,
}

struct Earlier {
    shape: Vec<String>,
    methods: Vec<Method>,
    at: Place,
}

// === impl Unreachable ===

impl Unreachable {
    /// Reports each of `routes`, which stand in order, that nothing is left for to match.
    pub(super) fn check(reader: &Reader<'_>, routes: &[Candidate]) {
        let written: Vec<_> = (routes.iter())
            .map(|route| (&route.path, &route.methods[..]))
            .collect();
        let mut seen = Self::default();
        for (at, route) in routes.iter().enumerate() {
            seen.add(reader, route, &matched(&written, at));
        }
    }

    fn add(&mut self, reader: &Reader<'_>, route: &Candidate, methods: &[Method]) {
        let Candidate { name, at, .. } = route;
        let (name, at) = (name.as_deref(), *at);
        let shape = shape(route.path.as_str());
        let mut left = methods.to_vec();
        let mut first = None;
        for earlier in self
            .earlier
            .iter()
            .filter(|earlier| covers(&earlier.shape, &shape))
        {
            let before = left.len();
            left.retain(|method| !earlier.methods.contains(method));
            if left.len() < before {
                first = first.or(Some(earlier.at));
            }
        }
        if let (true, Some(first)) = (left.is_empty(), first) {
            let route = name.map_or("this route".to_owned(), |name| format!("route `{name}`"));
            let message = format!("{route} can never match: an earlier one takes all it would");
            let problem = Problem::new(message, at);
            let help = "the first match wins; move the narrower route up";
            reader.report(problem.help(help).note("the earlier one is here", first));
        }
        self.earlier.push(Earlier {
            shape,
            methods: methods.to_vec(),
            at,
        });
    }
}

/// The segments of a path without the names of its captures, which do not matter here.
fn shape(path: &str) -> Vec<String> {
    let capture = |segment: &str| match segment.strip_prefix('{') {
        Some(name) if name.starts_with('*') && name.find('}') == Some(name.len() - 1) => "{*}",
        Some(name) if name.find('}') == Some(name.len() - 1) => "{}",
        _ => "",
    };
    path.split('/')
        .map(|segment| match capture(segment) {
            "" => segment.to_owned(),
            known => known.to_owned(),
        })
        .collect()
}

/// Whether everything that `later` matches is also matched by `earlier`; no when in doubt.
fn covers(earlier: &[String], later: &[String]) -> bool {
    let mut rest = later.iter();
    for segment in earlier {
        let covered = match (segment.as_str(), rest.next().map(String::as_str)) {
            ("{*}", Some(below)) => return !below.is_empty() || rest.next().is_some(),
            ("{}", Some(one)) => !one.is_empty() && !one.starts_with("{*"),
            (same, Some(other)) => same == other,
            (_, None) => false,
        };
        if !covered {
            return false;
        }
    }
    rest.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_covers_what_it_certainly_matches() {
        let cases = [
            ("/a/{id}", "/a/{x}", true),
            ("/a", "/a", true),
            ("/a/{*rest}", "/a/b/{id}", true),
            ("/a/{*rest}", "/a/{*all}", true),
            ("/{*rest}", "/a", true),
            ("/a/{*rest}", "/a", false),
            ("/a/{*rest}", "/a/", false),
            ("/a/{*rest}", "/ab", false),
            ("/a/{id}", "/a/{*rest}", false),
            ("/a/{id}", "/a/b", true),
            ("/a/{id}/c", "/a/b/c", true),
            ("/a/{id}", "/a/", false),
            ("/a/{id}", "/a/b/c", false),
            ("/a/x-{id}", "/a/x-1", false),
            ("/a/b", "/a/{id}", false),
        ];
        for (earlier, later, expected) in cases {
            assert_eq!(
                covers(&shape(earlier), &shape(later)),
                expected,
                "{earlier} {later}"
            );
        }
    }
}
