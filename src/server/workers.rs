//! The threads that requests run on.

use std::{io, num::NonZero, thread::available_parallelism};
use tokio::runtime::{Builder, Runtime};

/// A runtime with `workers` threads; 0 means one per core.
///
/// One worker is a runtime without any hand-over between threads; several share their work, because connections are
/// spread unevenly over few cores (docs/adr/0003).
///
/// # Errors
/// Where the system gives no threads.
pub fn runtime(workers: usize) -> io::Result<Runtime> {
    let workers = NonZero::new(workers)
        .or_else(|| available_parallelism().ok())
        .unwrap_or(NonZero::<usize>::MIN);
    let mut builder = match workers.get() {
        1 => Builder::new_current_thread(),
        several => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(several);
            builder
        }
    };
    builder
        .thread_name("sidecache")
        .max_blocking_threads(workers.get() * 2)
        .enable_all()
        .build()
}
