//! One section for each thing that is measured.

use super::{digits, plot, table, thousands};
use crate::{
    figures::{Depth, Figures, Form, Index, OfDatabase, Read, Source, Write},
    sample::whole,
};

/// A row for each line of each database, with its name in front.
fn rows<'a, T: 'a>(
    figures: &'a Figures,
    lines: impl Fn(&'a OfDatabase) -> &'a [T],
    row: impl Fn(&'a OfDatabase, &'a T) -> Vec<String>,
) -> Vec<Vec<String>> {
    let all = figures
        .databases
        .iter()
        .flat_map(|of| lines(of).iter().map(move |line| (of, line)));
    let all = all.map(|(of, line)| [vec![of.name.to_owned()], row(of, line)].concat());
    all.collect()
}

pub(super) fn reads(figures: &Figures) -> String {
    let row = |of: &OfDatabase, read: &Read| {
        let alone = of
            .read(Source::Backend)
            .map_or(f64::NAN, |read| read.time.median_ms);
        vec![
            read.source.name().to_owned(),
            digits(read.time.median_ms),
            digits(read.time.p95_ms),
            format!("{:.0} %", read.time.median_ms / alone * 100.0),
            read.statements.to_string(),
            thousands(read.bytes as u64),
        ]
    };
    let head = [
        "database",
        "answered by",
        "median ms",
        "p95 ms",
        "of backend alone",
        "statements",
        "bytes, head and body",
    ];
    format!(
        "## The cached endpoint

`GET /api/conversations?limit=100`: the client asks the backend itself; the proxy, which has nothing yet (a miss); another replica, which
finds in Redis what the first has stored; the first one again, which has it in memory; and once more with the ETag (304).

{}
{}
**For a service.** The difference between the first two rows is what the proxy costs where it cannot help. A hit takes the same time
whatever was behind it: what it saves is the backend's time, so begin where requests × time of the backend is largest
([how to find that](caching-strategy.md#begin-with-what-costs)). A Redis hit is for the first request at each replica and after a restart; from then on it is the
memory's. What a 304 saves is the body: on the loopback that is little time, on a slow line most of it.
",
        table(&head, true, rows(figures, |of| &of.reads, row)),
        plot("reads.svg", "Times of the five ways to answer")
    )
}

pub(super) fn repeated(figures: &Figures) -> String {
    let rows = figures.databases.iter().flat_map(|of| {
        [
            ("backend alone", &of.repeated.backend),
            ("stack", &of.repeated.stack),
        ]
        .map(|(side, ten)| {
            vec![
                of.name.to_owned(),
                side.to_owned(),
                digits(ten.time.median_ms),
                digits(ten.time.p95_ms),
                ten.statements.to_string(),
            ]
        })
    });
    let head = [
        "database",
        "side",
        "median ms for ten",
        "p95 ms",
        "statements for ten",
    ];
    format!(
        "## Ten reads of the same

`GET /api/conversations/{{id}}`, ten times in a row, each time of another one that nobody has read yet: the first of the ten is a miss.

{}
**For a service.** The statements fall to a tenth on every machine. The time falls to what the first one took and nine hits; how much
that is depends on what one costs. Rows by their primary key are the cheapest thing that there is to read: there a cache is for the
database's sake more than for the client's.
",
        table(&head, true, rows)
    )
}

pub(super) fn forms(figures: &Figures) -> String {
    let row = |_: &OfDatabase, form: &Form| {
        vec![
            form.list.to_owned(),
            form.form.to_owned(),
            form.statements.to_string(),
            digits(form.database_ms),
            digits(form.time.median_ms),
            digits(form.time.p95_ms),
        ]
    };
    let head = [
        "database",
        "list of 100",
        "form",
        "statements",
        "ms in the database",
        "median ms",
        "p95 ms",
    ];
    format!(
        "## The N+1 problem, and a list of 100 with relations

The backend alone, without a cache. All forms of a list answer the same bytes ([what they are](demo.md#the-n1-problem-and-its-ways-out)): `conversations`
have their last messages; `threads` also owner, people and profiles.

{}
{}
**For a service.** The number of statements is what counts: each of them is a round trip to the database. Multiply it by yours (some 0.2 ms in a
data centre, 1 ms between zones) and add it to these times: that is what N+1 costs there, and what cannot be seen on a developer's
machine. One statement that joins everything is the fewest round trips and need not be the fastest: it repeats each row as often as it has
relations. A cache that lives as long as the request saves what comes again within it, and no more.

How to find it: [the profiler](demo.md#how-to-use-the-profiler).
",
        table(&head, true, rows(figures, |of| &of.forms, row)),
        plot("forms.svg", "Times of the forms of both lists")
    )
}

pub(super) fn depth(figures: &Figures) -> String {
    let row = |_: &OfDatabase, depth: &Depth| {
        vec![
            thousands(depth.behind.into()),
            digits(depth.offset.median_ms),
            digits(depth.cursor.median_ms),
            format!(
                "{} ×",
                digits(depth.offset.median_ms / depth.cursor.median_ms)
            ),
        ]
    };
    let head = [
        "database",
        "messages before the page",
        "offset, median ms",
        "cursor, median ms",
        "offset / cursor",
    ];
    format!(
        "## Far down a list: cursor against offset

A page of 100 of {} messages, newest first: `/api/naive/messages?page=` by its number, `/api/messages?after=` by a cursor. Both show the same
messages; the client has walked the whole way down by cursors.

{}
{}
**For a service.** An offset reads and throws away all that stands before the page, so its cost grows with the depth; a cursor begins in
the index where the last page ended, wherever that is. On the first pages both read the same, and what differs there is noise. Who reads deep
pages are exports, synchronisations and crawlers: give them cursors.
",
        thousands(figures.run.messages.into()),
        table(&head, true, rows(figures, |of| &of.depths, row)),
        plot("depth.svg", "Times of a page by its depth")
    )
}

pub(super) fn writes(figures: &Figures) -> String {
    let row = |of: &OfDatabase, write: &Write| {
        let bulk = of
            .writes
            .first()
            .map_or(f64::NAN, |bulk| bulk.time.median_ms);
        vec![
            write.way.name().to_owned(),
            thousands(write.statements),
            digits(write.time.median_ms),
            digits(write.time.median_ms / write.messages as f64),
            format!("{} ×", digits(write.time.median_ms / bulk)),
        ]
    };
    let head = [
        "database",
        "way",
        "statements",
        "ms for all, median",
        "ms for each",
        "of bulk",
    ];
    let messages = figures.databases.iter().flat_map(|of| &of.writes).next();
    format!(
        "## Bulk against single writes

{} messages into one conversation: `POST …/messages/bulk`, which takes four statements in one transaction; the same request below `/api/naive/`, with three statements and a
transaction for each message; and a request for each.

{}
{}
**For a service.** What is saved are round trips and commits: count the statements. PostgreSQL waits at each commit until the disk has it
(`synchronous_commit`; not in the short form), SQLite with these settings does not. A network before the database makes each statement slower by a
round trip, which is four for the bulk and thousands for the others, so there the factor is larger than here. One bulk is also one purge in the cache, and a
thousand requests are a thousand.
",
        thousands(messages.map_or(0, |write| write.messages as u64)),
        table(&head, true, rows(figures, |of| &of.writes, row)),
        plot("writes.svg", "Times of many writes")
    )
}

pub(super) fn indexes(figures: &Figures) -> String {
    let row = |_: &OfDatabase, index: &Index| {
        vec![
            format!("`{}`", index.name),
            format!("`{}`", index.serves),
            digits(index.without.median_ms),
            digits(index.with.median_ms),
            format!(
                "{} ×",
                digits(index.without.median_ms / index.with.median_ms)
            ),
            if index.is_used { "yes" } else { "no" }.to_owned(),
            format!("{:.1}", index.bytes as f64 / 1e6),
            index
                .made_in_ms
                .map_or("—".to_owned(), |ms| digits(ms / 1e3)),
        ]
    };
    let head = [
        "database",
        "index",
        "request",
        "without, median ms",
        "with, median ms",
        "without / with",
        "in the plan",
        "MB",
        "made in s",
    ];
    format!(
        "## Each index, before and after

Each index is dropped by itself and made again; the request that it is for is measured without and with it, the whole request and not its
statement alone. Whether the plan names it is what `sidecache demo migrate analyze` says. In SQLite words are in a table of
their own, which cannot be dropped alone: without it is `/api/naive/search`, which reads every text.

{}
{}
**For a service.** An index is worth the rows that need not be read. Where the factor is about 1, the table is small, or the rows
that are wanted come early in another order (the newest ones, of somebody who writes much), or another index does nearly as well: such an index
costs space, and time at each write, and can wait until the data are others. Where it is large, the statement read the whole table without: what looks for
little among much, and what has to find that there is *nothing*, as the deletion of somebody on whom nothing depends. `analyze` says of your own data
which indexes are used. The last column is what making it on a table in use will take, about: in PostgreSQL `CREATE INDEX CONCURRENTLY` does not block writers
meanwhile.
",
        table(&head, true, rows(figures, |of| &of.indexes, row)),
        plot("indexes.svg", "Times without and with each index")
    )
}

pub(super) fn codings(figures: &Figures) -> String {
    let plain = figures
        .codings
        .first()
        .map_or(f64::NAN, |coding| coding.bytes as f64);
    let rows = figures.codings.iter().map(|coding| {
        vec![
            coding.coding.to_owned(),
            thousands(coding.bytes as u64),
            format!("{:.0} %", coding.bytes as f64 / plain * 100.0),
            digits(coding.first.median_ms),
            digits(coding.later.median_ms),
        ]
    });
    let head = [
        "coding",
        "bytes of the body",
        "of identity",
        "first hit in this coding, median ms",
        "later hits, median ms",
    ];
    format!(
        "## gzip, br and zstd

`GET /api/conversations?limit=100` out of the memory, by what the client accepts. The levels are those of `[compress]`: gzip 6, br 5,
zstd 3; bodies below `min_size`, 1,000 bytes, stay as they are.

{}
{}
**For a service.** The size is what a client on a slow line waits for: at 10 Mbit/s, 10 kB are 8 ms. Each stored answer is coded once for each coding, and
later hits send what is there, so the time of coding is paid by the first one alone; what is not stored is coded each time. How small
an answer becomes depends on how much it repeats itself: lists in JSON do, and the demo's texts do more than real ones.
",
        table(&head, true, rows),
        plot("codings.svg", "Sizes by coding")
    )
}

pub(super) fn load(figures: &Figures) -> String {
    let plan = &figures.run.load;
    let each = || {
        figures.databases.iter().flat_map(|of| {
            [
                ("backend alone", &of.load.backend),
                ("stack", &of.load.stack),
            ]
            .map(|(name, side)| (vec![of.name.to_owned(), name.to_owned()], side))
        })
    };
    let times = each().map(|(mut row, side)| {
        let rate = if side.hits == 0 {
            "—".to_owned()
        } else {
            let rates = [side.hit_rate(), side.last_hit_rate].map(|rate| rate * 100.0);
            format!("{:.1} %, {:.1} %", rates[0], rates[1])
        };
        row.extend([
            rate,
            digits(side.p50_ms),
            digits(side.p95_ms),
            digits(side.p99_ms),
            digits(side.statements_per_request),
            digits(side.cpu_ms_per_request()),
            thousands(whole(side.most_per_second) as u64),
        ]);
        row
    });
    let head = [
        "database",
        "side",
        "hit rate: all, last quarter",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "statements per request",
        "CPU ms per request, all",
        "requests/s at most",
    ];
    let processes = each().flat_map(|(row, side)| {
        side.processes.iter().map(move |process| {
            let figures = [
                process.name.to_owned(),
                digits(process.cpu_ms_per_request),
                format!("{:.1} %", process.cpu_percent),
                digits(process.memory_mib),
            ];
            [row.clone(), figures.to_vec()].concat()
        })
    });
    let of_processes = [
        "database",
        "side",
        "process",
        "CPU ms per request",
        "of a core",
        "memory MiB",
    ];
    format!(
        "## Readers and writers together

{} requests a second for {} seconds over {} connections, the same ones in the same order each time, first to the backend alone, then
to the stack, each with new processes, and with an empty cache. In a hundred there are 50 single conversations, 15 first pages of the list, 10 lists of messages,
10 users, 5 searches, 5 lists of threads, 2.5 renamed conversations and 2.5 new messages; which conversation it is follows Zipf's law over the {}
newest: the first is asked for twice as often as the second, and so on. A request that finds no free connection has waited since it was
due. \"At most\" is the same load as fast as the answers come, with the cache that is warm by then.

{}
{}
{}
The hit rate is that of the reads. Memory is what a process has for itself and its part of what it shares with others (PSS), at the end of the load; the
client's own CPU is not in the table but on the same cores.

**For a service.** What a cache takes off are the statements, and with them the CPU of backend and database; that is the figure to plan
with. The median is a hit as soon as half of all requests are. The 95th and 99th percentile are not: writes pass through the
cache, and what they purge is a miss for the next reader, so as long as writes and misses are more than 5 % of the requests the slow end is
the backend's time and what the proxy adds. It gets better with a cache where the backend is slow because it is busy: then the load
that is taken off makes the misses faster too. The hit rate grows with the requests between two writes: ten times as many users make it higher, ten
replicas without Redis make it lower. Here the cache is empty at the start, so the whole time's rate is below that of the last quarter.
{}",
        thousands(plan.rate.into()),
        plan.seconds,
        plan.connections,
        thousands(plan.population as u64),
        table(&head, true, times),
        plot("load.svg", "The times of all answers under load"),
        table(&of_processes, true, processes),
        late(figures),
    )
}

/// Says so where a side could not keep up.
fn late(figures: &Figures) -> String {
    let sides = figures.databases.iter().flat_map(|of| {
        [
            ("backend alone", &of.load.backend),
            ("stack", &of.load.stack),
        ]
        .map(|(name, side)| (of.name, name, side))
    });
    let late = sides.filter(|(_, _, side)| side.sent < side.requests);
    late.map(|(database, name, side)| {
        format!(
            "\n{database}, {name}: could not keep up; {} of {} requests were sent within three times the time.\n",
            thousands(side.sent as u64),
            thousands(side.requests as u64)
        )
    })
    .collect()
}
