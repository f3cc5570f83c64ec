//! What every long-lived part is started with.

use crate::{
    clock::{Clock, Step},
    metrics::Metrics,
};
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How often the wall clock is compared with the time that has passed.
const COMPARE: Duration = Duration::from_secs(1);

/// Clones share everything.
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Where `now` comes from.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What runs in the background runs under it: the end of the process waits for its end.
    pub tasks: TaskTracker,
    /// Cancelled when what runs in the background is to end.
    pub stop: CancellationToken,
}

impl Runtime {
    /// Watches the clock from now on, until [`Runtime::stop`]. Must be called inside a runtime of tokio.
    pub fn start(clock: Clock, metrics: Arc<Metrics>) -> Self {
        let runtime = Self {
            clock,
            metrics,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        runtime.clock.compare(); // the first says where cache time begins
        let watching = watch(runtime.clock.clone(), runtime.stop.clone());
        runtime.tasks.spawn(watching);
        runtime
    }
}

/// Notices where the wall clock is set, and says so.
async fn watch(clock: Clock, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(COMPARE) => {}
            () = stop.cancelled() => return,
        }
        match clock.compare() {
            Some(Step::Back(by)) => tracing::warn!(
                seconds = by.as_secs(),
                "the wall clock was set back: what is stored goes on ageing as time passes; see who sets this clock, because \
                 Date, and Expires without one, are judged by it"
            ),
            Some(Step::Forward(by)) => tracing::warn!(
                seconds = by.as_secs(),
                "the wall clock was set forward, or this machine stood still: what is stored counts as older by that and is \
                 asked for anew where that ends its lifetime; see who sets this clock"
            ),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Manual;
    use parking_lot::Mutex;
    use std::{io, time::SystemTime};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_is_said_once() {
        let log = Log::default();
        let sink = log.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false);
        let lines = lines.with_writer(move || sink.clone()).finish();
        let _installed = tracing::subscriber::set_default(lines);
        let manual = Manual::at(SystemTime::UNIX_EPOCH + COMPARE * 1_000_000);
        let runtime = Runtime::start(Clock::Manual(manual.clone()), Metrics::new());
        let said_in_a_while = async || {
            log.0.lock().clear();
            for _ in 0..10 {
                manual.advance(COMPARE);
                tokio::time::sleep(COMPARE).await;
            }
            String::from_utf8(log.0.lock().clone()).unwrap()
        };
        assert_eq!(said_in_a_while().await, "");
        let (mut back, mut forward) = (0, 0);
        // Subscribers of tests beside this one may switch it off for a moment: that is remembered for all threads.
        for _ in 0..100 {
            tracing::callsite::rebuild_interest_cache();
            manual.step_back(COMPARE * 3600);
            let said = said_in_a_while().await;
            assert!(said.lines().count() <= 1, "{said}");
            back += usize::from(said.contains("set back") && said.contains("seconds=3600"));
            manual.step_forward(COMPARE * 60);
            let said = said_in_a_while().await;
            assert!(said.lines().count() <= 1, "{said}");
            forward += usize::from(said.contains("set forward") && said.contains("seconds=60"));
            if back > 0 && forward > 0 {
                break;
            }
        }
        assert!(back > 0 && forward > 0, "{back} {forward}");
        runtime.stop.cancel();
        runtime.tasks.close();
        runtime.tasks.wait().await;
    }
}
