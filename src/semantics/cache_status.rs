//! The `Cache-Status` field that tells the client what happened ([RFC 9211]).
//!
//! [RFC 9211]: https://www.rfc-editor.org/rfc/rfc9211

use super::{
    decision::{Decision, Outcome, Reason, Storage, Tier},
    short::Short,
};
use std::fmt::{self, Display};

/// The name by which this cache speaks of itself.
pub const NAME: &str = "sidecache";

/// `decision` as one member of the field: `sidecache; hit; ttl=118`.
#[derive(Clone, Copy, Debug)]
pub struct CacheStatus(pub Decision);

/// No member is longer, in bytes: the words are ours, and a test tries all of them.
const LONGEST: usize = 160;

impl CacheStatus {
    /// The member. By hand, because every hit pays for it.
    pub(crate) fn member(self) -> Short<LONGEST> {
        let Self(decision) = self;
        let mut text = Short::new();
        text.push(NAME.as_bytes());
        match fwd(&decision) {
            None if matches!(decision.outcome, Outcome::Hit | Outcome::Stale) => {
                text.push(b"; hit");
            }
            None => {}
            Some(fwd) => {
                text.push(b"; fwd=");
                text.push(fwd.as_bytes());
            }
        }
        if let Some(status) = decision.fwd_status {
            text.push(b"; fwd-status=");
            text.push(status.as_str().as_bytes());
        }
        if let Some(ttl) = decision.ttl {
            text.push(b"; ttl=");
            text.push_number(ttl);
        }
        if decision.storage == Storage::Stored {
            text.push(b"; stored");
        }
        if decision.collapsed {
            text.push(b"; collapsed");
        }
        if let Some(detail) = detail(&decision) {
            text.push(b"; detail=");
            text.push(detail.as_bytes());
        }
        text
    }
}

impl Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.member().as_bytes()))
    }
}

/// Why it was forwarded, if it was: a stale response that the client accepts (`max-stale`) was not, nor was one that stands in
/// for an origin that is left alone ([RFC 9211 §2.2]).
///
/// [RFC 9211 §2.2]: https://www.rfc-editor.org/rfc/rfc9211#section-2.2
fn fwd(decision: &Decision) -> Option<&'static str> {
    match (decision.outcome, decision.reason) {
        (Outcome::Stale, Reason::Client) => None,
        _ if decision.backs_off => None,
        (_, reason) => reason.fwd(),
    }
}

/// What the standard's own parameters do not say already.
fn detail(decision: &Decision) -> Option<&'static str> {
    match (decision.storage, decision.outcome) {
        (Storage::Refused(refusal), _) => Some(refusal.as_str()),
        (Storage::Arriving, Outcome::Miss)
            if decision.reason.fwd() == Some(decision.reason.as_str()) =>
        {
            Some("arriving")
        }
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
    use crate::semantics::Refusal;
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
    fn any_number_of_seconds_is_written() {
        for ttl in [0, 1, -1, 10, 2_147_483_648, i64::MIN, i64::MAX] {
            let member = text(Outcome::Hit, Reason::Fresh, |d| d.ttl = Some(ttl));
            assert_eq!(member, format!("sidecache; hit; ttl={ttl}"));
        }
    }

    #[test]
    fn the_longest_member_fits() {
        let details = Reason::ALL.iter().map(|reason| reason.as_str());
        let details = details.chain(Refusal::ALL.iter().map(|refusal| refusal.as_str()));
        let longest = |words: &mut dyn Iterator<Item = &str>| words.map(str::len).max();
        let words = [
            NAME.len(),
            "; fwd=; fwd-status=000; ttl=; stored; collapsed; detail=".len(),
            i64::MIN.to_string().len(),
            longest(&mut Reason::ALL.iter().filter_map(|reason| reason.fwd())).expect("reasons"),
            longest(&mut details.into_iter()).expect("reasons"),
        ];
        assert!(words.iter().sum::<usize>() <= LONGEST, "{words:?}");
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
        let accepted = text(Outcome::Stale, Reason::Client, |d| d.ttl = Some(-3));
        assert_eq!(accepted, "sidecache; hit; ttl=-3; detail=client");
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
