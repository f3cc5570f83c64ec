//! Who may share what is stored: `cache.credentials`, `cache.secret`, and what a route says of it.

use std::sync::Arc;

use super::{
    document::clip,
    nearest::{nearest, slip_of},
    problem::Problem,
    reader::Read,
    section::Section,
    value::{Text, Value},
};
use crate::{
    semantics::{
        Share,
        cookies::{ANALYTICS, Cookies},
        credentials::Credentials,
        name_pattern::NamePattern,
    },
    store::Secret,
};

/// More names than anybody lists; each costs a comparison for each field of a hit.
const MOST_NAMES: usize = 256;

/// What stands for the usual credentials in a list that adds to them.
const USUAL: &str = "usual";

/// What stands for the cookies of analytics and advertisements.
const PRESET: &str = "analytics";

/// `cache.credentials`: the usual ones unless a list takes their place. Those of HTTP itself are always among them.
pub(super) fn credentials(section: &Section<'_>) -> Arc<Credentials> {
    let usual = |text: &str| (text == USUAL).then(|| Credentials::usual().patterns().to_vec());
    let listed = section.read("credentials", |value| {
        for item in value.items()? {
            let text = item.text()?;
            // A name that is nearly the word would switch all of the usual ones off.
            if text.value != USUAL && nearest(&text.value, [USUAL]).is_some() {
                return item.fail_text(
                    &text,
                    "holds a name like \"usual\"",
                    "did you mean \"usual\"?",
                );
            }
        }
        let of_http = ["authorization", "cookie", "proxy-authorization"];
        let of_http = of_http
            .iter()
            .filter_map(|name| NamePattern::parse(name).ok());
        let names = of_http.chain(names(value, usual, field)?).collect();
        Some(Arc::new(Credentials::new(names)))
    });
    listed.value.unwrap_or_else(Credentials::usual)
}

/// `cache.secret`; without one the prefix has to do where there is a Redis.
pub(super) fn secret(section: &Section<'_>, prefix: Option<&str>) -> Option<Secret> {
    let written = section.read("secret", |value| {
        let Some(text) = value.text() else {
            return Read::Wrong;
        };
        if text.value.is_empty() {
            return Read::Empty;
        }
        if (16..=256).contains(&text.value.len()) {
            return Read::Value(Secret::new(&text.value));
        }
        let help = "make one with `openssl rand -hex 16`, the same for all replicas";
        value.fail_secret("must be 16 to 256 bytes", help).into()
    });
    written.value.or_else(|| prefix.map(Secret::of_prefix))
}

/// `route.share`: a word, or the credentials that do not matter.
pub(super) fn share(section: &Section<'_>) -> Share {
    let share = section.read("share", |value| {
        if value.is_list() {
            let names = names(value, |_| None, field)?;
            if names.iter().any(NamePattern::is_any) {
                return value.fail("names every field", "write `share = \"all\"`");
            }
            return Some(if names.is_empty() {
                Share::Anonymous
            } else {
                Share::Those(names.into())
            });
        }
        let text = value.text()?;
        match text.value.as_ref() {
            "anonymous" => Some(Share::Anonymous),
            "all" => Some(Share::All),
            other => {
                let help = "write \"anonymous\", \"all\", or a list of the fields that do not matter, such as [\"cookie\"]";
                value.fail_text(&text, &format!("cannot be \"{}\"", clip(other)), help)
            }
        }
    });
    share.value.unwrap_or(Share::Anonymous)
}

/// `route.cookies`.
pub(super) fn cookies(section: Section<'_>) -> Arc<Cookies> {
    let preset = |text: &str| {
        let parse = |name: &&str| NamePattern::parse(name).ok();
        (text == PRESET).then(|| ANALYTICS.iter().filter_map(parse).collect())
    };
    let ignored = |value: &Value<'_>, text: &Text<'_>| {
        // A cookie of that name is rarer than a slip, after which the preset would be gone without a word.
        if slip_of(&text.value, [PRESET]).is_some() {
            let help = format!(
                "did you mean \"{PRESET}\"? A cookie that is called so is matched by \"{}*\" too",
                text.value
            );
            return value.fail_text(text, "holds a name like \"analytics\"", &help);
        }
        cookie(value, text)
    };
    let ignore = section.read("ignore", |value| names(value, preset, ignored));
    let key = section.list("key", whole_cookie);
    let cookies = Cookies {
        ignore: ignore.value.unwrap_or_default().into(),
        key: key.value.unwrap_or_default().into(),
    };
    let ignored = |name: &str| cookies.ignore.iter().any(|pattern| pattern.matches(name));
    if let Some(name) = cookies.key.iter().find(|name| ignored(name)) {
        let message = format!("`{name}` is in `cookies.key` and ignored by `cookies.ignore`");
        let problem = Problem::new(message, key.at);
        let help = "leave it out of one: what is ignored does not reach the backend, so it cannot select the answer";
        section.reader.report(problem.help(help));
    }
    section.finish();
    Arc::new(cookies)
}

/// A list of names and patterns; `preset` says what a word among them stands for.
fn names(
    value: &Value<'_>,
    preset: impl Fn(&str) -> Option<Vec<NamePattern>>,
    check: impl Fn(&Value<'_>, &Text<'_>) -> Option<NamePattern>,
) -> Option<Vec<NamePattern>> {
    let items = value.items()?;
    if items.len() > MOST_NAMES {
        let help = "let one pattern such as `x-user-*` stand for many";
        return value.fail(
            &format!("has {} names, at most {MOST_NAMES} fit", items.len()),
            help,
        );
    }
    let read: Vec<Option<Vec<NamePattern>>> = items
        .iter()
        .map(|item| {
            let text = item.text()?;
            preset(&text.value).or_else(|| Some(vec![check(item, &text)?]))
        })
        .collect();
    let read: Option<Vec<Vec<NamePattern>>> = read.into_iter().collect();
    Some(read?.concat())
}

/// A field, in lower case.
fn field(value: &Value<'_>, text: &Text<'_>) -> Option<NamePattern> {
    let name = text.value.to_ascii_lowercase();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(allowed) {
        let help = "write it like \"x-api-key\" or \"x-user-*\"";
        return value.fail_text(text, "holds what is not the name of a field", help);
    }
    // `X_Api_Key` and `X-Api-Key` are one to those who answer by it.
    let odd = |c: char| !c.is_ascii_alphanumeric() && c != '*';
    pattern(value, text, &name.replace(odd, "-"))
}

fn cookie(value: &Value<'_>, text: &Text<'_>) -> Option<NamePattern> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte);
    if text.value.is_empty() || !text.value.bytes().all(allowed) {
        let help = "write it like \"lang\" or \"_ga*\", as it is spelled, without a value";
        return value.fail_text(text, "holds what is not the name of a cookie", help);
    }
    pattern(value, text, &text.value)
}

/// One that is in the key, which is compared name by name.
fn whole_cookie(value: &Value<'_>, text: &Text<'_>) -> Option<Box<str>> {
    cookie(value, text)?;
    if text.value.contains('*') {
        return value.fail_text(text, "holds a pattern", "write each name in full");
    }
    Some(Box::from(&*text.value))
}

fn pattern(value: &Value<'_>, text: &Text<'_>, name: &str) -> Option<NamePattern> {
    NamePattern::parse(name).ok().or_else(|| {
        let message = format!("holds `{}`, with more than one `*`", clip(&text.value));
        value.fail_text(
            text,
            &message,
            "write one `*`: `x-user-*`, `*-token` or `a*b`",
        )
    })
}
