//! Makes metrics and registers them under their names.

use super::striped::Counter;
use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::{Metric, Registry},
};

/// Names and values.
pub(super) type Labels = Vec<(&'static str, String)>;

/// See the module docs.
pub(super) struct Registration(Registry);

impl Registration {
    pub(super) fn new(prefix: &str) -> Self {
        Self(Registry::with_prefix(prefix))
    }

    /// A metric with labels that are not known yet.
    pub(super) fn family<M>(&mut self, name: &str, help: &str) -> Family<Labels, M>
    where
        M: Default,
        Family<Labels, M>: Metric + Clone,
    {
        self.add(name, help)
    }

    /// A counter for each word of a closed set, in its order, under the label that is named.
    pub(super) fn counters<const N: usize>(
        &mut self,
        (name, help): (&str, &str),
        (label, words): (&'static str, [&'static str; N]),
    ) -> Vec<Counter> {
        let family = self.family::<Counter>(name, help);
        let of = |word: &str| family.get_or_create_owned(&vec![(label, word.to_owned())]);
        words.into_iter().map(of).collect()
    }

    pub(super) fn counter(&mut self, name: &str, help: &str) -> Counter {
        self.add(name, help)
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        self.add(name, help)
    }

    fn add<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        let metric = M::default();
        self.0.register(name, help, metric.clone());
        metric
    }

    pub(super) fn into_registry(self) -> Registry {
        self.0
    }
}
