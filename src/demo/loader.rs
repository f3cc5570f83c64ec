//! Makes one statement of what many ask for one by one.
//!
//! Each asks for its own keys, as if it were alone. The first one waits for one turn of the runtime, in which all others ask that
//! run beside it; then it fetches the keys of all with one statement, and wakes them all at once, so that what they ask for next is
//! one statement again. What was brought stays for the life of the loader, which is that of a request: nothing in it can grow old.

use std::{
    collections::{BTreeSet, HashMap},
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use futures_util::future::{BoxFuture, FutureExt as _};
use parking_lot::Mutex;
use tokio::task::yield_now;

/// How many keys one statement has at most.
const MOST: usize = 1000;

/// What a statement brings, by key.
type Brought<V> = Result<HashMap<i64, V>, sqlx::Error>;

/// See the module docs.
pub(crate) struct Loader<'a, V> {
    /// Brings the values of some keys; a key without one has none.
    fetch: Box<dyn Fn(Vec<i64>) -> BoxFuture<'a, Brought<V>> + Send + Sync + 'a>,
    state: Mutex<State<V>>,
}

struct State<V> {
    wanted: BTreeSet<i64>,
    brought: HashMap<i64, Option<V>>,
    /// Why a statement has failed. All that wait for it fail, and none tries again.
    failed: Option<Arc<sqlx::Error>>,
    /// Whether somebody is about to fetch.
    is_led: bool,
    waiting: Vec<Waker>,
}

/// What one who asks does next.
enum Next<V> {
    Done(Result<Vec<Option<V>>, Arc<sqlx::Error>>),
    Lead,
    Wait,
}

/// The right and the duty to fetch. It ends also where the one who has it leaves; then another one gets it.
struct Leader<'s, V>(&'s Mutex<State<V>>);

/// One turn of the runtime: whoever was woken before it began has run when it ends.
///
/// One [`yield_now`] is not enough. It is over when its task is polled again, and that may be for a wake from before, which stands
/// in front of the others in the queue. What follows on the second poll was put into the queue after them.
async fn turn() {
    yield_now().await;
    yield_now().await;
}

// === impl Loader ===

impl<'a, V: Clone> Loader<'a, V> {
    pub(crate) fn new<F>(fetch: impl Fn(Vec<i64>) -> F + Send + Sync + 'a) -> Self
    where
        F: Future<Output = Brought<V>> + Send + 'a,
    {
        Self {
            fetch: Box::new(move |keys| fetch(keys).boxed()),
            state: Mutex::new(State {
                wanted: BTreeSet::new(),
                brought: HashMap::new(),
                failed: None,
                is_led: false,
                waiting: Vec::new(),
            }),
        }
    }

    /// The value of `key`, if there is one.
    ///
    /// # Errors
    /// What the statement failed with that was to bring it.
    pub(crate) async fn load(&self, key: i64) -> Result<Option<V>, Arc<sqlx::Error>> {
        let mut values = self.load_all(&[key]).await?;
        Ok(values.pop().flatten())
    }

    /// The values of `keys`, in their order. Cancel safe: what one leaves behind another one fetches.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) async fn load_all(&self, keys: &[i64]) -> Result<Vec<Option<V>>, Arc<sqlx::Error>> {
        loop {
            let next = self.state.lock().next(keys);
            match next {
                Next::Done(done) => return done,
                Next::Wait => self.led().await,
                Next::Lead => {
                    let leader = Leader(&self.state);
                    turn().await;
                    self.fetch().await;
                    drop(leader);
                }
            }
        }
    }

    /// One statement for what is wanted now.
    async fn fetch(&self) {
        let keys: Vec<i64> = {
            let state = self.state.lock();
            state.wanted.iter().take(MOST).copied().collect()
        };
        let brought = (self.fetch)(keys.clone()).await;
        let mut state = self.state.lock();
        match brought {
            Ok(mut values) => {
                for key in keys {
                    state.wanted.remove(&key);
                    state.brought.insert(key, values.remove(&key));
                }
            }
            Err(error) => state.failed = Some(Arc::new(error)),
        }
    }

    /// Waits until nobody leads.
    async fn led(&self) {
        poll_fn(|context| {
            let mut state = self.state.lock();
            if !state.is_led {
                return Poll::Ready(());
            }
            let waker = context.waker();
            if !state.waiting.iter().any(|other| other.will_wake(waker)) {
                state.waiting.push(waker.clone());
            }
            Poll::Pending
        })
        .await;
    }
}

// === impl State ===

impl<V: Clone> State<V> {
    fn next(&mut self, keys: &[i64]) -> Next<V> {
        let there = keys.iter().map(|key| self.brought.get(key).cloned());
        if let Some(values) = there.collect() {
            return Next::Done(Ok(values));
        }
        if let Some(error) = &self.failed {
            return Next::Done(Err(Arc::clone(error)));
        }
        let missing = keys.iter().filter(|key| !self.brought.contains_key(key));
        self.wanted.extend(missing);
        if self.is_led {
            return Next::Wait;
        }
        self.is_led = true;
        Next::Lead
    }
}

// === impl Leader ===

impl<V> Drop for Leader<'_, V> {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.0.lock();
            state.is_led = false;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::{join_all, try_join};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The keys of each statement.
    type Statements = Mutex<Vec<Vec<i64>>>;

    /// A loader of the tenfold of every key but odd ones.
    fn tenfold(statements: &Statements) -> Loader<'_, i64> {
        Loader::new(move |keys: Vec<i64>| async move {
            statements.lock().push(keys.clone());
            yield_now().await;
            let even = keys.into_iter().filter(|key| key % 2 == 0);
            Ok(even.map(|key| (key, key * 10)).collect())
        })
    }

    #[tokio::test]
    async fn what_is_asked_for_in_one_turn_is_one_statement() {
        let statements = Statements::default();
        let loader = tenfold(&statements);
        let values = join_all((0..200).map(|key| loader.load(key % 100))).await;
        assert_eq!(values.len(), 200);
        assert_eq!(*statements.lock(), [(0..100).collect::<Vec<_>>()]);
    }

    #[tokio::test]
    async fn values_keep_the_order_of_their_keys_and_misses_are_none() {
        let statements = Statements::default();
        let loader = tenfold(&statements);
        let values = loader.load_all(&[8, 3, 2, 8, -4]).await.unwrap();
        assert_eq!(values, [Some(80), None, Some(20), Some(80), Some(-40)]);
        assert_eq!(loader.load_all(&[]).await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_was_brought_is_not_asked_for_again_and_neither_is_a_miss() {
        let statements = Statements::default();
        let loader = tenfold(&statements);
        loader.load_all(&[1, 2]).await.unwrap();
        assert_eq!(loader.load_all(&[2, 1, 4]).await.unwrap().len(), 3);
        assert_eq!(*statements.lock(), [vec![1, 2], vec![4]]);
    }

    #[tokio::test]
    async fn very_many_keys_are_several_statements() {
        let statements = Statements::default();
        let loader = tenfold(&statements);
        let keys: Vec<i64> = (0..2500).collect();
        assert_eq!(loader.load_all(&keys).await.unwrap().len(), 2500);
        let lengths: Vec<_> = statements.lock().iter().map(Vec::len).collect();
        assert_eq!(lengths, [1000, 1000, 500]);
    }

    #[tokio::test]
    async fn all_that_wait_for_a_statement_fail_with_it_and_it_is_not_tried_again() {
        let tries = Mutex::new(0);
        let loader = Loader::<i64>::new(|_| {
            *tries.lock() += 1;
            std::future::ready(Err(sqlx::Error::PoolTimedOut))
        });
        let loaded = join_all((0..5).map(|key| loader.load(key))).await;
        assert!(loaded.iter().all(Result::is_err));
        assert_eq!(*tries.lock(), 1);
    }

    /// A loader of ones whose statements are run by other threads, as those of a database are, and how many there were.
    fn elsewhere(statements: &'static AtomicUsize) -> Loader<'static, i64> {
        Loader::new(move |keys: Vec<i64>| async move {
            statements.fetch_add(1, Ordering::Relaxed);
            let ones = move || keys.into_iter().map(|key| (key, 1)).collect();
            Ok(tokio::task::spawn_blocking(ones).await.unwrap())
        })
    }

    /// However many ask, and though the runtime takes the task away from them now and then.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_follows_from_one_statement_is_one_statement_again() {
        static STATEMENTS: [AtomicUsize; 3] = [const { AtomicUsize::new(0) }; 3];
        let requests = (0..300).map(|_| async {
            let [first, second, last] = STATEMENTS.each_ref().map(elsewhere);
            let one = async |key: i64| {
                let both = try_join(first.load(key), second.load(key)).await;
                both.unwrap();
                last.load_all(&[key, key + 1, -key]).await.unwrap().len()
            };
            join_all((0..100).map(one)).await
        });
        let tracker = tokio_util::task::TaskTracker::new();
        for request in requests {
            tracker.spawn(async { assert_eq!(request.await, [3; 100]) });
        }
        tracker.close();
        tracker.wait().await;
        let counts = STATEMENTS
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts, [300, 300, 300]);
    }

    #[tokio::test]
    async fn what_one_that_left_was_fetching_is_fetched_by_another_one() {
        let statements = Statements::default();
        let loader = tenfold(&statements);
        let (left, stayed) = (loader.load(2), loader.load(4));
        tokio::pin!(stayed);
        {
            tokio::pin!(left);
            while statements.lock().is_empty() {
                assert!(futures_util::poll!(&mut left).is_pending());
                assert!(futures_util::poll!(&mut stayed).is_pending());
                yield_now().await;
            }
        }
        assert_eq!(stayed.await.unwrap(), Some(40));
        assert_eq!(*statements.lock(), [[2, 4], [2, 4]]);
    }
}
