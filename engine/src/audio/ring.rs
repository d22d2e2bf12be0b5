//! The queue between the audio thread and the recognizer thread.
//!
//! One producer, one consumer, blocks of samples (10 ms is a good size) in memory that is allocated once. The producer
//! side is wait-free: a push is a bounded number of stores, with no allocation, lock or system call, so it may be
//! called from an audio callback. When the ring is full the newest blocks are dropped and counted, until a quarter of it
//! is free again; the consumer meets an [`Item::Gap`] at exactly that place, and positions keep counting through it, so
//! time stays true.
//!
//! Samples are kept in atomics. Relaxed stores and loads of 32 bits are plain moves on the machines that matter, and
//! the ring needs no unsafe code: a mistake in the protocol could deliver a wrong sample, never a data race.
//!
//! The consumer does not get woken. Waking a thread is a system call, which the producer must not make, so
//! [`Consumer::wait`] looks every [`POLL`] instead: against blocks of 10 ms that is 2 ms of latency at worst and, asleep
//! in between, next to no load.
//!
//! A block carries the time at which its first sample was captured, on whatever clock the producer uses: that is how
//! latency is measured from the microphone on, and how audio is found that a device lost without a word.
//!
//! ```
//! use linnet::audio::ring::{Item, ring};
//!
//! let (mut producer, mut consumer) = ring(480, 64);
//! producer.push(&[0i16; 1000]);
//! let mut samples = Vec::with_capacity(480);
//! assert!(matches!(consumer.pop(&mut samples), Some(Item::Samples { position: 0, len: 480, .. })));
//! ```

use std::time::{Duration, Instant};

#[cfg(not(loom))]
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

#[cfg(loom)]
use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use super::convert::PcmSample;

/// How often a waiting consumer looks for a block.
pub const POLL: Duration = Duration::from_millis(2);

/// What comes out of a ring. Positions and lengths count samples as pushed, over all channels, from the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Samples have been appended to the output.
    Samples {
        /// Position of the first of them.
        position: u64,
        /// Their number.
        len: usize,
        /// When the first of them was captured, as the producer said; zero where it did not.
        captured: Duration,
    },
    /// Samples have been lost here.
    Gap {
        /// Position of the first that is missing.
        position: u64,
        /// Their number.
        length: u64,
    },
}

struct Slot {
    position: AtomicU64,
    /// When the first sample was captured, in nanoseconds on the producer's clock.
    captured_ns: AtomicU64,
    len: AtomicUsize,
}

struct Shared {
    /// A power of two of them, so that the counters below may wrap.
    slots: Box<[Slot]>,
    /// Samples of all slots, as the bits of f32: one allocation, which the system gets back whole.
    samples: Box<[AtomicU32]>,
    block_samples: usize,
    /// Blocks published by the producer. A release of it hands the slots before it over to the consumer.
    tail: AtomicUsize,
    /// Blocks taken by the consumer. A release of it hands the slots before it back.
    head: AtomicUsize,
    /// Samples dropped so far.
    dropped: AtomicU64,
    /// Samples pushed or dropped until the end; valid once `closed`.
    end: AtomicU64,
    closed: AtomicBool,
}

impl Shared {
    fn slot(&self, index: usize) -> &Slot {
        &self.slots[index & (self.slots.len() - 1)]
    }

    fn samples(&self, index: usize) -> &[AtomicU32] {
        let at = (index & (self.slots.len() - 1)) * self.block_samples;
        &self.samples[at..at + self.block_samples]
    }
}

/// Free blocks that end a gap.
fn room_to_resume(blocks: usize) -> usize {
    (blocks / 4).max(1)
}

/// Makes a ring of `blocks` blocks (rounded up to a power of two) of `block_samples` samples. For interleaved audio
/// make `block_samples` a multiple of the channels, so that gaps are whole frames.
///
/// # Panics
///
/// If `block_samples` or `blocks` is zero.
pub fn ring(block_samples: usize, blocks: usize) -> (Producer, Consumer) {
    assert!(block_samples > 0 && blocks > 0, "a ring needs room for at least one sample");
    let slot = || Slot { position: AtomicU64::new(0), captured_ns: AtomicU64::new(0), len: AtomicUsize::new(0) };
    let blocks = blocks.next_power_of_two();
    let shared = Arc::new(Shared {
        slots: (0..blocks).map(|_| slot()).collect(),
        samples: (0..blocks * block_samples).map(|_| AtomicU32::new(0)).collect(),
        block_samples,
        tail: AtomicUsize::new(0),
        head: AtomicUsize::new(0),
        dropped: AtomicU64::new(0),
        end: AtomicU64::new(0),
        closed: AtomicBool::new(false),
    });
    let producer = Producer { shared: shared.clone(), tail: 0, position: 0, filled: 0, dropping: false, dropped: 0 };
    (producer, Consumer { shared, head: 0, position: 0 })
}

/// The audio thread's end of a ring. Dropping it closes the ring after its last samples.
pub struct Producer {
    shared: Arc<Shared>,
    tail: usize,
    /// Position of the next sample.
    position: u64,
    /// Samples in the block that is being filled or dropped.
    filled: usize,
    /// Whether the current block, or the last one, found no room.
    dropping: bool,
    dropped: u64,
}

impl Producer {
    /// Takes samples in, any number at a time. Returns how many of them were dropped because the ring was full.
    pub fn push<S: PcmSample>(&mut self, samples: &[S]) -> usize {
        self.push_stamped(samples, |_| 0)
    }

    /// As [`push`](Self::push), with the time at which the first of the samples was captured. `rate` is in samples per
    /// second over all channels.
    pub fn push_at<S: PcmSample>(&mut self, samples: &[S], captured: Duration, rate: u64) -> usize {
        let captured_ns = u64::try_from(captured.as_nanos()).unwrap_or(u64::MAX);
        let rate = rate.max(1);
        self.push_stamped(samples, |offset| captured_ns.saturating_add(offset as u64 * 1_000_000_000 / rate))
    }

    /// `stamp` gives the capture time of the sample at an offset of `samples`.
    fn push_stamped<S: PcmSample>(&mut self, mut samples: &[S], stamp: impl Fn(usize) -> u64) -> usize {
        let dropped_before = self.dropped;
        let len = samples.len();
        while !samples.is_empty() {
            if self.filled == 0 {
                let used = self.tail.wrapping_sub(self.shared.head.load(Ordering::Acquire));
                // Once full, wait for some room: a few long gaps are better than many short ones.
                let room = if self.dropping { room_to_resume(self.shared.slots.len()) } else { 1 };
                self.dropping = self.shared.slots.len() - used < room;
                if !self.dropping {
                    let captured_ns = stamp(len - samples.len());
                    self.shared.slot(self.tail).captured_ns.store(captured_ns, Ordering::Relaxed);
                }
            }
            let (taken, rest) = samples.split_at(samples.len().min(self.shared.block_samples - self.filled));
            if self.dropping {
                self.dropped += taken.len() as u64;
                self.shared.dropped.store(self.dropped, Ordering::Relaxed);
            } else {
                let slots = &self.shared.samples(self.tail)[self.filled..];
                for (slot, sample) in slots.iter().zip(taken) {
                    slot.store(sample.to_f32().to_bits(), Ordering::Relaxed);
                }
            }
            self.filled += taken.len();
            self.position += taken.len() as u64;
            samples = rest;
            if self.filled == self.shared.block_samples {
                self.flush();
            }
        }
        (self.dropped - dropped_before) as usize
    }

    /// Hands a block over that is not full yet. For the end of audio, and pauses in it.
    pub fn flush(&mut self) {
        if self.filled > 0 && !self.dropping {
            let slot = self.shared.slot(self.tail);
            slot.position.store(self.position - self.filled as u64, Ordering::Relaxed);
            slot.len.store(self.filled, Ordering::Relaxed);
            self.tail = self.tail.wrapping_add(1);
            self.shared.tail.store(self.tail, Ordering::Release);
        }
        self.filled = 0;
    }

    /// Tells of `samples` samples that were lost before they got here, as a device reports after a glitch. The consumer
    /// meets them as a gap.
    pub fn skip(&mut self, samples: u64) {
        self.flush();
        self.position += samples;
        self.dropped += samples;
        self.shared.dropped.store(self.dropped, Ordering::Relaxed);
    }

    /// Position of the next sample to be pushed.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Samples lost so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("position", &self.position).finish_non_exhaustive()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.flush();
        self.shared.end.store(self.position, Ordering::Relaxed);
        self.shared.closed.store(true, Ordering::Release);
    }
}

/// The recognizer thread's end of a ring.
pub struct Consumer {
    shared: Arc<Shared>,
    head: usize,
    /// Position after the last item.
    position: u64,
}

impl Consumer {
    /// Takes the next item out; samples are appended to `out`. `None` if there is none now, or none any more
    /// ([`is_finished`](Self::is_finished)).
    pub fn pop(&mut self, out: &mut Vec<f32>) -> Option<Item> {
        // Closed is read first: what was published before the end is then seen below.
        let closed = self.shared.closed.load(Ordering::Acquire);
        if self.shared.tail.load(Ordering::Acquire) == self.head {
            // Losses behind the last block.
            return if closed { gap(&mut self.position, self.shared.end.load(Ordering::Relaxed)) } else { None };
        }
        let slot = self.shared.slot(self.head);
        let position = slot.position.load(Ordering::Relaxed);
        if let Some(gap) = gap(&mut self.position, position) {
            return Some(gap);
        }
        let len = slot.len.load(Ordering::Relaxed);
        out.extend(
            self.shared.samples(self.head)[..len].iter().map(|sample| f32::from_bits(sample.load(Ordering::Relaxed))),
        );
        let captured = Duration::from_nanos(slot.captured_ns.load(Ordering::Relaxed));
        self.head = self.head.wrapping_add(1);
        self.shared.head.store(self.head, Ordering::Release);
        self.position = position + len as u64;
        Some(Item::Samples { position, len, captured })
    }

    /// Waits until an item is there, the producer is gone, or `timeout` has passed. Returns whether
    /// [`pop`](Self::pop) has an item.
    pub fn wait(&self, timeout: Duration) -> bool {
        let start = Instant::now();
        loop {
            let closed = self.shared.closed.load(Ordering::Acquire);
            if self.shared.tail.load(Ordering::Acquire) != self.head {
                return true;
            }
            if closed {
                return !self.is_finished();
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return false;
            }
            std::thread::sleep(POLL.min(left));
        }
    }

    /// Whether the producer is gone and everything has been taken out.
    pub fn is_finished(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
            && self.shared.tail.load(Ordering::Acquire) == self.head
            && self.shared.end.load(Ordering::Relaxed) == self.position
    }

    /// Blocks waiting to be taken.
    pub fn len(&self) -> usize {
        self.shared.tail.load(Ordering::Acquire).wrapping_sub(self.head)
    }

    /// Whether no block is waiting.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Samples lost so far, including those whose gap has not come out yet.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

/// Moves `from` on to `to`, over a gap if there is one.
fn gap(from: &mut u64, to: u64) -> Option<Item> {
    let gap = Item::Gap { position: *from, length: to - *from };
    let lost = to > *from;
    *from = to;
    lost.then_some(gap)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// Samples whose value is their position.
    fn ramp(from: u64, len: usize) -> Vec<f32> {
        (from..from + len as u64).map(|position| position as f32).collect()
    }

    fn samples(position: u64, len: usize) -> Item {
        Item::Samples { position, len, captured: Duration::ZERO }
    }

    fn drain(consumer: &mut Consumer) -> Vec<Item> {
        let mut out = Vec::new();
        std::iter::from_fn(|| {
            let item = consumer.pop(&mut out)?;
            if let Item::Samples { position, len, .. } = item {
                assert_eq!(out[out.len() - len..], ramp(position, len));
            }
            Some(item)
        })
        .collect()
    }

    #[test]
    fn hands_whole_blocks_on_and_the_rest_at_the_end() {
        let (mut producer, mut consumer) = ring(10, 4);
        producer.push(&ramp(0, 25));
        assert_eq!(drain(&mut consumer), [samples(0, 10), samples(10, 10)]);
        assert!(!consumer.is_finished());
        drop(producer);
        assert!(!consumer.is_finished());
        assert_eq!(drain(&mut consumer), [samples(20, 5)]);
        assert!(consumer.is_finished());
    }

    #[test]
    fn a_full_ring_drops_the_newest_block_and_tells_where() {
        let (mut producer, mut consumer) = ring(10, 2);
        assert_eq!(producer.push(&ramp(0, 35)), 15);
        assert_eq!(producer.dropped(), 15);
        assert_eq!(consumer.dropped(), 15);
        let mut out = Vec::new();
        assert_eq!(consumer.pop(&mut out), Some(samples(0, 10)));
        // The block that began without room is dropped to its end, so gaps are whole blocks.
        assert_eq!(producer.push(&ramp(35, 15)), 5);
        assert_eq!(drain(&mut consumer), [samples(10, 10), Item::Gap { position: 20, length: 20 }, samples(40, 10),]);
    }

    #[test]
    fn one_long_gap_instead_of_many_short_ones() {
        let (mut producer, mut consumer) = ring(1, 16);
        producer.push(&ramp(0, 17));
        let mut out = Vec::new();
        for _ in 0..3 {
            consumer.pop(&mut out);
            assert_eq!(producer.push(&ramp(producer.position(), 1)), 1, "still no quarter free");
        }
        consumer.pop(&mut out);
        assert_eq!(producer.push(&ramp(producer.position(), 1)), 0);
        assert_eq!(drain(&mut consumer)[12..], [Item::Gap { position: 16, length: 4 }, samples(20, 1)]);
    }

    #[test]
    fn losses_at_the_end_are_told() {
        let (mut producer, mut consumer) = ring(4, 1);
        producer.push(&ramp(0, 7));
        drop(producer);
        assert_eq!(drain(&mut consumer), [samples(0, 4), Item::Gap { position: 4, length: 3 }]);
        assert!(consumer.is_finished());
    }

    #[test]
    fn losses_of_the_device_are_gaps() {
        let (mut producer, mut consumer) = ring(4, 8);
        producer.push(&ramp(0, 3));
        producer.skip(100);
        producer.push(&ramp(103, 4));
        assert_eq!(producer.dropped(), 100);
        assert_eq!(drain(&mut consumer), [samples(0, 3), Item::Gap { position: 3, length: 100 }, samples(103, 4)]);
    }

    #[test]
    fn blocks_tell_when_they_were_captured() {
        let (mut producer, mut consumer) = ring(10, 4);
        let ms = Duration::from_millis;
        // A thousand samples per second: one each millisecond.
        producer.push_at(&ramp(0, 25), ms(100), 1000);
        producer.push_at(&ramp(25, 10), ms(125), 1000);
        producer.flush();
        let mut out = Vec::new();
        let stamps: Vec<_> = std::iter::from_fn(|| consumer.pop(&mut out)).collect();
        let expected = [(0, 10), (10, 10), (20, 10), (30, 5)].map(|(position, len)| Item::Samples {
            position,
            len,
            captured: ms(100 + position),
        });
        assert_eq!(stamps, expected);
    }

    #[test]
    fn waiting_ends_with_a_block_the_end_or_the_time() {
        let (mut producer, mut consumer) = ring(4, 2);
        assert!(!consumer.wait(Duration::from_millis(5)));
        producer.push(&ramp(0, 4));
        assert!(consumer.wait(Duration::ZERO));
        consumer.pop(&mut Vec::new());
        let closing = std::thread::spawn(move || drop(producer));
        assert!(!consumer.wait(Duration::from_secs(60)));
        assert!(consumer.is_finished());
        closing.join().unwrap();
    }

    #[test]
    fn two_threads_lose_nothing_untold() {
        const SAMPLES: u64 = if cfg!(miri) { 5_000 } else { 2_000_000 };
        let (mut producer, mut consumer) = ring(48, 8);
        let pushing = std::thread::spawn(move || {
            let mut size = 1;
            while producer.position() < SAMPLES {
                let len = size.min((SAMPLES - producer.position()) as usize);
                // Positions up to 2^24 are exact as f32.
                producer.push(&ramp(producer.position(), len));
                size = size * 31 % 997 + 1;
                if size.is_multiple_of(16) {
                    std::thread::yield_now();
                }
            }
            producer.dropped()
        });
        let (mut position, mut lost, mut out) = (0, 0, Vec::new());
        while !consumer.is_finished() {
            out.clear();
            match consumer.pop(&mut out) {
                Some(Item::Samples { position: at, len, .. }) => {
                    assert_eq!(at, position);
                    assert_eq!(out, ramp(at, len));
                    position += len as u64;
                }
                Some(Item::Gap { position: at, length }) => {
                    assert_eq!(at, position);
                    position += length;
                    lost += length;
                }
                None => std::thread::yield_now(),
            }
        }
        assert_eq!(position, SAMPLES);
        assert_eq!(lost, pushing.join().unwrap());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize),
        Skip(u64),
        Flush,
        Pop,
    }

    /// The ring as it should behave, on a plain queue.
    struct Model {
        block_samples: usize,
        blocks: usize,
        queue: VecDeque<(u64, usize)>,
        position: u64,
        filled: usize,
        dropping: bool,
        popped: u64,
    }

    impl Model {
        fn push_one(&mut self) {
            if self.filled == 0 {
                let room = if self.dropping { room_to_resume(self.blocks) } else { 1 };
                self.dropping = self.blocks - self.queue.len() < room;
            }
            self.filled += 1;
            self.position += 1;
            if self.filled == self.block_samples {
                self.flush();
            }
        }

        fn flush(&mut self) {
            if self.filled > 0 && !self.dropping {
                self.queue.push_back((self.position - self.filled as u64, self.filled));
            }
            self.filled = 0;
        }

        fn pop(&mut self) -> Option<Item> {
            let &(position, len) = self.queue.front()?;
            if position > self.popped {
                let gap = Item::Gap { position: self.popped, length: position - self.popped };
                self.popped = position;
                return Some(gap);
            }
            self.queue.pop_front();
            self.popped = position + len as u64;
            Some(samples(position, len))
        }
    }

    proptest! {
        // Miri is slow, and lets nothing be written to disk.
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 4 } else { 256 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn behaves_as_a_queue(
            block_samples in 1usize..20,
            log_blocks in 0u32..4,
            steps in prop::collection::vec(
                prop_oneof![
                    4 => (0usize..50).prop_map(Step::Push),
                    1 => (0u64..30).prop_map(Step::Skip),
                    1 => Just(Step::Flush),
                    6 => Just(Step::Pop),
                ],
                0..200,
            ),
        ) {
            let blocks = 1 << log_blocks;
            let (mut producer, mut consumer) = ring(block_samples, blocks);
            let mut model = Model {
                block_samples,
                blocks,
                queue: VecDeque::new(),
                position: 0,
                filled: 0,
                dropping: false,
                popped: 0,
            };
            for step in steps {
                match step {
                    Step::Push(len) => {
                        producer.push(&ramp(model.position, len));
                        (0..len).for_each(|_| model.push_one());
                    }
                    Step::Skip(len) => {
                        producer.skip(len);
                        model.flush();
                        model.position += len;
                    }
                    Step::Flush => {
                        producer.flush();
                        model.flush();
                    }
                    Step::Pop => {
                        let mut out = Vec::new();
                        let item = consumer.pop(&mut out);
                        prop_assert_eq!(item, model.pop());
                        if let Some(Item::Samples { position, len, .. }) = item {
                            prop_assert_eq!(out, ramp(position, len));
                        }
                    }
                }
                prop_assert_eq!(consumer.len(), model.queue.len());
                prop_assert_eq!(producer.position(), model.position);
            }
        }
    }
}
