//! `[compress]`: the content codings of what clients get.

use super::{
    problem::Problem,
    section::Section,
    typed::word,
    value::{Text, Value},
};
use crate::{
    cache::coding::{Levels, Settings},
    semantics::Coding,
};

/// Reads `[compress]`.
pub(super) fn read(section: Section<'_>) -> Settings {
    let default = Settings::default();
    let level = |key, default: u8, limits| {
        let level = section.count(key, default.into(), limits).value;
        u8::try_from(level).expect("its limit is below 20")
    };
    let levels = Levels {
        gzip: level("level", default.levels.gzip, 1..=9),
        zstd: level("zstd_level", default.levels.zstd, 1..=19),
        brotli: level("brotli_level", default.levels.brotli, 0..=11),
    };
    let settings = Settings {
        enabled: section.boolean("enabled", default.enabled).value,
        codings: codings(&section).unwrap_or(default.codings),
        min_size: section
            .size("min_size", default.min_size, 0..=u64::MAX)
            .value,
        levels,
    };
    section.finish();
    settings
}

/// The codings in their order of preference; `None` unless they are written, and right.
fn codings(section: &Section<'_>) -> Option<Vec<Coding>> {
    let mut named = Vec::new();
    let setting = section.list("codings", |value, text| {
        let coding = coding(value, text)?;
        if named.contains(&coding) {
            return value.fail(
                &format!("names \"{}\" twice", coding.name()),
                "strike one of them",
            );
        }
        named.push(coding);
        Some(coding)
    });
    if let (Some(at), Some([])) = (setting.at, setting.value.as_deref()) {
        let message = "`compress.codings` names no coding";
        let help = "write `enabled = false` to compress nothing";
        section.reader.report(Problem::new(message, at).help(help));
        return None;
    }
    setting.value
}

fn coding(value: &Value<'_>, text: &Text<'_>) -> Option<Coding> {
    let words = Coding::ALL.map(|coding| (coding.name(), coding));
    word(value, text, &words)
}
