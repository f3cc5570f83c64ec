//! The closed sets that are nobody else's: what happens inside the tiers.

/// Why an entry left the memory tier. What was replaced by its successor is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Removal {
    /// There was no room for it.
    Evicted,
    /// It could not be of use any more.
    Expired,
    /// A hard purge concerned it, and somebody asked for it since.
    Purged,
    /// The origin has answered otherwise.
    Superseded,
}

impl Removal {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Evicted, Self::Expired, Self::Purged, Self::Superseded];

    /// The word for it in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Expired => "expired",
            Self::Purged => "purged",
            Self::Superseded => "superseded",
        }
    }
}

/// What came of a call to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RedisCall {
    /// A value that checked out.
    Hit,
    /// No value.
    Miss,
    /// A value that did not check out; it was deleted.
    Corrupt,
    /// No answer within the budget.
    Timeout,
    /// An error.
    Error,
    /// Not made, because Redis is out.
    Skipped,
    /// A value written.
    Written,
    /// A write dropped because the queue was full or Redis is out.
    WriteDropped,
}

impl RedisCall {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Hit,
        Self::Miss,
        Self::Corrupt,
        Self::Timeout,
        Self::Error,
        Self::Skipped,
        Self::Written,
        Self::WriteDropped,
    ];

    /// The word for it in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Corrupt => "corrupt",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Skipped => "skipped",
            Self::Written => "written",
            Self::WriteDropped => "write_dropped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_the_order_of_the_numbers() {
        let mut calls = RedisCall::ALL.iter().enumerate();
        assert!(calls.all(|(at, call)| at == *call as usize));
        let mut removals = Removal::ALL.iter().enumerate();
        assert!(removals.all(|(at, removal)| at == *removal as usize));
    }
}
