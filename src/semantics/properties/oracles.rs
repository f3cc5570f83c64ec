//! Our parsers beside those of other crates, on texts that look like the real ones more often than chance would.

use crate::semantics::{
    date,
    structured::{self, Item},
};
use httpdate::parse_http_date;
use proptest::prelude::*;
use sfv::{BareItem, Dictionary, List, ListEntry, Parser};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 2019, when both place the years 70 to 99 in the last century and 00 to 69 in this one.
const NOW: Duration = Duration::from_secs(1_560_000_000);

/// Text of structured fields, sound or with a slip.
fn structured_text() -> impl Strategy<Value = String> {
    const WORD: &str = "(a|b|max-age|\\*k|=|, |,|;|;q=0\\.5| |\t|-|[0-9]{1,16}|[0-9]{1,13}\\.[0-9]{1,4}|\\?[012]|\"x\"|\"y \\\\\"\"|tok/en|\\(|\\)|\\(\"a\" \"b\"\\)|\\( \"a\";x 1 \\)|:YWE=:|@[0-9]{1,5}|@1\\.5|%\"x%c3%bc\"|A|é)";
    prop::collection::vec(WORD, 0..10).prop_map(|words| words.concat())
}

fn item(bare: &BareItem) -> Item {
    match bare {
        BareItem::Boolean(flag) => Item::Boolean(*flag),
        BareItem::Integer(number) => Item::Integer(i64::from(*number)),
        BareItem::String(string) => Item::String(string.as_str().to_owned()),
        BareItem::Token(token) => Item::Token(token.as_str().to_owned()),
        BareItem::Decimal(_)
        | BareItem::ByteSequence(_)
        | BareItem::Date(_)
        | BareItem::DisplayString(_) => Item::Other,
    }
}

fn entry(entry: &ListEntry) -> Item {
    let inner = match entry {
        ListEntry::Item(one) => return item(&one.bare_item),
        ListEntry::InnerList(inner) => inner,
    };
    let strings = inner.items.iter().map(|one| match &one.bare_item {
        BareItem::String(string) => Some(string.as_str().to_owned()),
        _ => None,
    });
    let strings: Option<Vec<String>> = strings.collect();
    strings.map_or(Item::Other, Item::Strings)
}

/// The same moment in the three forms of a date.
fn forms(time: SystemTime) -> [String; 3] {
    let preferred = httpdate::fmt_http_date(time);
    let words: Vec<&str> = preferred.split([' ', ',']).collect();
    let [name, "", day, month, year, clock, "GMT"] = words[..] else {
        panic!("not the preferred form: {preferred}");
    };
    let rest = match name {
        "Tue" => "sday",
        "Wed" => "nesday",
        "Thu" => "rsday",
        "Sat" => "urday",
        _ => "day",
    };
    let (short_year, short_day) = (&year[2..], day.trim_start_matches('0'));
    [
        format!("{name}{rest}, {day}-{month}-{short_year} {clock} GMT"),
        format!("{name} {month} {short_day:>2} {clock} {year}"),
        preferred,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn dictionaries_are_read_as_by_sfv(text in structured_text()) {
        let theirs = Parser::new(&text).parse::<Dictionary>().ok();
        let theirs = theirs.map(|members| {
            let member = |(key, value): (&sfv::Key, &ListEntry)| (key.as_str().to_owned(), entry(value));
            members.iter().map(member).collect::<Vec<_>>()
        });
        prop_assert_eq!(structured::dictionary(text.as_bytes()), theirs, "{}", text);
    }

    #[test]
    fn lists_are_read_as_by_sfv(text in structured_text()) {
        let theirs = Parser::new(&text).parse::<List>().ok();
        let theirs = theirs.map(|members| members.iter().map(entry).collect::<Vec<_>>());
        prop_assert_eq!(structured::list(text.as_bytes()), theirs, "{}", text);
    }

    #[test]
    fn each_form_of_a_date_is_read_as_by_httpdate(seconds in 0_u64..3_155_760_000) {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        let [long, old, preferred] = forms(time);
        prop_assert_eq!(date::format(time), preferred.as_bytes());
        for text in [long, old, preferred] {
            let theirs = parse_http_date(&text).expect("a date");
            prop_assert_eq!(date::parse(text.as_bytes(), UNIX_EPOCH + NOW), Some(theirs), "{}", text);
        }
    }

    #[test]
    fn what_both_take_for_a_date_is_the_same_one(
        text in "(Sun, |Mon, |Sunday, |Sun |)([0-9]{2}[ -]|)(Nov|Feb|Apr)[ -]([0-9]{2,4} |[ 1][0-9] |)[012][0-9]:[0-6][0-9]:[0-6][0-9]( GMT| [0-9]{4})",
    ) {
        let ours = date::parse(text.as_bytes(), UNIX_EPOCH + NOW);
        if let (Some(ours), Ok(theirs)) = (ours, parse_http_date(&text)) {
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }
}
