//! Decoding alone: the searches on the encoder frames of ten seconds of speech, with and without hotwords and a grammar.
//!
//! `cargo bench -p linnet-benches --bench decode`.

use std::{fs, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use linnet::{
    decode::{Beam, BeamConfig, Decoded, Grammar, Greedy, Hotword, Hotwords},
    features::LogMel,
    model::{
        encoder::{
            Encoder,
            int8::{Int8Encoder, Int8Weights},
        },
        file::ModelFile,
        head::{Int8Head, TransducerHead},
    },
};
use linnet_benches::{model_path, root, speech};

/// The head of a model and what its encoder made of some speech.
struct Setup {
    file: ModelFile,
    head: Int8Head,
    frames: Vec<f32>,
}

impl Setup {
    fn new() -> Self {
        let file = ModelFile::open(model_path()).expect("the model opens");
        let head = Int8Head::load(&file, file.config()).expect("the model has a head");
        let weights = Int8Weights::load(&file, &file.config().encoder).expect("the model has an encoder");
        let mut encoder = Int8Encoder::new(Arc::new(weights)).expect("the encoder starts");
        let mut features = LogMel::new(&file.config().features).expect("the features are those of the model");
        let (mut mel, mut frames) = (Vec::new(), Vec::new());
        features.push(&speech(10), &mut mel);
        encoder.push(&mel, &mut frames).expect("the encoder runs");
        Self { file, head, frames }
    }

    /// Phrases of one to three words that speech rarely has.
    fn hotwords(&self, count: usize) -> Hotwords {
        let text = fs::read_to_string(root().join("engine/tests/data/speech/transcripts.tsv")).expect("transcripts");
        let mut words: Vec<&str> = text.split_whitespace().filter(|word| word.len() > 3).collect();
        words.sort_unstable();
        words.dedup();
        let word = |i: usize| words[i * 7919 % words.len()];
        let phrases = (0..count).map(|i| match i % 3 {
            0 => Hotword::new(format!("{}{}", word(i), word(i * 31 + 1))),
            1 => Hotword::new(format!("{} {}", word(i), word(i * 17 + 1))),
            _ => Hotword::new(format!("{} {} {}", word(i), word(i * 13 + 1), word(i * 11 + 2))),
        });
        Hotwords::new(&phrases.collect::<Vec<_>>(), Arc::new(self.file.tokens().clone()))
    }
}

fn searches(c: &mut Criterion) {
    let setup = Setup::new();
    let (head, width) = (&setup.head, setup.head.frame_width());
    let tokens = Arc::new(setup.file.tokens().clone());
    let mut group = c.benchmark_group("decode");
    for (name, hotwords) in [("", None), (" + 1000 hotwords", Some(setup.hotwords(1000)))] {
        let mut decoded = Decoded::default();
        let mut greedy = Greedy::new(head, 5);
        greedy.set_hotwords(hotwords.clone());
        group.bench_function(format!("greedy{name}"), |b| {
            b.iter(|| {
                greedy.reset(head);
                for frame in setup.frames.chunks_exact(width) {
                    decoded.clear();
                    greedy.decode(head, frame, &mut decoded);
                }
            });
        });
        for beam_width in [4, 8, 32] {
            let mut config = BeamConfig::default();
            config.width = beam_width;
            let mut beam = Beam::new(head, tokens.clone(), config, None);
            beam.set_hotwords(hotwords.clone());
            group.bench_function(format!("beam {beam_width}{name}"), |b| {
                b.iter(|| {
                    beam.reset(head);
                    for frame in setup.frames.chunks_exact(width) {
                        decoded.clear();
                        beam.decode(head, frame, &mut decoded);
                    }
                });
            });
        }
    }
    let menu = fs::read_to_string(root().join("models/eval/kiosk/menu.jsgf")).expect("the menu");
    let grammar = Grammar::new(&menu, &tokens).expect("the menu is a grammar");
    let mut config = BeamConfig::default();
    (config.width, config.prune) = (32, 12.0);
    let mut beam = Beam::new(head, tokens.clone(), config, Some(grammar));
    group.bench_function("beam 32 in the grammar of a menu", |b| {
        let mut decoded = Decoded::default();
        b.iter(|| {
            beam.reset(head);
            for frame in setup.frames.chunks_exact(width) {
                decoded.clear();
                beam.decode(head, frame, &mut decoded);
            }
        });
    });
    group.finish();
    c.bench_function("compile 1000 hotwords", |b| b.iter(|| setup.hotwords(1000)));
}

criterion_group!(benches, searches);
criterion_main!(benches);
