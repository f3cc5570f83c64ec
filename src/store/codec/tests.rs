use super::*;

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
};

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
    let bytes = encode_entry(&sample(), &[8; 32], None, WRITTEN);
    assert_eq!(decoded(bytes).unwrap_err(), DecodeError::Key);
}

#[test]
fn an_entry_comes_back_equal() {
    let entry = sample();
    let Ok(Value::Entry(back)) = decoded(encode_entry(&entry, &ID, None, WRITTEN)) else {
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
    let Ok(Value::Vary(back)) = decoded(encode_vary(names.iter())) else {
        panic!("no note")
    };
    assert_eq!(back, names);
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let whole = encode_entry(&sample(), &ID, None, WRITTEN);
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
    for count in [fields::MAX_FIELDS + 1, u32::MAX] {
        let mut note = begin(KIND_VARY, 8);
        note.put_u32(count);
        assert_eq!(decoded(finish(note)).err(), Some(DecodeError::Field));
    }
    let mut entry = begin(KIND_ENTRY, 64);
    entry.put_slice(&ID);
    entry.put_slice(&[0; 24]); // the times
    entry.put_u16(200);
    entry.put_u8(0);
    entry.put_u32(u32::MAX);
    assert_eq!(decoded(finish(entry)).err(), Some(DecodeError::Field));
}

#[test]
fn another_version_is_another_format() {
    let mut bytes = encode_entry(&sample(), &ID, None, WRITTEN);
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
    let bytes = encode_entry(&entry, &ID, None, Written { at, ttl: TTL });
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
        let seed = encode_entry(&sample(), &ID, None, WRITTEN);
        let mut grafted = seed[..cut.min(seed.len())].to_vec();
        grafted.append(&mut bytes);
        grafted.resize(grafted.len().max(PREFIX + 1), 0);
        grafted[..3].copy_from_slice(MAGIC);
        grafted[3] = VERSION;
        if let Ok(Value::Entry(entry)) = decoded(finish(grafted)) {
            let Ok(Value::Entry(back)) = decoded(encode_entry(&entry, &ID, None, WRITTEN)) else { panic!("it was one before") };
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
        let bytes = encode_entry(entry, &ID, above, WRITTEN);
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
    for (length, bytes) in [
        (u64::MAX, &zeros[..]),
        (1 << 19, &zeros),
        (1 << 21, &zeros),
        (1 << 20, &zeros[..zeros.len() - 1]),
        (3, b"abc"),
    ] {
        let mut out = Vec::new();
        out.put_u8(1);
        out.put_u64(length);
        put_bytes(&mut out, bytes);
        let taken = body::take(&mut Reader(out.into()));
        assert_eq!(taken.err(), Some(DecodeError::Field), "{length}");
    }
}
