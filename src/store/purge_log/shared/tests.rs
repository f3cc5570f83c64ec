use super::{
    super::{PurgeLog, Selector},
    *,
};
use crate::metrics::Metrics;

fn hard(path: &str) -> Purge {
    Purge {
        selector: Selector::of_uri(b"a", path),
        hard: true,
    }
}

#[test]
fn a_purge_that_was_taken_and_is_not_in_the_log_is_sent_again() {
    let log = PurgeLog::new(true, Metrics::new());
    let shared = log.shared().unwrap();
    let last = log.append(vec![hard("/a"), hard("/b")]);
    let batch = shared.next_batch(10);
    shared.sent(&batch);
    assert!(shared.next_batch(10).is_empty());
    log.read_back(batch[0].seq, StreamId(6, 0), |_| true);
    shared.send_lost_again(batch[0].since); // a read of before it was sent says nothing
    assert!(shared.next_batch(10).is_empty());
    shared.send_lost_again(tokio::time::Instant::now() + Duration::from_secs(1));
    let again = shared.next_batch(10);
    assert_eq!((again.len(), again[0].seq), (1, last));
    log.read_back(last, StreamId(7, 0), |_| false);
    assert_eq!(log.pending(), 1, "another record has that number");
    log.read_back(last, StreamId(8, 0), |message| *message == batch[1].message);
    assert_eq!(log.pending(), 0);
}

#[test]
fn there_is_no_gap_up_to_its_end_and_one_after_it() {
    let log = PurgeLog::new(true, Metrics::new());
    let (shared, gap) = (log.shared().unwrap(), Duration::from_secs(5));
    let begun = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    shared.begins(begun, gap);
    assert!(!log.in_gap(begun + gap));
    assert!(log.in_gap(begun + gap + Duration::from_nanos(1)));
    shared.in_contact(begun + gap, gap);
    shared.in_contact(begun, gap); // heard late
    assert!(!log.in_gap(begun + gap * 2));
    assert!(log.in_gap(begun + gap * 2 + Duration::from_nanos(1)));
}
