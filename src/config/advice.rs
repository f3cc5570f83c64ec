//! What is allowed and yet does not do what its reader thinks: each a small function over the whole configuration.
//!
//! They are asked once nothing is wrong, so that none stumbles over what was not read.

mod admin;
mod facts;
mod idle;
mod key;
mod lifetimes;
mod memory;
mod paths;
mod sharing;
mod tags;
#[cfg(test)]
mod tests;
mod tokens;
mod trust;
mod upstream;

use std::sync::Arc;

use self::facts::Facts;
use super::{
    Config,
    problem::{Problem, Problems},
    system::System,
};

/// Looks at everything and adds what it finds.
type Lint = fn(&Facts<'_>, &mut Vec<Problem>);

const ALL: &[Lint] = &[
    admin::open_to_the_network,
    admin::without_encryption,
    idle::unsafe_methods_store_nothing,
    idle::a_route_without_cache_stores_nothing,
    idle::jitter_needs_a_ttl,
    key::the_whole_query_is_ignored,
    key::a_field_is_never_the_same,
    lifetimes::a_window_ends_with_the_longest_lifetime,
    memory::more_than_there_is,
    memory::nothing_is_stored,
    paths::a_capture_is_in_braces,
    sharing::one_cookie_for_everybody,
    sharing::the_origin_is_overruled,
    sharing::whoever_asks_gets_the_same,
    sharing::a_prefix_is_no_secret,
    sharing::every_cookie_is_dropped,
    sharing::the_usual_credentials_count,
    tags::nothing_has_that_tag,
    tokens::one_token_for_two_doors,
    trust::everybody_is_trusted,
    upstream::it_is_this_machine,
];

impl Config {
    /// What is worth a second look, in the order of the text. Errors among it are certain only on `system`.
    pub fn advice(&self, system: &System) -> Problems {
        let facts = Facts {
            config: self,
            written: &self.written,
            system,
        };
        let mut found = Vec::new();
        for lint in ALL {
            lint(&facts, &mut found);
        }
        let mut problems = Problems::new(Arc::clone(&self.written.sources));
        for problem in found {
            problems.push(problem);
        }
        problems.sort();
        problems
    }
}
