//! Once warm, a stream allocates nothing per push, whatever it hears.

mod common;
mod counting;

use std::time::Duration;

use common::{clip, default_engine, transcripts};
use counting::allocations;
use linnet::{Event, Hotword, StreamConfig};

#[test]
fn a_warm_stream_allocates_nothing() {
    let samples: Vec<f32> = transcripts().iter().take(4).flat_map(|(file, _)| clip(file)).collect();
    let pause = vec![0.0; 32_000];
    let chunks: Vec<Duration> = default_engine().info().chunks().collect();
    for (chunk, beam_width) in chunks.iter().map(|&chunk| (chunk, 1)).chain([(chunks[0], 4)]) {
        let mut config = StreamConfig::default();
        config.beam_width = beam_width;
        config.chunk = Some(chunk);
        config.max_utterance = Duration::from_secs(4);
        config.hotwords = vec![Hotword::new("the sea").sounds_like("this see"), Hotword::new("and")];
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
        assert_eq!(warm, 0, "allocations at chunks of {chunk:?}, beam {beam_width}");
    }
}
