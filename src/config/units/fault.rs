//! What is wrong with a text that is to be a duration or a size.

/// A clause that follows the name of the key, and the remedy.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) struct Fault {
    pub(in crate::config) clause: &'static str,
    pub(in crate::config) help: String,
}
