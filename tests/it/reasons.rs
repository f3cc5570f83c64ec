//! It says why: each value of [`Reason`] and of [`Refusal`] is said of some answer, and is counted.
//!
//! A new value does not compile before it has a scenario here.

mod decisions;
mod refusals;

use crate::support::{Answer, Origin, Proxy, Reply};
use sidecache::semantics::{
    Reason, Refusal, Storability,
    storability::{Exchange, storability},
};
use sidecache::store::Secret;
use std::time::SystemTime;

/// A proxy, and the last answer that it gave.
struct Scene {
    origin: Origin,
    proxy: Proxy,
    last: Option<Answer>,
}

impl Scene {
    /// A proxy with `toml` in its configuration, before an origin that answers every path below `/` so.
    async fn of(toml: &str, reply: Reply) -> Self {
        let origin = Origin::start().await;
        origin.answer_below("/", reply);
        Self {
            proxy: Proxy::to(&origin, toml).await,
            origin,
            last: None,
        }
    }

    /// From now on the origin answers so.
    fn then(self, reply: Reply) -> Self {
        self.origin.answer_below("/", reply);
        self
    }

    /// Time passes.
    fn pass(self, seconds: u64) -> Self {
        self.proxy.advance(seconds);
        self
    }

    async fn get(self, path: &str) -> Self {
        self.with(path, &[]).await
    }

    /// A GET with these fields.
    async fn with(self, path: &str, fields: &[(&str, &str)]) -> Self {
        self.send("GET", path, fields).await
    }

    async fn send(self, method: &str, path: &str, fields: &[(&str, &str)]) -> Self {
        let last = Some(self.proxy.send(method, path, fields, "").await);
        Self { last, ..self }
    }

    /// A request with content.
    async fn with_content(self, method: &str, path: &str, content: &str) -> Self {
        let last = Some(self.proxy.send(method, path, &[], content).await);
        Self { last, ..self }
    }

    /// Fails unless the last answer says `says` and the counter has counted one with this reason.
    fn says(&self, says: &str, counter: &str, reason: &str) {
        let answer = self.last.as_ref().expect("something was asked");
        assert_eq!(answer.cache_status(), says, "{counter} {reason}");
        let line = format!("sidecache_{counter}_total{{reason=\"{reason}\"}}");
        assert_eq!(self.proxy.metric(&line), 1.0, "{line}");
    }
}

/// What `Cache-Status` says beside the name of the cache in the scenario of this reason.
async fn decided(reason: Reason) -> (Scene, &'static str) {
    match reason {
        Reason::Fresh => decisions::fresh().await,
        Reason::WhileRevalidate => decisions::while_revalidate().await,
        Reason::IfError => decisions::if_error().await,
        Reason::OnDisconnect => decisions::on_disconnect().await,
        Reason::UriMiss => decisions::uri_miss().await,
        Reason::VaryMiss => decisions::vary_miss().await,
        Reason::Expired => decisions::expired().await,
        Reason::Purged => decisions::purged().await,
        Reason::NoCache => decisions::no_cache().await,
        Reason::PurgeGap => decisions::purge_gap().await,
        Reason::Client => decisions::client().await,
        Reason::Credentials => decisions::credentials().await,
        Reason::Method => decisions::method().await,
        Reason::Disabled => decisions::disabled().await,
        Reason::Route => decisions::route().await,
        Reason::Token => decisions::token().await,
        Reason::Range => decisions::range().await,
        Reason::Precondition => decisions::precondition().await,
        Reason::Path => decisions::path().await,
        Reason::TooLong => decisions::too_long().await,
        Reason::Content => decisions::content().await,
        Reason::NotARead => decisions::not_a_read().await,
        Reason::Upgrade => decisions::upgrade().await,
        Reason::OnlyIfCached => decisions::only_if_cached().await,
        Reason::Upstream => decisions::upstream().await,
        Reason::Request => decisions::request().await,
    }
}

/// As [`decided`]; `None` where no answer of a proxy is refused for this.
async fn refused(refusal: Refusal) -> Option<(Scene, &'static str)> {
    Some(match refusal {
        Refusal::Method => return None, // the cache asks with GET; see below
        Refusal::Status => refusals::status().await,
        Refusal::OneRequest => refusals::one_request().await,
        Refusal::NoStore => refusals::no_store().await,
        Refusal::Private => refusals::private().await,
        Refusal::Authorization => refusals::authorization().await,
        Refusal::Credential => refusals::credential().await,
        Refusal::Cookie => refusals::cookie().await,
        Refusal::SetCookie => refusals::set_cookie().await,
        Refusal::VaryStar => refusals::vary_star().await,
        Refusal::NoLifetime => refusals::no_lifetime().await,
        Refusal::Aged => refusals::aged().await,
        Refusal::TooLarge => refusals::too_large().await,
        Refusal::NoRoom => refusals::no_room().await,
        Refusal::Incomplete => refusals::incomplete().await,
        Refusal::Endless => refusals::endless().await,
        Refusal::NoVarySearch => refusals::no_vary_search().await,
        Refusal::Tags => refusals::tags().await,
        Refusal::RangeAnswer => refusals::range_answer().await,
        Refusal::UnaskedPart => refusals::unasked_part().await,
        Refusal::StaleServes => refusals::stale_serves().await,
        Refusal::HidesVariants => refusals::hides_variants().await,
    })
}

#[tokio::test]
async fn every_reason_is_said_of_some_answer_and_counted() {
    for reason in Reason::ALL {
        let (scene, says) = decided(reason).await;
        scene.says(says, "decisions", reason.as_str());
    }
}

#[tokio::test]
async fn every_refusal_is_said_of_some_answer_and_counted() {
    for refusal in Refusal::ALL {
        if let Some((scene, says)) = refused(refusal).await {
            scene.says(says, "refusals", refusal.as_str());
        }
    }
}

/// No proxy says it: what is not asked with GET passes for [`Reason::Method`], or is stored as what a GET would bring, or is a POST
/// that its route calls a read.
#[test]
fn the_rules_alone_refuse_a_method() {
    let (method, fields) = (http::Method::PUT, http::HeaderMap::new());
    let exchange = Exchange {
        method: &method,
        request: &fields,
        status: http::StatusCode::OK,
        response: &fields,
        request_time: SystemTime::UNIX_EPOCH,
        response_time: SystemTime::UNIX_EPOCH,
        wall: SystemTime::UNIX_EPOCH,
        veil: &Secret::random(),
    };
    let verdict = storability(&exchange, &sidecache::semantics::Policy::default());
    assert_eq!(verdict, Storability::Refuse(Refusal::Method));
}
