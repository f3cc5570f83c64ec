//! Durations: `"250ms"`, `"1h 30m"`.

use std::time::Duration;

use super::fault::Fault;

/// The longest duration of any setting: timers end at two years, and a lifetime of more than one
/// is advised against since [RFC 2616 §14.21](https://www.rfc-editor.org/rfc/rfc2616#section-14.21).
pub(in crate::config) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

pub(in crate::config) const DURATION_HELP: &str =
    "write it like \"250ms\", \"30s\", \"5m\", \"2h\", \"7d\" or \"1h 30m\"";
/// Reads `"250ms"`, `"1h 30m"`.
///
/// # Errors
/// Not a duration, without a unit, or too long to count.
pub(in crate::config) fn duration(text: &str) -> Result<Duration, Fault> {
    let malformed = || Fault {
        clause: "is not a duration",
        help: DURATION_HELP.to_owned(),
    };
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(without_unit(text));
    }
    // humantime adds without a check at the very end of its range, which ten digits cannot reach.
    let too_many = |run: &str| run.len() > 10 && run.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() > 64 || text.split(|c: char| !c.is_ascii_digit()).any(too_many) {
        return Err(Fault {
            clause: "is too long",
            help: DURATION_HELP.to_owned(),
        });
    }
    // Nobody means months by "5M".
    let mut units = text.split(|c: char| !c.is_alphabetic());
    if units.any(|unit| unit == "M" || unit.starts_with("mon") || unit.starts_with('y')) {
        return Err(malformed());
    }
    humantime::parse_duration(text).map_err(|_| malformed())
}

/// The fault of a bare number, which could be seconds or milliseconds.
pub(in crate::config) fn without_unit(number: &str) -> Fault {
    let seconds: Option<u64> = number
        .parse()
        .ok()
        .filter(|seconds| *seconds <= LONGEST.as_secs());
    let help = match seconds {
        Some(seconds) if seconds > 0 && seconds.is_multiple_of(60) => {
            let longest = print_duration(Duration::from_secs(seconds));
            format!("write \"{seconds}s\" or \"{longest}\"")
        }
        Some(seconds) => format!("write \"{seconds}s\" or \"{seconds}ms\""),
        None => DURATION_HELP.to_owned(),
    };
    Fault {
        clause: "needs a unit",
        help,
    }
}

/// As [`duration`] reads it, in the largest units: `1h 30m`.
pub(in crate::config) fn print_duration(duration: Duration) -> String {
    const UNITS: [(u128, &str); 7] = [
        (24 * 60 * 60 * 1_000_000_000, "d"),
        (60 * 60 * 1_000_000_000, "h"),
        (60 * 1_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let mut left = duration.as_nanos();
    let mut parts = Vec::new();
    for (length, unit) in UNITS {
        if left >= length {
            parts.push(format!("{}{unit}", left / length));
            left %= length;
        }
    }
    if parts.is_empty() {
        "0s".to_owned()
    } else {
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let cases = [
            ("250ms", Duration::from_millis(250)),
            ("30s", Duration::from_secs(30)),
            ("5m", Duration::from_secs(300)),
            ("2h", Duration::from_secs(7_200)),
            ("7d", Duration::from_secs(604_800)),
            (" 1h 30m ", Duration::from_secs(5_400)),
            ("1.5h", Duration::from_secs(5_400)),
            ("0s", Duration::ZERO),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_says_how_to_write_one() {
        let cases = [
            ("", "is not a duration", DURATION_HELP),
            ("soon", "is not a duration", DURATION_HELP),
            ("5 parsecs", "is not a duration", DURATION_HELP),
            ("5M", "is not a duration", DURATION_HELP),
            ("1y", "is not a duration", DURATION_HELP),
            ("-5s", "is not a duration", DURATION_HELP),
            ("300", "needs a unit", "write \"300s\" or \"5m\""),
            ("3600", "needs a unit", "write \"3600s\" or \"1h\""),
            ("50", "needs a unit", "write \"50s\" or \"50ms\""),
            ("99999999999999999999999", "needs a unit", DURATION_HELP),
            // The sum of these two panics in humantime.
            ("18446744073709551615s 1000ms", "is too long", DURATION_HELP),
            ("99999999999s", "is too long", DURATION_HELP),
        ];
        for (text, clause, help) in cases {
            assert_eq!(
                duration(text),
                Err(Fault {
                    clause,
                    help: help.to_owned()
                }),
                "{text}"
            );
        }
    }

    #[test]
    fn the_largest_durations_that_are_read_do_not_overflow() {
        let text = "9999999999w".repeat(5) + "9999999s";
        assert!(duration(&text).is_ok());
    }

    #[test]
    fn durations_print_as_they_are_read() {
        let cases = [
            (0, "0s"),
            (50, "50ms"),
            (1_500, "1s 500ms"),
            (5_400_000, "1h 30m"),
        ];
        for (millis, expected) in cases {
            let length = Duration::from_millis(millis);
            assert_eq!(print_duration(length), expected);
            assert_eq!(duration(expected), Ok(length));
        }
        assert_eq!(print_duration(LONGEST), "365d");
        assert!(!print_duration(Duration::MAX).is_empty());
    }
}
