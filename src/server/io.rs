//! Transports around that of a connection, each with one rule of its own.

mod interim;
mod linger;
mod presence;
mod write_timeout;

pub use self::linger::Content;
#[cfg(test)]
pub(super) use self::presence::LOOK;
pub(super) use self::{
    interim::InterimWriter,
    linger::Lingering,
    presence::{Attended, CAN_LOOK, Presence, Watch},
    write_timeout::{WriteLimits, WriteTimeout},
};
