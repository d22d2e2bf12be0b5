//! Once warm, a stream allocates nothing per push, whatever it hears.

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::Duration,
};

use common::{clip, default_engine, transcripts};
use linnet::{Event, StreamConfig};

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is going away has nothing to count.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is handed to `System` unchanged; counting touches a thread-local cell that never allocates.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller's promises are those of `System`.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller's promises are those of `System`.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: as promised by the caller; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    // SAFETY: the caller's promises are those of `System`.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller; `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = CALLS.with(Cell::get);
    work();
    CALLS.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 2);
    assert_eq!(allocations(|| ()), 0);
}

#[test]
fn a_warm_stream_allocates_nothing() {
    let samples: Vec<f32> = transcripts().iter().take(4).flat_map(|(file, _)| clip(file)).collect();
    let pause = vec![0.0; 32_000];
    for chunk in default_engine().info().chunks().collect::<Vec<_>>() {
        let mut config = StreamConfig::default();
        config.chunk = Some(chunk);
        config.max_utterance = Duration::from_secs(4);
        let mut stream = default_engine().stream(config).unwrap();
        let mut run = |count: &mut u64| {
            let mut events = 0;
            for part in samples.chunks(160).chain(pause.chunks(160)) {
                *count += allocations(|| {
                    stream.push_f32(part).unwrap();
                    while let Some(event) = stream.poll() {
                        events += usize::from(matches!(event, Event::Interim(_) | Event::Final(_)));
                    }
                });
            }
            events
        };
        let (mut warm_up, mut warm) = (0, 0);
        run(&mut warm_up);
        let events = run(&mut warm);
        assert!(events > 3, "{events} events: there was something to recognize");
        assert_eq!(warm, 0, "allocations at chunks of {chunk:?}");
    }
}
