//! Which request fields select among the responses of a key: those who would select the same share a flight, and nobody waits
//! for a response that is another one's.

use super::{caller::Caller, remembered::Remembered};
use crate::semantics::vary::{Selecting, Selects};
use http::HeaderName;
use std::sync::Arc;

/// Who shares a flight: callers of one kind, and of those, where the key is known to have variants, who selects the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Boarding {
    pub(super) caller: Caller,
    /// What its request selects by; nothing where no variants are known.
    selecting: Selecting,
}

/// The fields by which the last response for a caller was selected. One that is forgotten costs those who select another
/// variant that they wait for one that is not theirs, once.
#[derive(Debug, Default)]
pub(super) struct Variants(Remembered<Arc<[HeaderName]>>);

impl Variants {
    /// With whom `caller` shares a flight, as far as it is known.
    pub(super) fn boarding(&self, caller: &Caller, request: &Selects<'_>) -> Boarding {
        let names = self.0.get(caller);
        Boarding {
            caller: caller.clone(),
            selecting: names.map_or_else(Selecting::default, |names| {
                Selecting::by_names(names.to_vec(), request)
            }),
        }
    }

    /// A response for `caller` was selected by the fields of `selecting`.
    pub(super) fn learn(&self, caller: &Caller, selecting: &Selecting) {
        if selecting.is_empty() {
            return self.0.remove(caller);
        }
        let known = self.0.get(caller);
        if known.is_none_or(|known| !known.iter().eq(selecting.names())) {
            self.0.insert(caller, selecting.names().cloned().collect());
        }
    }
}
