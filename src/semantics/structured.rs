//! Structured field dictionaries, parsed strictly ([RFC 9651 §4.2.2]): one mistake makes the whole field invalid.
//!
//! [RFC 9651 §4.2.2]: https://www.rfc-editor.org/rfc/rfc9651#section-4.2.2

/// A field with more members is taken for invalid: each is compared with those before it.
const MAX_MEMBERS: usize = 256;

/// What a member holds, as far as cache directives and groups need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `?1`, or a member without a value.
    Boolean(bool),
    /// `3600`.
    Integer(i64),
    /// `"text"`.
    String(String),
    /// `token`.
    Token(String),
    /// `("a" "b")`: an inner list of strings.
    Strings(Vec<String>),
    /// A decimal, date, byte sequence, display string or another inner list: valid, and of no use here.
    Other,
}

/// A dictionary's members; of two with one name the last counts, in the place of the first.
pub fn dictionary(text: &[u8]) -> Option<Vec<(String, Item)>> {
    let mut parser = Parser(text);
    let mut members: Vec<(String, Item)> = Vec::new();
    parser.skip(b" ");
    while !parser.0.is_empty() {
        let name = parser.key()?;
        let item = if parser.take(b'=') {
            parser.item_or_inner_list()?
        } else {
            Item::Boolean(true)
        };
        parser.parameters()?;
        let full = members.len() == MAX_MEMBERS;
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some(member) => member.1 = item,
            None if full => return None,
            None => members.push((name, item)),
        }
        parser.separator()?;
    }
    Some(members)
}

/// A list's members.
pub fn list(text: &[u8]) -> Option<Vec<Item>> {
    let mut parser = Parser(text);
    let mut members = Vec::new();
    parser.skip(b" ");
    while !parser.0.is_empty() {
        members.push(parser.item_or_inner_list()?);
        parser.parameters()?;
        parser.separator()?;
    }
    Some(members)
}

/// What is left of the field.
struct Parser<'a>(&'a [u8]);

impl<'a> Parser<'a> {
    fn skip(&mut self, bytes: &[u8]) {
        while let [first, rest @ ..] = self.0
            && bytes.contains(first)
        {
            self.0 = rest;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn take_while(&mut self, allowed: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self
            .0
            .iter()
            .position(|byte| !allowed(*byte))
            .unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    /// The comma between two members; none may follow the last one.
    fn separator(&mut self) -> Option<()> {
        self.skip(b" \t");
        if self.0.is_empty() {
            return Some(());
        }
        let comma = self.take(b',');
        self.skip(b" \t");
        (comma && !self.0.is_empty()).then_some(())
    }

    fn key(&mut self) -> Option<String> {
        matches!(self.0.first()?, b'a'..=b'z' | b'*').then_some(())?;
        let key =
            self.take_while(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*'));
        Some(text(key))
    }

    fn parameters(&mut self) -> Option<()> {
        while self.take(b';') {
            self.skip(b" ");
            self.key()?;
            if self.take(b'=') {
                self.bare_item()?;
            }
        }
        Some(())
    }

    fn item_or_inner_list(&mut self) -> Option<Item> {
        if !self.take(b'(') {
            return self.bare_item();
        }
        let mut strings = Some(Vec::new());
        loop {
            self.skip(b" ");
            if self.take(b')') {
                return Some(strings.map_or(Item::Other, Item::Strings));
            }
            match (self.bare_item()?, &mut strings) {
                (Item::String(string), Some(strings)) => strings.push(string),
                _ => strings = None,
            }
            self.parameters()?;
            matches!(self.0.first()?, b' ' | b')').then_some(())?;
        }
    }

    fn bare_item(&mut self) -> Option<Item> {
        match self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string().map(Item::String),
            b'a'..=b'z' | b'A'..=b'Z' | b'*' => Some(Item::Token(text(self.take_while(is_token)))),
            b'?' => self.boolean(),
            b':' => self.bytes(),
            b'@' => {
                self.take(b'@');
                self.number()
                    .filter(|number| matches!(number, Item::Integer(_)))
                    .map(|_| Item::Other)
            }
            b'%' => self.display_string(),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Item> {
        let negative = self.take(b'-');
        let whole = self.take_while(|b| b.is_ascii_digit());
        if self.take(b'.') {
            let fraction = self.take_while(|b| b.is_ascii_digit());
            let valid = (1..=12).contains(&whole.len()) && (1..=3).contains(&fraction.len());
            return valid.then_some(Item::Other);
        }
        if !(1..=15).contains(&whole.len()) {
            return None;
        }
        let number: i64 = text(whole).parse().ok()?;
        Some(Item::Integer(if negative { -number } else { number }))
    }

    fn string(&mut self) -> Option<String> {
        self.take(b'"');
        let mut string = String::new();
        loop {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            match first {
                b'"' => return Some(string),
                b'\\' => {
                    let (escaped, rest) = self.0.split_first()?;
                    self.0 = rest;
                    matches!(escaped, b'"' | b'\\').then(|| string.push(char::from(*escaped)))?;
                }
                b' '..=b'~' => string.push(char::from(*first)),
                _ => return None,
            }
        }
    }

    fn boolean(&mut self) -> Option<Item> {
        self.take(b'?');
        match self.0.split_first()? {
            (b'1', rest) => {
                self.0 = rest;
                Some(Item::Boolean(true))
            }
            (b'0', rest) => {
                self.0 = rest;
                Some(Item::Boolean(false))
            }
            _ => None,
        }
    }

    fn bytes(&mut self) -> Option<Item> {
        self.take(b':');
        self.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
        self.take(b':').then_some(Item::Other)
    }

    fn display_string(&mut self) -> Option<Item> {
        self.take(b'%');
        self.take(b'"').then_some(())?;
        self.take_while(|b| matches!(b, b' '..=b'~') && b != b'"');
        self.take(b'"').then_some(Item::Other)
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)
}

/// Only ever called with bytes that were found to be ASCII.
fn text(ascii: &[u8]) -> String {
    ascii.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Option<Vec<(String, Item)>> {
        dictionary(text.as_bytes())
    }

    #[test]
    fn members_of_every_kind_are_read() {
        let found = members("a=1, b, c=?0;x=1, d=\"q\\\"\", e=tok/en, f=(1 \"a\");p, g=1.5, h=:aGk=:, i=@1, j=%\"x%20\"").unwrap();
        let expected = [
            ("a", Item::Integer(1)),
            ("b", Item::Boolean(true)),
            ("c", Item::Boolean(false)),
            ("d", Item::String("q\"".to_owned())),
            ("e", Item::Token("tok/en".to_owned())),
            ("f", Item::Other),
            ("g", Item::Other),
            ("h", Item::Other),
            ("i", Item::Other),
            ("j", Item::Other),
        ];
        assert_eq!(found, expected.map(|(name, item)| (name.to_owned(), item)));
    }

    #[test]
    fn one_mistake_makes_the_whole_field_invalid() {
        for wrong in [
            "a=1,",
            ",a",
            "a=1,,b",
            "A=1",
            "a =1",
            "a= 1",
            "a=\"x",
            "a='1'",
            "a=1 b",
            "a=?2",
            "a=(1",
            "a=1.",
            "a=é",
            "a=1234567890123456",
            "a=:x",
            "a;=1",
            "a=--1",
            "\ta=1",
        ] {
            assert_eq!(members(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_last_of_two_members_counts() {
        assert_eq!(
            members("a=1, b=2, a=3").unwrap()[0],
            ("a".to_owned(), Item::Integer(3))
        );
    }

    #[test]
    fn an_empty_dictionary_has_no_members() {
        assert_eq!(members("  "), Some(vec![]));
    }

    #[test]
    fn lists_are_read() {
        let group = |name: &str| Item::String(name.to_owned());
        assert_eq!(list(b"\"a\", \"b\";x"), Some(vec![group("a"), group("b")]));
        assert_eq!(list(b"\"a\","), None);
    }
}
