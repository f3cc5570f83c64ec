//! HTTP caching as pure functions: RFC 9110, 9111, 5861 and 9211.
//!
//! Nothing here does I/O or reads a clock: `now` is an argument. Every rule is one small function with its citation,
//! and every answer is a value that carries its reason.
//!
//! | question | section | file |
//! |---|---|---|
//! | what do the fields say? | RFC 9110 §5.6, RFC 9111 §5.2, RFC 9213, RFC 9651 | [`fields`], [`date`], [`directives`], [`targeted`], [`structured`] |
//! | which URI is this? | RFC 9110 §7.1, RFC 9111 §2, RFC 7239 | [`host`], [`path`], [`forwarded`], [`reached`], [`key`] |
//! | which parts of the query count? | No-Vary-Search | [`no_vary_search`] |
//! | which request fields selected it, and what is kept of them? | RFC 9111 §4.1 | [`vary`], [`veil`] |
//! | may it be stored? | RFC 9111 §3 | [`storability`], [`refusal`] |
//! | whose may it be, and who may share it? | RFC 9111 §3.5, RFC 6265 | [`credentials`], [`cookies`], [`sharing`] |
//! | how long is it fresh, how old is it? | RFC 9111 §4.2 | [`freshness`] |
//! | may it answer this request? | RFC 9111 §4 | [`reuse`] |
//! | how is it validated and freshened? | RFC 9111 §4.3 | [`validation`] |
//! | which part of it? | RFC 9110 §14, RFC 9111 §3.3 | [`range`], [`part`] |
//! | does the client have it already? | RFC 9110 §13 | [`conditional`] |
//! | in which coding does it get it? | RFC 9110 §12.5.3 | [`accept_encoding`], [`coding`] |
//! | what does a write invalidate? | RFC 9111 §4.4 | [`invalidation`] |
//! | is a POST a query of GraphQL? | GraphQL over HTTP | [`graphql`] |
//! | which fields end or change at this hop? | RFC 9110 §7.6.1 | [`hop_by_hop`], [`on_the_way`] |
//! | what is the client told? | RFC 9211 | [`decision`], [`cache_status`] |

pub mod accept_encoding;
pub mod cache_status;
pub mod coding;
pub mod conditional;
pub mod cookies;
pub mod credentials;
pub mod date;
pub mod decision;
pub mod directives;
pub mod etag;
mod field_name;
pub mod fields;
pub mod forwarded;
pub mod freshness;
pub mod graphql;
pub mod hop_by_hop;
pub mod host;
pub mod invalidation;
pub mod key;
pub mod name_pattern;
pub mod no_vary_search;
pub mod on_the_way;
pub mod part;
pub mod path;
pub mod policy;
#[cfg(test)]
mod properties;
pub mod query;
pub mod range;
pub mod reached;
pub mod refusal;
pub mod retry_after;
pub mod reuse;
pub mod seen;
pub mod selection;
pub mod sharing;
pub(crate) mod short;
pub mod storability;
pub mod stored;
pub mod structured;
pub mod targeted;
pub mod upgrade;
pub mod validation;
pub mod vary;
pub mod veil;

pub use self::{
    coding::Coding,
    decision::{Decision, Outcome, Reason, Storage, Tier},
    freshness::Freshness,
    key::Key,
    policy::{ClientDirectives, Policy, SetCookie, Share},
    refusal::Refusal,
    reuse::Reuse,
    storability::Storability,
    stored::StoredHead,
};
