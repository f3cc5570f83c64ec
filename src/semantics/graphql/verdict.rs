//! What is found.

/// What a request asks, as GraphQL servers read it ([GraphQL over HTTP]).
///
/// [GraphQL over HTTP]: https://graphql.github.io/graphql-over-http/draft/
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// GraphQL, and each of its operations is a query.
    Queries,
    /// Something else.
    Other,
    /// A mutation, a subscription, or what some server may read as one.
    Doubtful,
}
