//! What one request has read already.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;

use super::sql::{Row, Sql, Value};

/// How many results are kept. A request that reads more reads the rest as if there were no cache.
const MOST: usize = 1000;

/// The results of the statements of one request, by statement and values. It lives no longer than that request, so that nothing in
/// it can be older; once the request writes it is off.
pub(super) struct QueryCache(Mutex<Option<Results>>);

type Results = HashMap<(Sql, Vec<Value>), Arc<Vec<Row>>>;

impl QueryCache {
    pub(super) fn get(&self, sql: Sql, values: &[Value]) -> Option<Arc<Vec<Row>>> {
        let key = (sql, values.to_vec());
        self.0.lock().as_ref()?.get(&key).cloned()
    }

    pub(super) fn put(&self, sql: Sql, values: &[Value], rows: &Arc<Vec<Row>>) {
        if let Some(results) = self.0.lock().as_mut().filter(|all| all.len() < MOST) {
            results.insert((sql, values.to_vec()), Arc::clone(rows));
        }
    }

    /// Forgets everything, and keeps nothing from now on.
    pub(super) fn end(&self) {
        *self.0.lock() = None;
    }
}

impl Default for QueryCache {
    fn default() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }
}

impl fmt::Debug for QueryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryCache").finish_non_exhaustive()
    }
}
