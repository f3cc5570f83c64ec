//! Field values that every hit writes anew: put together on the stack, and allocated once.

use bytes::Bytes;
use http::HeaderValue;

/// At most `N` bytes of visible ASCII. What does not fit any more is left out, which the callers' tests rule out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Short<N> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
        }
    }

    /// With `text` at its end.
    pub(crate) fn push(&mut self, text: &[u8]) {
        let end = self.length + text.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(text);
            self.length = end;
        }
    }

    /// With `number` at its end, in decimal.
    pub(crate) fn push_number(&mut self, number: i64) {
        if number < 0 {
            self.push(b"-");
        }
        let mut digits = [0; 20]; // u64::MAX has twenty
        let mut at = digits.len();
        let mut rest = number.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit is below ten");
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(&digits[at..]);
    }

    /// What it says.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// As the value of a field. A buffer of another length than its content would cost a second allocation.
    pub(crate) fn value(&self) -> HeaderValue {
        let value = HeaderValue::from_maybe_shared(Bytes::copy_from_slice(self.as_bytes()));
        value.expect("visible ASCII")
    }
}

/// `number` as the value of a field.
pub(crate) fn decimal(number: u64) -> HeaderValue {
    let mut short = Short::<20>::new();
    short.push_number(i64::try_from(number).unwrap_or(i64::MAX));
    short.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_written() {
        for number in [0, 1, 10, 2_147_483_648, i64::MAX.unsigned_abs()] {
            assert_eq!(decimal(number), number.to_string());
        }
        let mut short = Short::<20>::new();
        short.push_number(i64::MIN);
        assert_eq!(short.as_bytes(), i64::MIN.to_string().as_bytes());
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let mut short = Short::<3>::new();
        for text in ["ab", "cd", "e", "f"] {
            short.push(text.as_bytes());
        }
        assert_eq!(short.value(), "abe");
    }
}
