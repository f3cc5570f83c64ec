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
    /// Not made, because too many others were under way. A miss, and no failure.
    Busy,
    /// A response written.
    Written,
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
        Self::Busy,
        Self::Written,
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
            Self::Busy => "busy",
            Self::Written => "written",
        }
    }
}

/// Why a response did not get to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WriteDrop {
    /// Too many wait already.
    QueueFull,
    /// It could not be read again: it is larger than a value may be, or has more fields or tags.
    TooLarge,
    /// Redis has a newer one.
    Older,
    /// Redis is out.
    Out,
    /// No answer in time.
    Timeout,
    /// Redis does not take it: it is full, or the user may not write.
    Refused,
    /// The connection failed, or the cluster has moved the key.
    Failed,
}

impl WriteDrop {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::QueueFull,
        Self::TooLarge,
        Self::Older,
        Self::Out,
        Self::Timeout,
        Self::Refused,
        Self::Failed,
    ];

    /// The word for it in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLarge => "too_large",
            Self::Older => "older",
            Self::Out => "out",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Why a client was cut off before its request or its answer was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CutOff {
    /// It did not read its answer for too long, or too slowly.
    NotReading,
    /// Its connection carried no request, or was not read, and another client wanted to connect.
    Crowded,
    /// It sent the content of its request too slowly while others waited for its place.
    SlowContent,
    /// It read its answer too slowly while others waited for its place.
    SlowReader,
    /// It had a tunnel while others, who had less, waited for its place.
    Tunnel,
}

impl CutOff {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::NotReading,
        Self::Crowded,
        Self::SlowContent,
        Self::SlowReader,
        Self::Tunnel,
    ];

    /// The word for it in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReading => "not_reading",
            Self::Crowded => "crowded",
            Self::SlowContent => "slow_content",
            Self::SlowReader => "slow_reader",
            Self::Tunnel => "tunnel",
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
        let mut drops = WriteDrop::ALL.iter().enumerate();
        assert!(drops.all(|(at, dropped)| at == *dropped as usize));
        let mut removals = Removal::ALL.iter().enumerate();
        assert!(removals.all(|(at, removal)| at == *removal as usize));
        let mut cuts = CutOff::ALL.iter().enumerate();
        assert!(cuts.all(|(at, cut)| at == *cut as usize));
    }
}
