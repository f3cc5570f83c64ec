//! Transports around that of a connection, each with one rule of its own.

mod interim;
mod write_timeout;

pub(super) use self::{interim::InterimWriter, write_timeout::WriteTimeout};
