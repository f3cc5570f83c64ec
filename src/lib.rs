//! lib
pub mod semantics;
