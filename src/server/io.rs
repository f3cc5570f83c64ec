//! Transports around that of a connection, each with one rule of its own.

mod interim;
mod presence;
mod write_timeout;

#[cfg(test)]
pub(super) use self::presence::LOOK;
pub(super) use self::{
    interim::InterimWriter,
    presence::{Attended, CAN_LOOK, Presence, Watch},
    write_timeout::{WriteLimits, WriteTimeout},
};
