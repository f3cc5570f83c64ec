use super::envelope::CONTENT;
use super::fields::{MAX_FIELDS, MAX_TAGS, put_bytes};
use super::*;
use crate::{
    semantics::{
        Freshness, StoredHead,
        freshness::Source,
        part::{ByteRange, Part},
        vary::Selecting,
    },
    store::entry::StreamId,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

const NOW: SystemTime = UNIX_EPOCH;

const TTL: Duration = Duration::from_secs(100);

const AT: Times = Times {
    now: NOW,
    wall: NOW,
};

const WRITTEN: Written = Written { at: AT, ttl: TTL };

const READ: Read = Read {
    at: AT,
    left: Some(TTL),
    max_body: 1 << 20,
};

const STAMP: Stamp = Stamp {
    position: StreamId(7, 9),
    age: Duration::ZERO,
    ttl: TTL,
};

/// The bytes of `entry` with the id of the sample.
fn bytes_of(entry: &Entry, compress_above: Option<u64>) -> Vec<u8> {
    encode_entry(entry, &ID, compress_above, WRITTEN).unwrap()
}

fn sample() -> Entry {
    let mut headers = HeaderMap::new();
    headers.append("link", HeaderValue::from_static("<a>"));
    headers.append("link", HeaderValue::from_bytes(b"<\xff>").unwrap());
    let head = StoredHead {
        status: StatusCode::NOT_FOUND,
        headers,
        selecting: Selecting::from_parts(vec![
            (
                HeaderName::from_static("accept"),
                Some(Box::from(&b"a"[..])),
            ),
            (HeaderName::from_static("x"), None),
        ]),
        freshness: Freshness {
            initial_age: Duration::from_millis(1),
            response_time: NOW,
            request_time: NOW,
            lifetime: Duration::from_secs(1 << 31),
            source: Source::Heuristic,
            while_revalidate: Duration::from_secs(3),
            if_error: Duration::from_secs(4),
            validate_always: true,
            forbids_stale: false,
        },
        part: Some(Part {
            range: ByteRange { first: 5, last: 10 },
            complete: None,
        }),
        generated_etag: true,
        no_transform: true,
        tags: vec!["a:1".into(), "ü".into()],
    };
    let key = Key::from_stored(Bytes::from_static(b"key"));
    let position = Position {
        local: 0,
        shared: StreamId(7, 9),
    };
    Entry::new(key, head, Bytes::from_static(b"\0body\xff"), position)
}

const ID: Id = [7; 32];

fn decoded(bytes: Vec<u8>) -> Result<Value, DecodeError> {
    decode(&bytes.into(), &sample().key, &ID, READ)
}

#[test]
fn a_value_of_another_key_is_none() {
    let bytes = encode_entry(&sample(), &[8; 32], None, WRITTEN).unwrap();
    assert_eq!(decoded(bytes).unwrap_err(), DecodeError::Key);
}

#[test]
fn an_entry_comes_back_equal() {
    let entry = sample();
    let Ok(Value::Entry(back)) = decoded(bytes_of(&entry, None)) else {
        panic!("no entry")
    };
    assert_eq!(
        (&back.key, &back.head, &back.body),
        (&entry.key, &entry.head, &entry.body)
    );
    assert_eq!(back.shared_position, StreamId(7, 9));
}

#[test]
fn a_vary_note_comes_back_equal() {
    let names = [
        HeaderName::from_static("accept"),
        HeaderName::from_static("x-a"),
    ];
    let members = [
        Member {
            values: [1; 16],
            language: [0; 16],
        },
        Member {
            values: [2; 16],
            language: [3; 16],
        },
    ];
    let mut note = encode_note(names.iter(), STAMP).unwrap();
    note.extend(members.into_iter().flat_map(Member::to_bytes));
    let Ok(Value::Note(back)) = decoded(note.clone()) else {
        panic!("no note")
    };
    let selected = |values, language| back.candidates(values, language).collect::<Vec<_>>();
    assert_eq!(
        (&back.names[..], &back.members[..]),
        (&names[..], &members[..])
    );
    assert_eq!(selected([1; 16], Some([3; 16])), [[1; 16], [2; 16]]);
    assert_eq!(selected([4; 16], Some([3; 16])), [[2; 16]]);
    assert_eq!(selected([4; 16], None), [[0; 16]; 0]);
    note.pop();
    assert_eq!(
        decoded(note.clone()).err(),
        Some(DecodeError::Field),
        "torn"
    );
    note.resize(note.len() + 1 + 32 * MAX_VARIANTS, 0);
    assert_eq!(decoded(note).err(), Some(DecodeError::Field), "too many");
}

#[test]
fn a_note_has_so_many_members_and_the_first_ones_go() {
    let member = |number: u8| Member {
        values: [number; 16],
        language: [0; 16],
    };
    let note = Note {
        names: Vec::new(),
        members: (0..32).map(member).collect(),
    };
    let (left, gone) = note.with(member(40));
    assert_eq!((left.len(), gone), (32, vec![member(0)]));
    let note = Note {
        names: Vec::new(),
        members: left,
    };
    let (left, gone) = note.with(member(5));
    assert_eq!((left.len(), left[31], gone), (32, member(5), vec![]));
}

#[test]
fn a_large_value_is_known_by_its_length_and_checksum() {
    let whole = bytes_of(&sample(), None);
    let Ok(Value::Elsewhere(known)) = decoded(encode_elsewhere(&whole).unwrap()) else {
        panic!("no large value")
    };
    assert_eq!(known.length, whole.len() as u64);
    assert_eq!(Some(known.checksum), checksum_of(&whole));
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let whole = bytes_of(&sample(), None);
    for end in 0..whole.len() {
        assert!(decoded(whole[..end].to_vec()).is_err(), "cut at {end}");
    }
    for at in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        assert!(decoded(flipped).is_err(), "bit {at}");
    }
}

#[test]
fn lying_lengths_with_a_right_checksum_are_refused_without_allocating() {
    let sealed = |value| decoded(seal(value).unwrap()).err();
    for count in [MAX_FIELDS + 1, u32::MAX] {
        let mut note = begin(Kind::Note, STAMP, 8);
        note.put_u32(count);
        assert_eq!(sealed(note), Some(DecodeError::Field));
    }
    let mut entry = begin(Kind::Entry, STAMP, 64);
    entry.put_slice(&ID);
    entry.put_slice(&[0; 16]); // the times
    entry.put_u16(200);
    entry.put_u8(0);
    entry.put_u32(u32::MAX);
    assert_eq!(sealed(entry), Some(DecodeError::Field));
}

#[test]
fn what_is_written_can_be_read_or_is_not_written() {
    let with = |tags: usize| {
        let mut entry = sample();
        entry.head.tags = (0..tags).map(|n| n.to_string().into()).collect();
        entry
    };
    let most = with(MAX_TAGS as usize);
    let Ok(Value::Entry(back)) = decoded(bytes_of(&most, None)) else {
        panic!("no entry")
    };
    assert_eq!(back.head.tags, most.head.tags);
    let more = with(MAX_TAGS as usize + 1);
    assert_eq!(encode_entry(&more, &ID, None, WRITTEN), None);
    let mut fields = sample();
    for _ in 0..MAX_FIELDS {
        fields
            .head
            .headers
            .append("x", HeaderValue::from_static("1"));
    }
    assert_eq!(encode_entry(&fields, &ID, None, WRITTEN), None);
}

#[test]
fn what_would_frame_an_answer_anew_is_no_response() {
    for status in [100, 101, 103] {
        let mut entry = sample();
        entry.head.status = StatusCode::from_u16(status).unwrap();
        assert_eq!(
            decoded(bytes_of(&entry, None)).err(),
            Some(DecodeError::Field)
        );
    }
    for name in [
        "transfer-encoding",
        "connection",
        "keep-alive",
        "upgrade",
        "te",
    ] {
        let mut entry = sample();
        let value = HeaderValue::from_static("chunked");
        entry
            .head
            .headers
            .insert(HeaderName::from_static(name), value);
        let read = decoded(bytes_of(&entry, None)).err();
        assert_eq!(read, Some(DecodeError::Field), "{name}");
    }
}

#[test]
fn how_long_a_response_took_comes_back_too() {
    let mut entry = sample();
    entry.head.freshness.request_time = NOW + Duration::from_secs(1);
    entry.head.freshness.response_time = NOW + Duration::from_secs(3);
    let at = Times {
        now: NOW + Duration::from_secs(4),
        wall: NOW + Duration::from_secs(4),
    };
    let bytes = encode_entry(&entry, &ID, None, Written { at, ttl: TTL }).unwrap();
    let read = Read { at, ..READ };
    let Ok(Value::Entry(back)) = decode(&bytes.into(), &entry.key, &ID, read) else {
        panic!("no entry")
    };
    assert_eq!(back.head.freshness, entry.head.freshness);
}

#[test]
fn another_version_is_another_format() {
    let mut bytes = bytes_of(&sample(), None);
    bytes[3] += 1;
    assert_eq!(decoded(bytes).err(), Some(DecodeError::Format));
}

/// How old an entry is when it is read, of a response that came five seconds before it was written, where the two wall clocks and
/// Redis say that so many seconds have passed.
fn age(by_clock: i64, by_redis: Option<u64>) -> u64 {
    let secs = Duration::from_secs;
    let long_ago = NOW + secs(1_000_000_000);
    let mut entry = sample();
    entry.head.freshness.response_time = NOW + secs(10);
    let at = Times {
        now: NOW + secs(15),
        wall: long_ago,
    };
    let bytes = encode_entry(&entry, &ID, None, Written { at, ttl: TTL }).unwrap();
    let wall = if by_clock < 0 {
        long_ago - secs(by_clock.unsigned_abs())
    } else {
        long_ago + secs(by_clock.unsigned_abs())
    };
    // Another process, whose cache time has nothing to do with that of the first.
    let now = NOW + secs(5000);
    let read = Read {
        at: Times { now, wall },
        left: by_redis.map(|passed| TTL - secs(passed)),
        max_body: 1 << 20,
    };
    let Ok(Value::Entry(back)) = decode(&bytes.into(), &entry.key, &ID, read) else {
        panic!("no entry")
    };
    let came = back.head.freshness.response_time;
    now.duration_since(came)
        .expect("nothing comes from the future")
        .as_secs()
}

#[test]
fn a_value_is_as_old_as_the_wall_clocks_or_redis_say() {
    assert_eq!(age(0, Some(0)), 5);
    assert_eq!(age(30, Some(30)), 35);
    assert_eq!(age(30, None), 35, "redis does not say");
    assert_eq!(age(-3600, Some(30)), 35, "the clock of who reads is behind");
    assert_eq!(
        age(-3600, None),
        5,
        "no younger than it was when it was written"
    );
    assert_eq!(age(30, Some(0)), 35, "the clock of redis was set back");
    assert_eq!(age(3600, Some(30)), 3605);
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 13..300), cut in 0_usize..400) {
        // With the right beginning and checksum, so that the fields behind them are reached.
        let seed = bytes_of(&sample(), None);
        let mut grafted = seed[..cut.min(seed.len())].to_vec();
        grafted.append(&mut bytes);
        grafted.resize(grafted.len().max(CONTENT), 0);
        grafted[..4].copy_from_slice(&seed[..4]);
        if let Ok(Value::Entry(entry)) = decoded(seal(grafted).unwrap()) {
            let Ok(Value::Entry(back)) = decoded(bytes_of(&entry, None)) else { panic!("it was one before") };
            proptest::prop_assert_eq!(&back.head, &entry.head);
            proptest::prop_assert_eq!(&back.body, &entry.body);
        }
    }
}

#[test]
fn a_large_body_comes_back_from_its_compressed_form() {
    let with = |body: Vec<u8>| {
        Entry::new(
            Key::from_stored(Bytes::from_static(b"key")),
            crate::semantics::stored::sample(&[]),
            body.into(),
            Position::default(),
        )
    };
    let text = with(b"0123456789".repeat(1000));
    let noise = with((0..10_000).map(|_| fastrand::u8(..)).collect());
    for (entry, above, smaller) in [
        (&text, Some(5000), true),
        (&text, Some(20_000), false),
        (&text, None, false),
        (&noise, Some(5000), false),
    ] {
        let bytes = bytes_of(entry, above);
        assert_eq!(bytes.len() < entry.body.len(), smaller, "{above:?}");
        let Ok(Value::Entry(back)) = decoded(bytes) else {
            panic!("no entry")
        };
        assert!(back.body == entry.body);
    }
}

#[test]
fn a_compressed_body_that_is_not_what_it_says_is_refused() {
    let zeros = zstd::bulk::compress(&[0; 1 << 20], 3).unwrap();
    for (length, bytes, error) in [
        (u64::MAX, &zeros[..], DecodeError::Inflated),
        (1 << 21, &zeros, DecodeError::Inflated), // more than there may be
        (1 << 19, &zeros, DecodeError::Field),
        (1 << 20, &zeros[..zeros.len() - 1], DecodeError::Field),
        (3, b"abc", DecodeError::Field),
    ] {
        let mut out = Vec::new();
        out.put_u8(1);
        out.put_u64(length);
        put_bytes(&mut out, bytes);
        let taken = body::take(&mut Reader(out.into()), 1 << 20);
        assert_eq!(taken.err(), Some(error), "{length}");
    }
}
