//! The `Cache-Status` field that tells the client what happened ([RFC 9211]).
//!
//! [RFC 9211]: https://www.rfc-editor.org/rfc/rfc9211

use super::decision::{Decision, Outcome, Storage, Tier};
use std::fmt::{self, Display};

/// The name by which this cache speaks of itself.
pub const NAME: &str = "sidecache";

/// `decision` as one member of the field: `sidecache; hit; ttl=118`.
#[derive(Clone, Copy, Debug)]
pub struct CacheStatus(pub Decision);

impl Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(decision) = self;
        f.write_str(NAME)?;
        let answered_from_store = matches!(decision.outcome, Outcome::Hit | Outcome::Stale)
            && decision.reason.fwd().is_none();
        match decision.reason.fwd() {
            _ if answered_from_store => f.write_str("; hit")?,
            Some(fwd) => write!(f, "; fwd={fwd}")?,
            None => {}
        }
        if let Some(status) = decision.fwd_status {
            write!(f, "; fwd-status={}", status.as_u16())?;
        }
        if let Some(ttl) = decision.ttl {
            write!(f, "; ttl={ttl}")?;
        }
        if decision.storage == Storage::Stored {
            f.write_str("; stored")?;
        }
        if decision.collapsed {
            f.write_str("; collapsed")?;
        }
        match detail(decision) {
            Some(detail) => write!(f, "; detail={detail}"),
            None => Ok(()),
        }
    }
}

/// What the standard's own parameters do not say already.
fn detail(decision: &Decision) -> Option<&'static str> {
    match (decision.storage, decision.outcome) {
        (Storage::Refused(refusal), _) => Some(refusal.as_str()),
        (_, Outcome::Hit) => (decision.tier == Some(Tier::Redis)).then_some("redis"),
        _ => {
            let reason = decision.reason.as_str();
            (decision.reason.fwd() != Some(reason)).then_some(reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::{Reason, Refusal};
    use http::StatusCode;

    fn text(outcome: Outcome, reason: Reason, change: impl FnOnce(&mut Decision)) -> String {
        let mut decision = Decision::new(outcome, reason);
        change(&mut decision);
        CacheStatus(decision).to_string()
    }

    #[test]
    fn hits_say_how_long_they_stay_fresh() {
        let hit = |tier| {
            text(Outcome::Hit, Reason::Fresh, |d| {
                (d.ttl, d.tier) = (Some(118), Some(tier))
            })
        };
        assert_eq!(hit(Tier::Memory), "sidecache; hit; ttl=118");
        assert_eq!(hit(Tier::Redis), "sidecache; hit; ttl=118; detail=redis");
    }

    #[test]
    fn misses_say_why_and_what_became_of_the_answer() {
        let miss = |storage| text(Outcome::Miss, Reason::UriMiss, |d| d.storage = storage);
        assert_eq!(miss(Storage::Stored), "sidecache; fwd=uri-miss; stored");
        assert_eq!(
            miss(Storage::Refused(Refusal::Private)),
            "sidecache; fwd=uri-miss; detail=private"
        );
        assert_eq!(
            text(Outcome::Miss, Reason::Expired, |_| ()),
            "sidecache; fwd=stale; detail=expired"
        );
    }

    #[test]
    fn stale_answers_say_by_which_permission() {
        let revalidating = text(Outcome::Stale, Reason::WhileRevalidate, |d| {
            d.ttl = Some(-3)
        });
        assert_eq!(
            revalidating,
            "sidecache; hit; ttl=-3; detail=stale-while-revalidate"
        );
        let failed = text(Outcome::Stale, Reason::IfError, |d| {
            (d.ttl, d.fwd_status) = (Some(-3), Some(StatusCode::SERVICE_UNAVAILABLE));
        });
        assert_eq!(
            failed,
            "sidecache; fwd=stale; fwd-status=503; ttl=-3; detail=stale-if-error"
        );
    }

    #[test]
    fn revalidated_answers_give_the_origins_status() {
        let confirmed = text(Outcome::Revalidated, Reason::Expired, |d| {
            d.fwd_status = Some(StatusCode::NOT_MODIFIED)
        });
        assert_eq!(
            confirmed,
            "sidecache; fwd=stale; fwd-status=304; detail=expired"
        );
    }

    #[test]
    fn bypasses_name_their_cause() {
        assert_eq!(
            text(Outcome::Bypass, Reason::Token, |_| ()),
            "sidecache; fwd=bypass; detail=token"
        );
        assert_eq!(
            text(Outcome::Bypass, Reason::Method, |_| ()),
            "sidecache; fwd=method"
        );
    }
}
