//! The second pass: finals of the longest chunk, interims of a short one.

mod common;

use std::time::Duration;

use common::{clip, default_engine, transcripts};
use linnet::{Event, Hotword, Hypothesis, Stream, StreamConfig};

/// One utterance a recording, whatever its pauses.
fn whole(chunk_ms: u64, beam_width: usize) -> StreamConfig {
    let mut config = StreamConfig::default();
    config.chunk = Some(Duration::from_millis(chunk_ms));
    (config.endpointing, config.utterance_end, config.max_utterance) = (None, None, Duration::MAX);
    (config.gate, config.beam_width, config.interim_interval) = (false, beam_width, Duration::ZERO);
    config
}

fn take(stream: &mut Stream, interims: &mut Vec<Hypothesis>) -> Option<Hypothesis> {
    let mut last = None;
    while let Some(event) = stream.poll() {
        match event {
            Event::Interim(hypothesis) => interims.push(hypothesis.clone()),
            Event::Final(hypothesis) => last = Some(hypothesis.clone()),
            _ => {}
        }
    }
    last
}

/// The interims and the final of a recording.
fn hear(config: StreamConfig, samples: &[f32]) -> (Vec<Hypothesis>, Hypothesis) {
    let mut stream = default_engine().stream(config).unwrap();
    let mut interims = Vec::new();
    for part in samples.chunks(160) {
        stream.push_f32(part).unwrap();
        take(&mut stream, &mut interims);
    }
    stream.finish().unwrap();
    let last = take(&mut stream, &mut interims).unwrap_or_default();
    (interims, last)
}

fn words(hypothesis: &Hypothesis) -> Vec<&str> {
    hypothesis.words().iter().map(|word| hypothesis.word_text(word)).collect()
}

#[test]
fn finals_are_those_of_the_longest_chunk() {
    let mut corrected = 0;
    let mut first_interims = [Duration::ZERO; 2];
    for (file, _) in transcripts().iter().take(6) {
        let samples = clip(file);
        for (chunk_ms, beam_width) in [(80, 1), (320, 8), (560, 8)] {
            let mut config = whole(chunk_ms, beam_width);
            config.hotwords = vec![Hotword::new("the sea").sounds_like("this see")];
            config.alternatives = 3;
            let (interims, heard) = hear(config.clone(), &samples);
            config.second_pass = false;
            let (first, alone) = hear(config.clone(), &samples);
            config.chunk = Some(Duration::MAX);
            let (_, longest) = hear(config, &samples);
            let essence = |h: &Hypothesis| (h.words().to_vec(), h.alternatives().to_vec());
            assert_eq!(essence(&heard), essence(&longest), "{file}, {chunk_ms} ms, beam {beam_width}");
            assert!(heard.text() == longest.text() && heard.confirmed() == heard.words().len());
            for (total, interims) in first_interims.iter_mut().zip([&interims, &first]) {
                *total += interims.first().map_or(Duration::ZERO, Hypothesis::end);
            }
            corrected += usize::from(alone.text() != longest.text());
        }
    }
    assert!(first_interims[0] <= first_interims[1], "{first_interims:?}: the second pass makes nothing later");
    assert!(corrected > 3, "{corrected} of 18 finals were corrected: else the comparison says nothing");
}

#[test]
fn a_second_pass_that_stops_and_starts_loses_no_confirmed_word() {
    let samples: Vec<f32> = transcripts().iter().take(3).flat_map(|(file, _)| clip(file)).collect();
    for (every, beam_width) in [(7, 1), (23, 8), (50, 8)] {
        let mut config = whole(320, beam_width);
        config.max_utterance = Duration::from_secs(5);
        let mut stream = default_engine().stream(config.clone()).unwrap();
        let (mut confirmed, mut finals) = (Vec::<String>::new(), Vec::new());
        for (index, part) in samples.chunks(1600).enumerate() {
            if index % every == 0 {
                stream.set_second_pass(index / every % 2 == 1).unwrap();
            }
            if index % 31 == 30 {
                stream.finalize().unwrap();
            }
            stream.push_f32(part).unwrap();
            while let Some(event) = stream.poll() {
                let (Event::Interim(hypothesis) | Event::Final(hypothesis)) = &event else { continue };
                let heard = words(hypothesis);
                assert!(heard.starts_with(&confirmed.iter().map(String::as_str).collect::<Vec<_>>()), "{confirmed:?}");
                confirmed = heard[..hypothesis.confirmed()].iter().map(|&word| word.to_owned()).collect();
                if matches!(event, Event::Final(_)) {
                    finals.extend(std::mem::take(&mut confirmed));
                }
            }
        }
        stream.finish().unwrap();
        if let Some(last) = take(&mut stream, &mut Vec::new()) {
            finals.extend(words(&last).into_iter().map(str::to_owned));
        }
        config.max_utterance = Duration::MAX;
        let (_, alone) = hear(config, &samples);
        let (heard, expected) = (finals.len(), alone.words().len());
        assert!(heard.abs_diff(expected) <= expected / 4 + 1, "{heard} words, {expected} with one setting");
    }
}

#[test]
fn a_stream_can_do_without() {
    let samples = clip(&transcripts()[0].0);
    let mut config = whole(320, 1);
    config.second_pass = false;
    let (_, expected) = hear(config, &samples);
    let mut stream = default_engine().stream(whole(320, 1)).unwrap();
    stream.set_second_pass(false).unwrap();
    stream.push_f32(&samples).unwrap();
    stream.finish().unwrap();
    assert_eq!(take(&mut stream, &mut Vec::new()).unwrap_or_default().words(), expected.words());
    // The longest chunk is its own second pass.
    stream.reset();
    stream.set_chunk(Duration::MAX).unwrap();
    stream.set_second_pass(true).unwrap();
    stream.push_f32(&samples).unwrap();
    stream.finish().unwrap();
    let (_, longest) = hear(whole(2000, 1), &samples);
    assert_eq!(take(&mut stream, &mut Vec::new()).unwrap_or_default().words(), longest.words());
}
