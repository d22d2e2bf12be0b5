//! The ring of the engine by itself, so that it can be built without the rest for tools that rebuild everything:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p linnet-ring-check       # the orders of the threads' steps
//! cargo +nightly miri test -p linnet-ring-check                          # undefined behaviour
//! ```
//!
//! Without either it runs the ring's unit tests, as the engine does.

#[path = "../src/audio/convert.rs"]
pub mod convert;
#[path = "../src/audio/ring.rs"]
pub mod ring;

#[cfg(all(test, loom))]
mod model {
    use std::time::Duration;

    use loom::thread;

    use crate::ring::{Consumer, Item, ring};

    /// Takes everything out, and checks that positions go on without holes or repetitions and that samples are theirs.
    /// Returns the samples lost and the position of the end.
    fn drain(mut consumer: Consumer) -> (u64, u64) {
        let (mut next, mut lost, mut out) = (0, 0, Vec::new());
        loop {
            out.clear();
            match consumer.pop(&mut out) {
                Some(Item::Samples { position, len, captured }) => {
                    assert_eq!(position, next);
                    assert_eq!(captured, Duration::from_nanos(position));
                    let expected: Vec<f32> = (position..position + len as u64).map(|at| at as f32).collect();
                    assert_eq!(out, expected);
                    next += len as u64;
                }
                Some(Item::Gap { position, length }) => {
                    assert_eq!(position, next);
                    assert!(length > 0);
                    next += length;
                    lost += length;
                }
                None if consumer.is_finished() => return (lost, next),
                None => thread::yield_now(),
            }
        }
    }

    /// Samples whose value is their position; a thousand million per second, so that the stamp is it too.
    fn push(producer: &mut crate::ring::Producer, len: usize) {
        let from = producer.position();
        let samples: Vec<f32> = (from..from + len as u64).map(|at| at as f32).collect();
        producer.push_at(&samples, Duration::from_nanos(from), 1_000_000_000);
    }

    #[test]
    fn blocks_arrive_whole_and_in_order() {
        // All orders of these many steps would take hours; those with at most three switches against a thread's will
        // take seconds.
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let (mut producer, consumer) = ring(2, 2);
            let pushing = thread::spawn(move || {
                push(&mut producer, 3);
                push(&mut producer, 2);
                producer.dropped()
            });
            let (lost, end) = drain(consumer);
            assert_eq!(end, 5);
            assert_eq!(lost, pushing.join().unwrap());
        });
    }

    #[test]
    fn a_full_ring_tells_what_it_lost() {
        loom::model(|| {
            let (mut producer, consumer) = ring(1, 1);
            let pushing = thread::spawn(move || {
                push(&mut producer, 3);
                producer.dropped()
            });
            let (lost, end) = drain(consumer);
            assert_eq!(end, 3);
            assert_eq!(lost, pushing.join().unwrap());
        });
    }

    #[test]
    fn losses_of_the_device_keep_their_place() {
        loom::model(|| {
            let (mut producer, consumer) = ring(2, 2);
            let pushing = thread::spawn(move || {
                push(&mut producer, 1);
                producer.skip(10);
                push(&mut producer, 1);
            });
            assert_eq!(drain(consumer), (10, 12));
            pushing.join().unwrap();
        });
    }

    #[test]
    fn the_counters_never_run_ahead() {
        loom::model(|| {
            let (mut producer, consumer) = ring(1, 2);
            let pushing = thread::spawn(move || push(&mut producer, 2));
            assert!(consumer.len() <= 2);
            assert_eq!(consumer.dropped(), 0);
            pushing.join().unwrap();
            assert_eq!(consumer.len(), 2);
        });
    }
}
