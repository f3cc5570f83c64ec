//! What `Vary` says of a key: by which fields one of its responses is selected, and which there are.

use super::{
    envelope::{Kind, Stamp, begin, seal},
    fields::{DecodeError, MAX_FIELDS, Reader, put_bytes, put_count},
};
use bytes::Bytes;
use http::HeaderName;

/// One key may have so many variants in Redis; the one that was written first goes. As many as in memory.
pub(in crate::store) const MAX_VARIANTS: usize = 32;

/// One variant, by what stands for the values that select it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Member {
    /// For the values themselves.
    pub(in crate::store) values: [u8; 16],
    /// For the language that the response is in, in place of those that were asked for; nothing but zeros where there is none.
    pub(in crate::store) language: [u8; 16],
}

impl Member {
    pub(in crate::store) const BYTES: usize = 32;

    pub(in crate::store) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&self.values);
        bytes[16..].copy_from_slice(&self.language);
        bytes
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let (values, language) = bytes.split_first_chunk()?;
        Some(Self {
            values: *values,
            language: language.try_into().ok()?,
        })
    }
}

/// See the module docs.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) struct Note {
    /// The fields that select.
    pub(in crate::store) names: Vec<HeaderName>,
    /// What there is, the oldest first.
    pub(in crate::store) members: Vec<Member>,
}

impl Note {
    /// The variants that a request may select whose values, and whose preferred language, stand for these; the likeliest first.
    pub(in crate::store) fn candidates(
        &self,
        values: [u8; 16],
        language: Option<[u8; 16]>,
    ) -> impl Iterator<Item = [u8; 16]> {
        let newest_first = || self.members.iter().rev();
        let exact = newest_first().find(move |member| member.values == values);
        let similar = newest_first().find(move |member| {
            language.is_some_and(|language| language == member.language) && member.values != values
        });
        exact.into_iter().chain(similar).map(|member| member.values)
    }

    /// With `member` as the newest, and those that had to go for it.
    pub(in crate::store) fn with(mut self, member: Member) -> (Vec<Member>, Vec<Member>) {
        self.members.retain(|other| other.values != member.values);
        self.members.push(member);
        let surplus = self.members.len().saturating_sub(MAX_VARIANTS);
        let gone = self.members.drain(..surplus).collect();
        (self.members, gone)
    }
}

/// The bytes of a note without its members, which stand behind it one after the other.
pub(in crate::store) fn encode<'a>(
    names: impl Iterator<Item = &'a HeaderName>,
    stamp: Stamp,
) -> Option<Vec<u8>> {
    let mut out = begin(Kind::Note, stamp, 64);
    let names: Vec<&HeaderName> = names.collect();
    put_count(&mut out, names.len());
    for name in names {
        put_bytes(&mut out, name.as_str().as_bytes());
    }
    seal(out)
}

pub(super) fn take(fields: &mut Reader, members: &Bytes) -> Result<Note, DecodeError> {
    let names = (0..fields.count(MAX_FIELDS)?).map(|_| fields.name());
    let names = names.collect::<Result<_, _>>()?;
    let (members, torn) = members.as_chunks::<{ Member::BYTES }>();
    if !torn.is_empty() || members.len() > MAX_VARIANTS {
        return Err(DecodeError::Field);
    }
    let members = members.iter().filter_map(|bytes| Member::of(bytes));
    Ok(Note {
        names,
        members: members.collect(),
    })
}
