//! The recognizer as a host sees it: audio through a stream at every chunk, its front end alone, and the time from
//! nothing to the first step.
//!
//! `cargo bench -p linnet-benches --bench recognizer`. Throughput is in samples at 16 kHz, so 16 Melem/s is a thousand
//! times real time.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linnet::{Engine, Event, Stream, StreamConfig, features::LogMel, model::config::FeatureConfig};
use linnet_benches::{RATE_HZ, engine, model_path, speech};

/// Samples of a push: 10 ms, as from a microphone.
const PUSH: usize = RATE_HZ / 100;

fn stream(engine: &Engine, chunk: Option<Duration>) -> Stream {
    let mut config = StreamConfig::default();
    config.chunk = chunk;
    engine.stream(config).expect("the default configuration is valid")
}

/// Pushes the audio in small pieces and takes the events; returns the words of the finals.
fn hear(stream: &mut Stream, audio: &[f32]) -> usize {
    let mut words = 0;
    for samples in audio.chunks(PUSH) {
        stream.push_f32(samples).expect("the stream has not ended");
        while let Some(event) = stream.poll() {
            if let Event::Final(hypothesis) = event {
                words += hypothesis.words().len();
            }
        }
    }
    words
}

/// Ten seconds of speech, for every chunk of the model.
fn chunks(c: &mut Criterion) {
    let (engine, audio) = (engine(), speech(10));
    let mut group = c.benchmark_group("stream");
    group.throughput(Throughput::Elements(audio.len() as u64)).sample_size(20);
    for chunk in engine.info().chunks() {
        let mut stream = stream(&engine, Some(chunk));
        group.bench_function(BenchmarkId::from_parameter(format!("{} ms", chunk.as_millis())), |b| {
            b.iter(|| {
                stream.reset();
                hear(&mut stream, &audio)
            });
        });
    }
    group.finish();
}

/// Ten seconds of speech through the front end alone.
fn features(c: &mut Criterion) {
    let audio = speech(10);
    let config = FeatureConfig {
        sample_rate_hz: RATE_HZ as u32,
        fft: 512,
        window: 400,
        hop: 160,
        mel_bins: 80,
        low_hz: 0.0,
        high_hz: 8_000.0,
        preemphasis: 0.97,
    };
    let mut features = LogMel::new(&config).expect("the shape is that of the models");
    let mut mel = Vec::new();
    let mut group = c.benchmark_group("features");
    group.throughput(Throughput::Elements(audio.len() as u64));
    group.bench_function("log-mel", |b| {
        b.iter(|| {
            features.reset();
            for samples in audio.chunks(PUSH) {
                mel.clear();
                features.push(samples, &mut mel);
            }
        });
    });
    group.finish();
}

/// From the file on disk (in the page cache) to the end of the first step.
fn cold_start(c: &mut Criterion) {
    let (path, audio) = (model_path(), speech(2));
    c.bench_function("cold start", |b| {
        b.iter(|| {
            let engine = Engine::open(&path).expect("the model opens");
            let mut stream = stream(&engine, None);
            let mut pushes = audio.chunks(PUSH);
            while stream.metrics().chunks == 0 {
                stream.push_f32(pushes.next().expect("a chunk is shorter than the audio")).expect("the stream runs");
            }
        });
    });
}

/// What another stream on an open engine costs.
fn new_stream(c: &mut Criterion) {
    let engine = engine();
    c.bench_function("new stream", |b| b.iter(|| stream(&engine, None)));
}

criterion_group!(benches, chunks, features, cold_start, new_stream);
criterion_main!(benches);
