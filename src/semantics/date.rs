//! HTTP dates, read strictly and written in the preferred form ([RFC 9110 §5.6.7]).
//!
//! [RFC 9110 §5.6.7]: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // 1970-01-01 was a Thursday
const LONG_DAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The bytes of one date in the preferred form.
pub const LENGTH: usize = 29;

/// Reads any of the three forms; a two-digit year is placed within 50 years of `now`.
///
/// `None` is "not a date"; `Expires` then means stale ([RFC 9111 §5.3]).
///
/// [RFC 9111 §5.3]: https://www.rfc-editor.org/rfc/rfc9111#section-5.3
pub fn parse(value: &[u8], now: SystemTime) -> Option<SystemTime> {
    let text = std::str::from_utf8(value).ok()?.trim_ascii();
    imf_fixdate(text)
        .or_else(|| rfc850_date(text, now))
        .or_else(|| asctime_date(text))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &str) -> Option<SystemTime> {
    let rest = day_name(text, &DAYS)?.strip_prefix(", ")?;
    let (day, rest) = digits(rest, 2)?;
    let (month, rest) = month(rest.strip_prefix(' ')?)?;
    let (year, rest) = digits(rest.strip_prefix(' ')?, 4)?;
    let (time, rest) = time_of_day(rest.strip_prefix(' ')?)?;
    gmt(rest).then(|| instant(year, month, day, time)).flatten()
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850_date(text: &str, now: SystemTime) -> Option<SystemTime> {
    let rest = day_name(text, &LONG_DAYS)?.strip_prefix(", ")?;
    let (day, rest) = digits(rest, 2)?;
    let (month, rest) = month(rest.strip_prefix('-')?)?;
    let (short_year, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (time, rest) = time_of_day(rest.strip_prefix(' ')?)?;
    let (this_year, ..) = civil(seconds(now) / 86_400);
    let mut year = this_year - this_year % 100 + short_year;
    if year > this_year + 50 {
        year -= 100; // more than 50 years ahead is the most recent year with these digits
    }
    gmt(rest).then(|| instant(year, month, day, time)).flatten()
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime_date(text: &str) -> Option<SystemTime> {
    let rest = day_name(text, &DAYS)?.strip_prefix(' ')?;
    let (month, rest) = month(rest)?;
    let rest = rest.strip_prefix(' ')?;
    let (day, rest) = match rest.strip_prefix(' ') {
        Some(one_digit) => digits(one_digit, 1)?,
        None => digits(rest, 2)?,
    };
    let (time, rest) = time_of_day(rest.strip_prefix(' ')?)?;
    let (year, rest) = digits(rest.strip_prefix(' ')?, 4)?;
    rest.is_empty()
        .then(|| instant(year, month, day, time))
        .flatten()
}

fn day_name<'a>(text: &'a str, names: &[&str]) -> Option<&'a str> {
    names
        .iter()
        .find_map(|name| strip_ignoring_case(text, name))
}

fn month(text: &str) -> Option<(u64, &str)> {
    (1..)
        .zip(MONTHS)
        .find_map(|(number, name)| Some((number, strip_ignoring_case(text, name)?)))
}

/// Servers exist that write `JAN` and `gmt`; reading them costs no ambiguity.
fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn gmt(rest: &str) -> bool {
    rest.eq_ignore_ascii_case(" GMT")
}

fn digits(text: &str, count: usize) -> Option<(u64, &str)> {
    let (number, rest) = text.split_at_checked(count)?;
    number
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| number.parse().ok())?
        .map(|n| (n, rest))
}

/// Seconds since midnight; a leap second counts as the last second of its minute.
fn time_of_day(text: &str) -> Option<(u64, &str)> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = digits(rest.strip_prefix(':')?, 2)?;
    (hour < 24 && minute < 60 && second <= 60)
        .then(|| (hour * 3600 + minute * 60 + second.min(59), rest))
}

fn instant(year: u64, month: u64, day: u64, time: u64) -> Option<SystemTime> {
    if year < 1970 {
        return Some(UNIX_EPOCH); // before any response could have been made: only "long ago" matters
    }
    let days = days_from_civil(year, month, day);
    (civil(days) == (year, month, day))
        .then(|| UNIX_EPOCH + Duration::from_secs(days * 86_400 + time))
}

/// Writes `time` in the preferred form; times before 1970 are written as 1970, after 9999 as 9999.
pub fn format(time: SystemTime) -> [u8; LENGTH] {
    let seconds = seconds(time).min(253_402_300_799); // 9999-12-31T23:59:59
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut out = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    out[..3].copy_from_slice(DAYS[index(days % 7)].as_bytes());
    out[8..11].copy_from_slice(MONTHS[index(month - 1)].as_bytes());
    for (at, value) in [
        (5, day),
        (12, year / 100),
        (14, year % 100),
        (17, rest / 3600),
        (20, rest / 60 % 60),
        (23, rest % 60),
    ] {
        out[at] = b'0' + digit(value / 10);
        out[at + 1] = b'0' + digit(value % 10);
    }
    out
}

fn index(value: u64) -> usize {
    usize::try_from(value).expect("a day or month number fits any usize")
}

fn digit(value: u64) -> u8 {
    u8::try_from(value % 10).expect("a number below ten fits a byte")
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, by Howard Hinnant's `days_from_civil`.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.saturating_sub(1);
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse, by Howard Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = UNIX_EPOCH;
    const RFC_EXAMPLE: u64 = 784_111_777;

    fn read(text: &str) -> Option<u64> {
        parse(text.as_bytes(), NOW + Duration::from_secs(RFC_EXAMPLE)).map(seconds)
    }

    #[test]
    fn all_three_forms_are_read() {
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(RFC_EXAMPLE));
        assert_eq!(read("Sunday, 06-Nov-94 08:49:37 GMT"), Some(RFC_EXAMPLE));
        assert_eq!(read("Sun Nov  6 08:49:37 1994"), Some(RFC_EXAMPLE));
    }

    #[test]
    fn case_of_month_and_zone_is_ignored() {
        assert_eq!(read("Sun, 06 nOV 1994 08:49:37 GMT"), Some(RFC_EXAMPLE));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 gMT"), Some(RFC_EXAMPLE));
    }

    #[test]
    fn malformed_dates_are_not_dates() {
        for text in [
            "",
            "0",
            "-1",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 AEST",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun,  06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov 1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "1994-11-06T08:49:37Z",
            "é, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_two_digit_year_is_within_fifty_years() {
        let year = |text: &str| read(text).map(|s| civil(s / 86_400).0);
        assert_eq!(year("Sunday, 06-Nov-99 08:49:37 GMT"), Some(1999));
        assert_eq!(
            year("Saturday, 06-Nov-71 08:49:37 GMT"),
            Some(1971),
            "77 years ahead of 1994 is the past"
        );
        let in_2026 = parse(
            b"Friday, 06-Nov-70 08:49:37 GMT",
            NOW + Duration::from_secs(1_800_000_000),
        );
        assert_eq!(
            in_2026.map(|t| civil(seconds(t) / 86_400).0),
            Some(2070),
            "44 years ahead of 2026 is the future"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in [
            0,
            1,
            951_782_400,
            RFC_EXAMPLE,
            4_102_444_799,
            253_402_300_799,
        ] {
            let text = format(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(read(std::str::from_utf8(&text).unwrap()), Some(seconds));
        }
        assert_eq!(
            &format(UNIX_EPOCH + Duration::from_secs(RFC_EXAMPLE)),
            b"Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(
            &format(UNIX_EPOCH - Duration::from_secs(5)),
            b"Thu, 01 Jan 1970 00:00:00 GMT"
        );
    }
}
