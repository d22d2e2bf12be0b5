//! The endpointing network beside the front end, and the stream in speech and in silence.
//!
//! `cargo bench -p linnet-benches --bench endpoint`. Throughput is in samples at 16 kHz, so 16 Melem/s is a thousand
//! times real time.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use linnet::{StreamConfig, endpoint::Network, features::LogMel, model::file::ModelFile};
use linnet_benches::{RATE_HZ, engine, model_path, speech};

/// The network over ten seconds of log-mel frames, and the front end that makes them.
fn network(c: &mut Criterion) {
    let file = ModelFile::open(model_path()).expect("the model opens");
    let config = file.config();
    let endpoint = config.endpoint.as_ref().expect("the model has an endpointing network");
    let network = Network::load(&file, endpoint, config.features.mel_bins).expect("the network loads");
    let audio = speech(10);
    let mut mel = Vec::new();
    let mut front_end = LogMel::new(&config.features).expect("the features of the model can be computed");
    front_end.push(&audio, &mut mel);
    let mut state = network.new_state();
    let mut group = c.benchmark_group("endpoint");
    group.throughput(Throughput::Elements(audio.len() as u64)).sample_size(20);
    group.bench_function("network", |b| {
        b.iter(|| {
            for frames in mel.chunks_exact(network.stack() * config.features.mel_bins) {
                black_box(network.step(frames, &mut state));
            }
        });
    });
    group.bench_function("features", |b| {
        b.iter(|| {
            mel.clear();
            front_end.reset();
            front_end.push(&audio, &mut mel)
        });
    });
    group.finish();
}

/// Ten seconds of speech and of silence through the gate.
fn gate(c: &mut Criterion) {
    let engine = engine();
    let mut group = c.benchmark_group("stream");
    let silence: Vec<f32> = (0..10 * RATE_HZ).map(|i| 1e-4 * ((i * i % 7919) as f32 / 3960.0 - 1.0)).collect();
    for (name, audio) in [("speech", speech(10)), ("silence", silence)] {
        let mut stream = engine.stream(StreamConfig::default()).expect("the default configuration is valid");
        group.throughput(Throughput::Elements(audio.len() as u64)).sample_size(20);
        group.bench_function(name, |b| {
            b.iter(|| {
                stream.reset();
                for samples in audio.chunks(RATE_HZ / 100) {
                    stream.push_f32(samples).expect("the stream has not ended");
                    while stream.poll().is_some() {}
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, network, gate);
criterion_main!(benches);
