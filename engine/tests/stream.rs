//! The recognizer from samples to events, with the default model on real speech.

mod common;

use std::time::Duration;

use common::{clip, default_engine, transcripts, word_errors};
use linnet::{AudioFormat, Event, Hypothesis, Stream, StreamConfig};

/// All finals that wait in a stream.
fn finals(stream: &mut Stream) -> Vec<Hypothesis> {
    let mut finals = Vec::new();
    while let Some(event) = stream.poll() {
        if let Event::Final(hypothesis) = event {
            finals.push(hypothesis.clone());
        }
    }
    finals
}

fn text(finals: &[Hypothesis]) -> String {
    finals.iter().map(Hypothesis::text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn recognize(config: StreamConfig, samples: &[f32], split: usize) -> Vec<Hypothesis> {
    let mut stream = default_engine().stream(config).unwrap();
    let mut all = Vec::new();
    for part in samples.chunks(split) {
        stream.push_f32(part).unwrap();
        all.extend(finals(&mut stream));
    }
    stream.finish().unwrap();
    all.extend(finals(&mut stream));
    all
}

#[test]
fn real_speech_becomes_words() {
    let (mut errors, mut words) = (0, 0);
    for (file, reference) in transcripts() {
        let hypothesis = text(&recognize(StreamConfig::default(), &clip(&file), 160));
        errors += word_errors(&reference, &hypothesis);
        words += reference.split_whitespace().count();
        println!("{file}\n  said  {reference}\n  heard {hypothesis}");
    }
    let rate = errors as f64 / words as f64;
    println!("{errors} errors in {words} words: {:.1} %", 100.0 * rate);
    // The gate on accuracy is the test of the dev subset; this one shows that the pipeline as a whole recognizes.
    assert!(rate < 0.95, "word error rate {:.1} %", 100.0 * rate);
}

#[test]
fn any_split_of_the_audio_gives_the_same_words() {
    // Several recordings with pauses between them, so that utterances end, too.
    let mut samples = Vec::new();
    for (file, _) in transcripts().iter().take(3) {
        samples.extend(clip(file));
        samples.extend([0.0; 9600]);
    }
    let whole = recognize(StreamConfig::default(), &samples, samples.len());
    assert!(whole.len() >= 3, "the pauses end utterances");
    let heard = |finals: &[Hypothesis]| {
        finals.iter().map(|f| (f.text().to_owned(), f.words().to_vec(), f.start(), f.end())).collect::<Vec<_>>()
    };
    for split in [160, 1600, 4097, 37] {
        assert_eq!(heard(&recognize(StreamConfig::default(), &samples, split)), heard(&whole), "pushes of {split}");
    }
}

#[test]
fn batch_is_the_longest_chunk_of_the_same_stream() {
    let engine = default_engine();
    let (file, _) = &transcripts()[1];
    let samples = clip(file);
    let batch = engine.transcribe(&samples, AudioFormat::default()).unwrap();
    let streamed = recognize(StreamConfig::batch(AudioFormat::default()), &samples, 160);
    assert_eq!(text(&streamed), batch.text());
    assert!(batch.from_finalize() && !batch.speech_final());
}

#[test]
fn integer_and_float_samples_are_the_same() {
    let (file, _) = &transcripts()[0];
    let integers: Vec<i16> = clip(file).iter().map(|x| (x * 32_768.0).clamp(-32_768.0, 32_767.0) as i16).collect();
    let floats: Vec<f32> = integers.iter().map(|&x| f32::from(x) / 32_768.0).collect();
    let mut stream = default_engine().stream(StreamConfig::default()).unwrap();
    stream.push_i16(&integers).unwrap();
    stream.finish().unwrap();
    assert_eq!(text(&finals(&mut stream)), text(&recognize(StreamConfig::default(), &floats, 1000)));
}

#[test]
fn interims_grow_in_order_and_never_repeat() {
    let interval = Duration::from_millis(100);
    let mut config = StreamConfig::default();
    config.endpointing = None;
    config.interim_interval = interval;
    let mut stream = default_engine().stream(config).unwrap();
    let (mut sequence, mut last, mut last_end) = (0, String::new(), Duration::ZERO);
    let (mut confirmed, mut interims) = (String::new(), 0);
    for (file, _) in transcripts().iter().take(2) {
        for part in clip(file).chunks(160) {
            stream.push_f32(part).unwrap();
            while let Some(event) = stream.poll() {
                let Event::Interim(hypothesis) = event else { continue };
                interims += 1;
                assert!(hypothesis.sequence() > sequence);
                sequence = hypothesis.sequence();
                assert_ne!(hypothesis.text(), last);
                last = hypothesis.text().to_owned();
                assert!(last.starts_with(&confirmed), "a confirmed word changed: {confirmed} / {last}");
                assert!(interims == 1 || hypothesis.end() >= last_end + interval);
                last_end = hypothesis.end();
                let words = hypothesis.words().iter().take(hypothesis.confirmed());
                confirmed = words.map(|word| hypothesis.word_text(word)).collect::<Vec<_>>().join(" ");
            }
        }
    }
    assert!(interims > 3, "{interims} interims");
    stream.finish().unwrap();
    let finals = finals(&mut stream);
    assert_eq!(finals.len(), 1);
    assert!(finals[0].text().starts_with(&confirmed));
    assert!(finals[0].sequence() > sequence);
    assert_eq!(finals[0].confirmed(), finals[0].words().len());
}

#[test]
fn a_pause_ends_the_utterance_and_times_go_on() {
    let mut samples = Vec::new();
    for (file, _) in transcripts().iter().take(2) {
        samples.extend(clip(file));
        samples.extend(std::iter::repeat_n(0.0, 32_000));
    }
    let mut stream = default_engine().stream(StreamConfig::default()).unwrap();
    let (mut ends, mut starts, mut finals) = (Vec::new(), Vec::new(), Vec::new());
    for part in samples.chunks(160) {
        stream.push_f32(part).unwrap();
        while let Some(event) = stream.poll() {
            match event {
                Event::SpeechStarted { at } => starts.push(at),
                Event::UtteranceEnd { last_word_end } => ends.push(last_word_end),
                Event::Final(hypothesis) => finals.push(hypothesis.clone()),
                _ => {}
            }
        }
    }
    assert!(finals.len() >= 2, "{finals:?}");
    assert_eq!((starts.len(), ends.len()), (finals.len(), finals.len()), "each utterance starts and ends once");
    let mut position = Duration::ZERO;
    for (index, utterance) in finals.iter().enumerate() {
        assert!(!utterance.from_finalize());
        assert_eq!(utterance.start(), position, "utterances cover the stream without gaps");
        position = utterance.end();
        let first = &utterance.words()[0];
        assert!(starts[index] <= first.end && starts[index] + Duration::from_secs(1) > first.start, "{starts:?}");
        assert_eq!(utterance.words().last().unwrap().end, ends[index]);
    }
    assert!(finals.iter().filter(|utterance| utterance.speech_final()).count() >= 2, "both silences ended one");
    let second_clip = clip(&transcripts()[0].0).len() as f64 / 16_000.0 + 2.0;
    assert!(finals.last().unwrap().words()[0].start.as_secs_f64() > second_clip - 0.5);
}

#[test]
fn finalize_flushes_to_the_last_sample_and_the_stream_goes_on() {
    let clips: Vec<_> = transcripts().iter().take(2).map(|(file, _)| clip(file)).collect();
    let alone: Vec<_> = clips.iter().map(|clip| text(&recognize(StreamConfig::default(), clip, 1000))).collect();
    let mut stream = default_engine().stream(StreamConfig::default()).unwrap();
    for (clip, alone) in clips.iter().zip(&alone) {
        let began = stream.position();
        stream.push_f32(clip).unwrap();
        stream.finalize().unwrap();
        let finals = finals(&mut stream);
        assert_eq!(&text(&finals), alone, "neither cut nor said twice");
        assert!(finals[0].words()[0].start >= began);
        assert!(finals.last().unwrap().end() <= stream.position());
    }
    stream.finalize().unwrap();
    assert!(stream.poll().is_none(), "nothing new, nothing said");
}

#[test]
fn a_gap_is_told_and_moves_the_timeline() {
    let clips: Vec<_> = transcripts().iter().take(2).map(|(file, _)| clip(file)).collect();
    let alone: Vec<_> = clips.iter().map(|clip| text(&recognize(StreamConfig::default(), clip, 1000))).collect();
    let mut stream = default_engine().stream(StreamConfig::default()).unwrap();
    let lost = Duration::from_millis(12_345);
    stream.push_f32(&clips[0]).unwrap();
    let end = stream.position();
    stream.gap(lost).unwrap();
    assert_eq!(stream.position(), end + lost);
    stream.push_f32(&clips[1]).unwrap();
    stream.gap(Duration::ZERO).unwrap();
    let (mut finals, mut gaps) = (Vec::new(), Vec::new());
    while let Some(event) = stream.poll() {
        match event {
            Event::Final(hypothesis) => finals.push((gaps.len(), hypothesis.clone())),
            Event::Gap { at, length } => gaps.push((at, length)),
            _ => {}
        }
    }
    assert_eq!(gaps, [(end, lost)], "a gap of no length is none");
    for (index, alone) in alone.iter().enumerate() {
        let finals: Vec<_> = finals.iter().filter(|(gaps, _)| *gaps == index).map(|(_, f)| f.clone()).collect();
        assert_eq!(&text(&finals), alone, "audio on both sides of the gap is recognized as if alone");
        assert!(finals.iter().all(|f| !f.from_finalize()));
    }
    assert!(finals.iter().filter(|(gaps, _)| *gaps == 1).all(|(_, f)| f.start() >= end + lost));
    stream.finish().unwrap();
    assert!(stream.gap(lost).is_err());
}

#[test]
fn a_long_utterance_is_split_between_words() {
    let mut config = StreamConfig::default();
    config.endpointing = None;
    let samples: Vec<f32> = transcripts().iter().take(3).flat_map(|(file, _)| clip(file)).collect();
    let one = recognize(config.clone(), &samples, 160);
    config.max_utterance = Duration::from_secs(2);
    let many = recognize(config, &samples, 160);
    assert!(many.len() > 2, "{} finals", many.len());
    assert_eq!(text(&many), text(&one), "no word lost, doubled or cut in two");
    let ends =
        |finals: &[Hypothesis]| finals.iter().flat_map(|f| f.words().to_vec()).map(|w| w.end).collect::<Vec<_>>();
    assert_eq!(ends(&many), ends(&one));
}

#[test]
fn reset_is_a_new_stream() {
    let (file, _) = &transcripts()[2];
    let samples = clip(file);
    let mut stream = default_engine().stream(StreamConfig::default()).unwrap();
    stream.push_f32(&samples[..samples.len() / 2]).unwrap();
    stream.reset();
    assert!(stream.poll().is_none());
    stream.push_f32(&samples).unwrap();
    stream.finish().unwrap();
    assert!(matches!(stream.push_f32(&samples), Err(linnet::Error::Finished)));
    assert!(stream.finish().is_err());
    assert_eq!(text(&finals(&mut stream)), text(&recognize(StreamConfig::default(), &samples, 4000)));
    stream.reset();
    stream.push_f32(&samples).unwrap();
}

#[test]
fn chunks_are_chosen_among_the_trained_ones() {
    let engine = default_engine();
    let frame = engine.info().frame;
    let mut config = StreamConfig::default();
    config.gate = false;
    for chunk in engine.info().chunks() {
        config.chunk = Some(chunk);
        assert_eq!(engine.stream(config.clone()).unwrap().chunk(), chunk);
        config.chunk = Some(chunk + frame / 4);
        assert_eq!(engine.stream(config.clone()).unwrap().chunk(), chunk);
    }
    config.chunk = Some(Duration::ZERO);
    let mut stream = engine.stream(config).unwrap();
    assert_eq!(Some(stream.chunk()), engine.info().chunks().next());
    // The look-ahead changes in mid-stream without losing audio.
    let samples = clip(&transcripts()[0].0);
    for (index, part) in samples.chunks(7000).enumerate() {
        stream.set_chunk(engine.info().chunks().nth(index % engine.info().look_aheads.len()).unwrap()).unwrap();
        stream.push_f32(part).unwrap();
    }
    stream.finish().unwrap();
    assert_eq!(stream.metrics().frames, encoder_frames(samples.len()));
}

/// Encoder frames of a whole recording: three halvings, each `n / 2 + 1`.
fn encoder_frames(samples: usize) -> u64 {
    let mel = samples as u64 / 160;
    (0..3).fold(mel, |frames, _| frames / 2 + 1)
}

#[test]
fn strange_audio_is_an_error_or_no_words_but_never_a_panic() {
    let engine = default_engine();
    let mut config = StreamConfig::default();
    for (rate_hz, channels) in [(0, 1), (16_000, 0), (7_999, 1), (192_001, 2)] {
        config.audio = AudioFormat { rate_hz, channels };
        let error = engine.stream(config.clone()).unwrap_err().to_string();
        assert!(error.len() > 20, "{error}");
    }
    let mut stream = engine.stream(StreamConfig::default()).unwrap();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, -0.0] {
        stream.push_f32(&vec![value; 3000]).unwrap();
    }
    stream.push_f32(&[]).unwrap();
    stream.finish().unwrap();
    assert!(stream.metrics().bad_samples >= 9000);
    // A stream of nothing.
    let mut stream = engine.stream(StreamConfig::default()).unwrap();
    stream.finish().unwrap();
    assert!(stream.poll().is_none());
}

#[test]
fn eight_channels_at_48_khz_are_recognized_too() {
    let samples = clip(&transcripts()[0].0);
    // Linear interpolation to 48 kHz keeps the words.
    let fast: Vec<f32> = samples
        .windows(2)
        .flat_map(|pair| (0..3).map(|step| pair[0] + (pair[1] - pair[0]) * step as f32 / 3.0))
        .collect();
    let wide: Vec<f32> = fast.iter().flat_map(|&sample| [sample; 8]).collect();
    let mut config = StreamConfig::default();
    config.audio = AudioFormat { rate_hz: 48_000, channels: 1 };
    let one = text(&recognize(config.clone(), &fast, 4801));
    config.audio.channels = 8;
    assert_eq!(text(&recognize(config, &wide, 4801)), one, "equal channels are as one");
    assert!(!one.is_empty());
}

#[test]
fn metrics_count_what_was_done() {
    let samples = clip(&transcripts()[0].0);
    let mut config = StreamConfig::default();
    config.gate = false;
    let mut stream = default_engine().stream(config).unwrap();
    stream.push_f32(&samples).unwrap();
    stream.finish().unwrap();
    let metrics = stream.metrics();
    assert_eq!(metrics.audio.as_millis(), samples.len() as u128 / 16);
    assert_eq!(metrics.frames, encoder_frames(samples.len()));
    assert!(metrics.tokens > 0 && metrics.chunks > 0);
    for stage in linnet::Stage::ALL {
        let times = metrics.stage(stage);
        assert!(times.count > 0 && times.p50 <= times.p95 && times.p95 <= times.p99, "{stage:?} {times:?}");
    }
    assert!(metrics.real_time_factor() > 0.0);
}
