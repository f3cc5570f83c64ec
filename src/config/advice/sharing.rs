//! What one caller's answer does to the next.

use super::facts::Facts;
use crate::{
    config::problem::Problem,
    semantics::{SetCookie, Share},
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
