//! What such work usually claims, beside what holds here.

use crate::figures::{Figures, OfDatabase, Source, Way};

/// One claim and what was found of it on each database.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) what: &'static str,
    pub(crate) claimed: &'static str,
    pub(crate) found: Vec<Found>,
    /// What decides about it, whatever the figures are.
    pub(crate) why: &'static str,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) database: &'static str,
    pub(crate) measured: String,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    /// More than was claimed.
    Exceeded,
    Fails,
}

/// Whether what was claimed to be at least `least`, and in many places at most `most`, is so.
fn between(value: f64, least: f64, most: f64) -> Verdict {
    if value > most {
        Verdict::Exceeded
    } else if value >= least {
        Verdict::Holds
    } else {
        Verdict::Fails
    }
}

/// All of them. A figure that is missing makes no verdict.
pub(crate) fn all(figures: &Figures) -> Vec<Claim> {
    let claim = |what, claimed, why, find: fn(&OfDatabase) -> Option<(String, Verdict)>| {
        let found = figures.databases.iter().filter_map(|of| {
            let (measured, verdict) = find(of)?;
            Some(Found {
                database: of.name,
                measured,
                verdict,
            })
        });
        Claim {
            what,
            claimed,
            found: found.collect(),
            why,
        }
    };
    vec![
        claim(
            "a cached read is faster",
            "90 to 95 % (50 → 5 ms)",
            "what the backend takes decides: a hit takes the same whatever was behind it, so the slower the backend, the more is saved",
            cached_read,
        ),
        claim(
            "statements of a list with N+1",
            "101 → 2",
            "the form decides, no machine does",
            statements,
        ),
        claim(
            "a list of 100 with relations is faster",
            "10 × (1500 → 150 ms)",
            "the way to the database decides: on the loopback, or inside the process, a statement costs microseconds; with 1 ms of network before the database each of the statements that are saved is 1 ms",
            relations,
        ),
        claim(
            "bulk writes are faster",
            "100 ×",
            "the statements and the commits that are saved decide: where a commit waits for a disk, or a statement for a network, the factor is larger",
            bulk,
        ),
        claim(
            "hit rate",
            "70 to 90 %",
            "how often the same is asked for before a write or its lifetime ends it decides: the rate grows with the requests a second, the share of reads and the skew of what is popular, and with the time since the cache was empty",
            hit_rate,
        ),
        claim(
            "95th percentile of all requests under load",
            "−70 %",
            "the slowest requests decide, and those are the misses and the writes, which the cache does not make faster; only where hits are more than 95 % of all requests is the 95th percentile a hit",
            p95,
        ),
        claim(
            "memory",
            "+50 MB",
            "`cache.memory.max` (64 MiB) and Redis' `maxmemory` (512 MB) decide in the end, and how much is asked for until they are reached; with what a connection takes, at most 1.3 times the former",
            memory,
        ),
    ]
}

fn cached_read(of: &OfDatabase) -> Option<(String, Verdict)> {
    let before = of.read(Source::Backend)?.time.median_ms;
    let after = of.read(Source::Memory)?.time.median_ms;
    let saved = (1.0 - after / before) * 100.0;
    Some((
        format!("{saved:.1} % ({before:.2} → {after:.2} ms)"),
        between(saved, 90.0, 95.0),
    ))
}

fn statements(of: &OfDatabase) -> Option<(String, Verdict)> {
    let before = of.form("conversations", "naive")?.statements;
    let after = of.form("conversations", "batched")?.statements;
    let verdict = if (before, after) == (101, 2) {
        Verdict::Holds
    } else {
        Verdict::Fails
    };
    Some((format!("{before} → {after}"), verdict))
}

fn relations(of: &OfDatabase) -> Option<(String, Verdict)> {
    let before = of.form("threads", "naive")?.time.median_ms;
    let after = of.form("threads", "batched")?.time.median_ms;
    let factor = before / after;
    Some((
        format!("{factor:.1} × ({before:.1} → {after:.1} ms)"),
        between(factor, 9.5, 10.5),
    ))
}

fn bulk(of: &OfDatabase) -> Option<(String, Verdict)> {
    let (each, bulk) = (of.write(Way::RequestEach)?, of.write(Way::Bulk)?);
    let (before, after) = (each.time.median_ms, bulk.time.median_ms);
    let factor = before / after;
    Some((
        format!(
            "{factor:.0} × ({before:.0} → {after:.1} ms for {})",
            bulk.messages
        ),
        between(factor, 95.0, 105.0),
    ))
}

fn hit_rate(of: &OfDatabase) -> Option<(String, Verdict)> {
    let stack = &of.load.stack;
    let (rate, last) = (stack.hit_rate() * 100.0, stack.last_hit_rate * 100.0);
    Some((
        format!("{rate:.1} % of the reads, {last:.1} % in the last quarter"),
        between(rate, 70.0, 90.0),
    ))
}

fn p95(of: &OfDatabase) -> Option<(String, Verdict)> {
    let (before, after) = (of.load.backend.p95_ms, of.load.stack.p95_ms);
    let change = (after / before - 1.0) * 100.0;
    let hits = of.load.stack.hits as f64 / of.load.stack.sent as f64 * 100.0;
    let verdict = between(-change, 65.0, 75.0);
    Some((
        format!("{change:+.0} % ({before:.2} → {after:.2} ms), hits are {hits:.0} % of all")
            .replace('-', "−"),
        verdict,
    ))
}

/// Less is better here.
fn memory(of: &OfDatabase) -> Option<(String, Verdict)> {
    let stack = &of.load.stack;
    let (proxy, redis) = (
        stack.memory_mib("sidecache"),
        stack.memory_mib("redis-server"),
    );
    let verdict = match between(proxy + redis, 40.0, 60.0) {
        Verdict::Exceeded => Verdict::Fails,
        Verdict::Holds => Verdict::Holds,
        Verdict::Fails => Verdict::Exceeded,
    };
    Some((
        format!(
            "+{:.0} MiB (sidecache {proxy:.0}, Redis {redis:.0})",
            proxy + redis
        ),
        verdict,
    ))
}

// === impl Verdict ===

impl Verdict {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Exceeded => "better here",
            Self::Fails => "**does not hold here**",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_made_of_the_figure() {
        let verdicts = [96.0, 95.0, 90.0, 89.9].map(|value| between(value, 90.0, 95.0));
        use Verdict::{Exceeded, Fails, Holds};
        assert_eq!(verdicts, [Exceeded, Holds, Holds, Fails]);
        assert_eq!(between(f64::NAN, 1.0, 2.0), Fails);
    }
}
