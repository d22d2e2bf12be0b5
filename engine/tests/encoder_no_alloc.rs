//! Once a stream exists, the int8 encoder and the head allocate nothing, at any look-ahead.
#![cfg(feature = "reference")]

mod counting;

use std::path::Path;
use std::sync::Arc;

use counting::allocations;
use linnet::model::checkpoint::Checkpoint;
use linnet::model::encoder::Encoder;
use linnet::model::encoder::int8::{Int8Encoder, Int8Weights};
use linnet::model::file::ModelFile;
use linnet::model::head::{Int8Head, TransducerHead};
use linnet::model::pack::pack;

#[test]
fn a_step_allocates_nothing() {
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
