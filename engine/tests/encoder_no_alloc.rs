//! Once a stream exists, the int8 encoder and the head allocate nothing, at any look-ahead.
#![cfg(feature = "reference")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use linnet::model::checkpoint::Checkpoint;
use linnet::model::encoder::Encoder;
use linnet::model::encoder::int8::{Int8Encoder, Int8Weights};
use linnet::model::file::ModelFile;
use linnet::model::head::{Int8Head, TransducerHead};
use linnet::model::pack::pack;

/// The system's allocator, counting the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed to `System` unchanged; counting touches a thread-local cell that never allocates.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller's promises are those of `System`.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller's promises are those of `System`.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn a_step_allocates_nothing() {
    assert!(allocations(|| drop(std::hint::black_box(vec![0_u8; 100]))) > 0, "the counter counts");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity-checkpoint.safetensors");
    let file = ModelFile::from_bytes(pack(&Checkpoint::open(path).unwrap()).unwrap()).unwrap();
    let config = file.config().clone();
    let weights = Arc::new(Int8Weights::load(&file, &config.encoder).unwrap());
    let mut encoder = Int8Encoder::new(weights).unwrap();
    let head = Int8Head::load(&file, &config).unwrap();
    let (mut state, mut scratch) = (head.new_state(), head.new_scratch());
    let mut kept = head.new_state();
    let mel: Vec<f32> = (0..700 * config.encoder.mel_bins).map(|i| (i as f32 * 0.37).sin() * 3.0 - 6.0).collect();
    let (mut frames, mut projected) = (Vec::with_capacity(1 << 16), Vec::with_capacity(1 << 16));
    let mut logits = vec![0.0; config.vocab_size + 1];

    let count = allocations(|| {
        for &look_ahead in &config.encoder.look_aheads {
            encoder.set_look_ahead(look_ahead).unwrap();
            head.start(&mut state, &mut scratch);
            for part in mel.chunks(3 * config.encoder.mel_bins) {
                frames.clear();
                projected.clear();
                encoder.push(part, &mut frames).unwrap();
                head.project(&frames, &mut projected, &mut scratch);
                for row in projected.chunks_exact(head.joiner_width()) {
                    head.logits(row, &state, &mut scratch, &mut logits);
                    head.advance((logits[0].abs() * 100.0) as u32 % 20, &mut state, &mut scratch);
                    kept.clone_from(&state);
                }
            }
            encoder.finish(&mut frames).unwrap();
            encoder.reset();
        }
    });
    assert_eq!(count, 0);
}
