//! Lines on their way to a sink: bounded in number and in bytes, and never waited for.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait.
const MAX_LINES: usize = 16_384;

/// What they have together, in bytes.
const MAX_BYTES: usize = 8 << 20;

/// What waits, and what could not.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    lines: AtomicUsize,
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

impl Waiting {
    /// How many lines were dropped, for want of room or because the sink failed.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Whether there is room for a line of so many bytes, which it takes.
    fn enter(&self, bytes: usize) -> bool {
        let lines = self.lines.fetch_add(1, Relaxed);
        let before = self.bytes.fetch_add(bytes, Relaxed);
        let fits = lines < MAX_LINES && before.saturating_add(bytes) <= MAX_BYTES;
        if !fits {
            self.leave(bytes);
            self.dropped.fetch_add(1, Relaxed);
        }
        fits
    }

    fn leave(&self, bytes: usize) {
        self.lines.fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
    }
}

/// Where lines are handed over, each in one piece.
#[derive(Clone, Debug)]
pub(super) struct Entrance {
    queue: NonBlocking,
    waiting: Arc<Waiting>,
}

impl Write for Entrance {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.waiting.enter(line.len()) {
            self.queue.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Entrance {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The other end, where a thread takes line by line.
struct Exit<W> {
    sink: W,
    waiting: Arc<Waiting>,
}

impl<W: Write> Write for Exit<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_all(line).map(|()| line.len())
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.sink.write_all(line);
        self.waiting.leave(line.len());
        if written.is_err() {
            self.waiting.dropped.fetch_add(1, Relaxed);
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// A queue before `sink`, what waits in it, and what writes that when it is dropped.
pub(super) fn before<W: Write + Send + 'static>(sink: W) -> (Entrance, Arc<Waiting>, WorkerGuard) {
    let waiting = Arc::new(Waiting::default());
    let exit = Exit {
        sink,
        waiting: Arc::clone(&waiting),
    };
    let (queue, worker) = NonBlockingBuilder::default()
        .lossy(true)
        // It never drops any: who enters has a place, and the word that ends it has one more.
        .buffered_lines_limit(MAX_LINES + 1)
        .thread_name("log")
        .finish(exit);
    let entrance = Entrance {
        queue,
        waiting: Arc::clone(&waiting),
    };
    (entrance, waiting, worker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead, BufReader},
        thread,
    };

    fn hand_over(entrance: &Entrance, line: &[u8], times: usize) {
        for _ in 0..times {
            entrance.clone().write_all(line).unwrap();
        }
    }

    /// Until nothing waits any more.
    fn emptied(waiting: &Waiting) {
        while waiting.lines.load(Relaxed) > 0 {
            thread::yield_now();
        }
    }

    /// What a pipe takes that nobody reads; the thread waits in the next write.
    const PIPE: usize = 64 << 10;

    #[test]
    fn a_sink_that_is_blocked_costs_a_fixed_number_of_bytes() {
        let (reader, writer) = io::pipe().unwrap();
        let (entrance, waiting, worker) = before(writer);
        let line = [&vec![b'x'; 31_000][..], b"\n"].concat();
        hand_over(&entrance, &line, 4_000);
        assert!(waiting.bytes.load(Relaxed) <= MAX_BYTES);
        let kept = 4_000 - usize::try_from(waiting.dropped()).unwrap();
        let most = MAX_BYTES + PIPE + line.len();
        assert!(
            kept * line.len() <= most && kept * line.len() > MAX_BYTES / 2,
            "{kept}"
        );
        let read = thread::spawn(|| BufReader::new(reader).lines().count());
        drop(worker);
        let read = read.join().unwrap();
        assert_eq!(read, kept, "each line that was not counted arrives");
        assert_eq!(waiting.bytes.load(Relaxed), 0);
    }

    #[test]
    fn many_short_lines_are_bounded_by_their_number() {
        let (reader, writer) = io::pipe().unwrap();
        let (entrance, waiting, worker) = before(writer);
        let line = b"a line of the log\n";
        hand_over(&entrance, line, 3 * MAX_LINES);
        assert!(waiting.lines.load(Relaxed) <= MAX_LINES);
        assert!(waiting.dropped() > MAX_LINES as u64);
        drop(reader);
        emptied(&waiting);
        drop(worker);
        let written = 3 * MAX_LINES - usize::try_from(waiting.dropped()).unwrap();
        assert!(
            written * line.len() <= PIPE,
            "what the pipe did not take is counted too"
        );
    }

    #[test]
    fn lines_that_the_sink_refuses_are_counted() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let (entrance, waiting, worker) = before(writer);
        hand_over(&entrance, b"lost\n", 7);
        emptied(&waiting);
        drop(worker);
        assert_eq!(waiting.dropped(), 7);
    }

    #[test]
    fn a_line_that_alone_is_too_long_is_dropped_and_the_next_is_not() {
        let (reader, writer) = io::pipe().unwrap();
        let (entrance, waiting, worker) = before(writer);
        hand_over(&entrance, &vec![b'x'; MAX_BYTES + 1], 1);
        hand_over(&entrance, b"short\n", 1);
        drop(worker);
        let lines: Vec<_> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!((lines, waiting.dropped()), (vec!["short".to_owned()], 1));
    }
}
