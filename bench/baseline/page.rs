//! The page: tables of the figures, and prose that is true whatever they are.

mod sections;

use crate::{
    claims::{self, Claim},
    figures::Figures,
};

/// The whole page in Markdown.
pub(crate) fn text(figures: &Figures) -> String {
    let parts = [
        head(figures),
        claims(&claims::all(figures)),
        sections::reads(figures),
        sections::repeated(figures),
        sections::forms(figures),
        sections::depth(figures),
        sections::writes(figures),
        sections::indexes(figures),
        sections::codings(figures),
        sections::load(figures),
        END.to_owned(),
    ];
    parts.join("\n")
}

/// Three digits that count.
pub(crate) fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        value if value >= 0.9995 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// With a comma between thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A table; the columns after the first one are aligned to the right if `numbers` says so.
fn table(head: &[&str], numbers: bool, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let rule = head.iter().enumerate();
    let rule = rule.map(|(place, _)| if numbers && place > 0 { "---:" } else { "---" });
    let mut text = format!(
        "| {} |\n|{}|\n",
        head.join(" | "),
        rule.collect::<Vec<_>>().join("|")
    );
    for row in rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

fn plot(name: &str, what: &str) -> String {
    format!("![{what}](baseline/{name})\n")
}

fn head(figures: &Figures) -> String {
    let run = &figures.run;
    let machine = run
        .machine
        .iter()
        .map(|(name, value)| vec![(*name).to_owned(), value.clone()]);
    let filled = figures.databases.iter();
    let filled = filled.map(|of| format!("{} in {:.0} s", of.name, of.filled_in_seconds));
    let more = [
        vec!["date".to_owned(), run.date.clone()],
        vec![
            "command".to_owned(),
            format!("`make baseline`, which is `{}`", run.command),
        ],
        vec![
            "data".to_owned(),
            format!(
                "{} messages, a tenth as many conversations; filled: {}",
                thousands(run.messages.into()),
                filled.collect::<Vec<_>>().join(", ")
            ),
        ],
    ];
    let table = table(&["", ""], false, machine.chain(more));
    format!(
        "# The baseline: what the whole stack does, in figures

<!-- Written by `make baseline` from bench/baseline; what is changed here is gone after the next run. -->

`make baseline` starts Redis, PostgreSQL, the [demo backend](demo.md) on SQLite and on PostgreSQL, and sidecache before it, measures them
with a client of its own, and writes this page, its plots and [figures.json](baseline/figures.json). It needs what `make test` needs, and
some ten minutes. `make baseline-check` is the short form, which CI runs: few rows, few samples, and it fails where a figure is missing
or where one is out of order that no machine can change (statements, sizes, a hit slower than a miss).

{table}
**How to read it.** Times are those of the client, from the first byte of the request to the last one of the answer, over one connection
that stays open, one request after the other, except under load. The median is what half of the requests do not exceed, p95 what 95 % do
not. Everything runs on one machine, over the loopback: client, proxy, backend, database and Redis share its cores and disturb each other, and no
network lies between them. In a service there is one between any two of them: add its round trip to every hit (client to proxy), to
every Redis hit (proxy to Redis) and, which is the most, to **every statement** (backend to database). So ratios say more than times, and counts more than
ratios: statements, bytes and hits are the same on every machine. PostgreSQL has its own defaults, SQLite WAL with `synchronous = NORMAL`, and
the proxy the repository's [proxy.toml](../proxy.toml), with a log line for each request.
"
    )
}

fn claims(claims: &[Claim]) -> String {
    let row = |claim: &Claim| {
        let cell = |find: &dyn Fn(&claims::Found) -> String| {
            let all = claim
                .found
                .iter()
                .map(|found| format!("{}: {}", found.database, find(found)));
            all.collect::<Vec<_>>().join("<br>")
        };
        vec![
            claim.what.to_owned(),
            claim.claimed.to_owned(),
            cell(&|found| found.measured.clone()),
            cell(&|found| found.verdict.text().to_owned()),
            claim.why.to_owned(),
        ]
    };
    let head = ["claim", "usual", "here", "verdict", "what decides"];
    format!(
        "## What is usually claimed, and what holds here

Figures like those in the second column stand in many descriptions of such work. They are true of the service that they were taken of.

{}",
        table(&head, false, claims.iter().map(row))
    )
}

const END: &str = "\
## What this does not show

More than one machine, a network between the parts, TLS, cores that nobody else uses, a database that is larger than the memory, a load
that lasts for hours. A single hit beside other proxies is in [performance.md](performance.md), as are memory by size of the cache and the
costs that are counted in instructions; overload and failures are in [reliability.md](reliability.md).
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_count() {
        let written = [0.0421, 0.9996, 1.234, 9.996, 12.34, 99.96, 1234.5].map(digits);
        assert_eq!(
            written,
            ["0.042", "1.00", "1.23", "10.0", "12.3", "100", "1234"]
        );
        assert_eq!(
            [0, 999, 1000, 1_000_000].map(thousands),
            ["0", "999", "1,000", "1,000,000"]
        );
    }
}
