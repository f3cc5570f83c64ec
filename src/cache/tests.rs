//! The cache as one piece: a script in the place of the origin, no socket, and time that the test moves.
//!
//! Two clocks: [`Scene::pass`] moves the one that HTTP is about (freshness, age), `tokio::time::advance` the one of
//! timeouts, back-off and hit-for-miss.
//!
//! [`Scene::pass`]: support::Scene::pass

mod support;

mod arriving;
mod back_off;
mod bodies;
mod clients;
mod cut;
mod failures;
mod flights;
mod head;
mod keep;
mod lifetimes;
mod oversized;
mod parts;
mod purged_meanwhile;
mod refreshes;
mod refusals;
mod requests;
mod sharing;
mod soft_purges;
mod validation;
mod variants;
mod waited;
