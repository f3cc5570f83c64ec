//! What one caller's answer does to the next.

use super::facts::Facts;
use crate::{
    config::problem::Problem,
    semantics::{SetCookie, Share, credentials::Credentials, name_pattern::NamePattern},
    store::Secret,
};

/// A cookie that is stored is handed to all that come after.
pub(super) fn one_cookie_for_everybody(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    for line in facts.routes().filter(|line| line.route.policy.cache) {
        let policy = &line.route.policy;
        if policy.set_cookie != SetCookie::Store {
            continue;
        }
        let message = match policy.share {
            Share::All | Share::Those(_) => {
                "`set_cookie = \"store\"` beside `share`: the session that one caller is given, everybody gets"
            }
            Share::Anonymous => {
                "`set_cookie = \"store\"` hands the cookie of the first caller to all that come after"
            }
        };
        let help = "write \"strip\" to store answers without their cookies, unless the cookie says nothing of who asks";
        found.push(line.warn("set_cookie", message).help(help));
    }
}

/// `override` is stronger than most who write it think: it does not only lengthen what the origin says.
pub(super) fn the_origin_is_overruled(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    for line in facts.routes() {
        let policy = &line.route.policy;
        if !policy.override_origin || !policy.cache {
            continue;
        }
        let problem = match policy.share {
            Share::All => line
                .warn(
                    "override",
                    "`override = true` beside `share = \"all\"` stores what the origin calls `private` or `no-store`, and gives it to \
                     everybody",
                )
                .help("leave one of the two out, unless no answer of this route depends on who asks"),
            Share::Anonymous | Share::Those(_) => line
                .remark(
                    "override",
                    "`override = true` stores what the origin says not to: `no-store` and `no-cache`, which many frameworks send on \
                     pages of one user; `private` is not stored",
                )
                .help("be sure that no answer of this route depends on who asks, or leave `override` out"),
        };
        found.push(problem);
    }
}

/// It opens `Authorization` with the cookies, which is seldom what was meant.
pub(super) fn whoever_asks_gets_the_same(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    for line in facts.routes() {
        let policy = &line.route.policy;
        let told = policy.override_origin || policy.set_cookie == SetCookie::Store;
        if policy.cache && policy.share.is_all() && !told {
            let message = "`share = \"all\"`: callers with `Authorization`, cookies or keys get each other's answers";
            let help = "name what does not matter, such as `share = [\"cookie\"]`, where an answer may depend on who asks";
            found.push(line.remark("share", message).help(help));
        }
    }
}

/// Without a cookie nobody says by one who asks, neither here nor to the backend.
pub(super) fn every_cookie_is_dropped(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    for line in facts.routes().filter(|line| line.route.policy.cache) {
        let mut ignored = line.route.policy.cookies.ignore.iter();
        if ignored.any(NamePattern::is_any) {
            let message = "`cookies.ignore` drops every cookie: none reaches the backend, and who is logged in gets what a visitor gets";
            let help = "name those that do not matter, such as `ignore = [\"analytics\"]`, where an answer may depend on who asks";
            found.push(line.remark("cookies.ignore", message).help(help));
        }
    }
}

/// Digests that anybody can make who knows the prefix hide a short key from nobody.
pub(super) fn a_prefix_is_no_secret(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    let secret = facts.config.store.secret.as_ref();
    if !secret.is_some_and(Secret::is_of_prefix) {
        return;
    }
    for line in facts.routes().filter(|line| line.route.policy.cache) {
        let policy = &line.route.policy;
        let mut headers = line.route.key.headers.iter();
        if headers.any(|name| policy.credentials.has(name)) {
            let message = "a credential is in the key, and in Redis its digest is keyed by `cache.prefix` alone, as long as there is no `cache.secret`";
            let help = "write `secret = \"${CACHE_SECRET}\"` under `[cache]`, the same for all replicas: who can read Redis could try out keys";
            found.push(line.remark("key", message).help(help));
        }
    }
}

/// A list takes the place of the usual one, which is seldom what was meant.
pub(super) fn the_usual_credentials_count(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    let listed = facts.config.default_policy.credentials.patterns();
    let usual = Credentials::usual();
    if usual.patterns().iter().any(|name| !listed.contains(name)) {
        let message = "`cache.credentials` takes the place of the usual list: callers with another field, such as a key of an API, share answers";
        let help = "write \"usual\" among them: `credentials = [\"usual\", \"x-badge\"]`";
        found.push(facts.warn("cache.credentials", message).help(help));
    }
}
