//! Purges of what nothing is called.

use super::facts::{Facts, Line};
use crate::config::problem::Problem;

/// A purge by tag reaches what a route's `tags` or the origin's fields name so.
pub(super) fn nothing_has_that_tag(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    let stored = |line: &Line<'_>| line.route.policy.cache && line.has_a_stored_method();
    let tags = || {
        let lines = facts.routes().filter(stored);
        lines.flat_map(|line| &line.route.tags)
    };
    for line in facts.routes() {
        for purge in &line.route.purge {
            let Some(purged) = purge.tag() else {
                continue;
            };
            let literal = purged.literal();
            let may_meet = |tag: &&crate::proxy::route::Template| {
                let given = tag.literal();
                given.starts_with(literal) || literal.starts_with(given)
            };
            if tags().any(|tag| may_meet(&tag)) {
                continue;
            }
            let fields = &facts.config.cache.tags.fields;
            let fields: Vec<_> = fields.iter().map(|name| format!("`{name}`")).collect();
            let origin = if fields.is_empty() {
                "and `cache.tag_headers` names no field of the origin".to_owned()
            } else {
                format!(
                    "so that it purges only what the origin itself tags so, by {}",
                    fields.join(" or ")
                )
            };
            let message = format!("no route gives a tag that begins with `{literal}`, {origin}");
            let help = format!(
                "write `tags = [\"{literal}…\"]` in the route that it is to purge, unless the origin sends that tag"
            );
            found.push(line.warn("purge", message).help(help));
        }
    }
}
