//! Sizes: `"64MiB"`, `"1MB"`, `1000`.

use super::fault::Fault;

pub(in crate::config) const SIZE_HELP: &str =
    "write it like \"64MiB\", \"1MB\", \"512KiB\" or as a number of bytes";

/// Each factor of a size and how it is written.
const SIZES: [(u64, &str); 9] = [
    (1 << 40, "TiB"),
    (1_000_000_000_000, "TB"),
    (1 << 30, "GiB"),
    (1_000_000_000, "GB"),
    (1 << 20, "MiB"),
    (1_000_000, "MB"),
    (1 << 10, "KiB"),
    (1_000, "KB"),
    (1, "B"),
];

/// Reads `"64MiB"`, `"1MB"`, `"1000"`.
///
/// # Errors
/// Not a size, an ambiguous unit, or more than 64 bits hold.
pub(in crate::config) fn size(text: &str) -> Result<u64, Fault> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = (&text[..digits], text[digits..].trim_start());
    if number.is_empty() {
        return Err(Fault {
            clause: "is not a size",
            help: SIZE_HELP.to_owned(),
        });
    }
    let known = SIZES.iter().find(|(_, name)| {
        *name == unit || (name.starts_with('K') && unit.strip_prefix('k') == name.strip_prefix('K'))
    });
    let factor = match known {
        Some((factor, _)) => *factor,
        None if unit.is_empty() => 1,
        None => {
            return Err(Fault {
                clause: "is not a size",
                help: size_help(number, unit),
            });
        }
    };
    let bytes = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| Fault {
        clause: "is too large",
        help: SIZE_HELP.to_owned(),
    })
}

/// What somebody who wrote this unit may have meant.
fn size_help(number: &str, unit: &str) -> String {
    let meant = |(_, name): &&(u64, &str)| {
        name.eq_ignore_ascii_case(unit) || name[..1].eq_ignore_ascii_case(unit)
    };
    let names: Vec<_> = SIZES.iter().filter(meant).map(|(_, name)| *name).collect();
    match names[..] {
        [one] => format!("write \"{number}{one}\""),
        [binary, decimal] => format!("write \"{number}{binary}\" or \"{number}{decimal}\""),
        _ => SIZE_HELP.to_owned(),
    }
}

/// As [`size`] reads it, in the largest unit that divides it.
pub(in crate::config) fn print_size(bytes: u64) -> String {
    let unit = SIZES
        .iter()
        .find(|(factor, _)| bytes >= *factor && bytes.is_multiple_of(*factor));
    match unit {
        Some((1, _)) | None => bytes.to_string(),
        Some((factor, name)) => format!("{}{name}", bytes / factor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_tell_1024_from_1000() {
        let cases = [
            ("64MiB", 64 << 20),
            ("1MB", 1_000_000),
            ("512KiB", 512 << 10),
            ("1 kB", 1_000),
            ("1kiB", 1 << 10),
            ("2TiB", 2 << 40),
            ("1000", 1_000),
            ("7B", 7),
            ("0", 0),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, expected) in cases {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_says_how_to_write_one() {
        let cases = [
            ("", "is not a size", SIZE_HELP),
            ("big", "is not a size", SIZE_HELP),
            ("-1", "is not a size", SIZE_HELP),
            ("1.5MiB", "is not a size", SIZE_HELP),
            ("64M", "is not a size", "write \"64MiB\" or \"64MB\""),
            ("64mib", "is not a size", "write \"64MiB\""),
            ("64 minutes", "is not a size", SIZE_HELP),
            ("18446744073709551616", "is too large", SIZE_HELP),
            ("99999999999TiB", "is too large", SIZE_HELP),
        ];
        for (text, clause, help) in cases {
            assert_eq!(
                size(text),
                Err(Fault {
                    clause,
                    help: help.to_owned()
                }),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_print_as_they_are_read() {
        for text in ["0", "999", "1KB", "1KiB", "1500KB", "64MiB", "5GB", "1025"] {
            assert_eq!(print_size(size(text).unwrap()), text);
        }
    }
}
