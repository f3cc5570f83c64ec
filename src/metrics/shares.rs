//! What is counted where clients compete: for connections, and for places of the upstream.

use super::{CutOff, registration::Registration, striped::Counter};
use prometheus_client::metrics::gauge::Gauge;

/// See the module docs.
#[derive(Debug)]
pub struct Shares {
    /// Times that a client came while there were as many connections as may be.
    pub connections_full: Counter,
    /// Places of the upstream that are taken.
    pub places: Gauge,
    /// `sidecache_cut_off_total{reason}`, by [`CutOff`].
    cut_off: Vec<Counter>,
}

impl Shares {
    pub(super) fn new(r: &mut Registration) -> Self {
        Self {
            connections_full: r.counter(
                "connections_full",
                "Times that a client came while server.max_connections were open",
            ),
            places: r.gauge(
                "places",
                "Requests under way to the upstream, of upstream.max_connections",
            ),
            cut_off: r.counters(
                (
                    "cut_off",
                    "Clients cut off before their request or answer was over, by reason",
                ),
                ("reason", CutOff::ALL.map(CutOff::as_str)),
            ),
        }
    }

    /// Counts the clients that are cut off for this.
    pub fn cut_off(&self, why: CutOff) -> Counter {
        self.cut_off[why as usize].clone()
    }
}
