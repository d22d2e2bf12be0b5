//! Searches, hotwords and grammars as a host meets them. What the model hears is not asked here, only what must hold
//! whatever it hears.

mod common;

use std::time::Duration;

use common::{clip, default_engine, transcripts};
use linnet::{Event, Hotword, Hypothesis, ShallowFusion, Stream, StreamConfig};

const MENU: &str = "#JSGF V1.0;
public <order> = [<GARBAGE>] (one | two | six){count} [<GARBAGE>];
public <anything> = <GARBAGE>;";

fn speech() -> Vec<f32> {
    transcripts().iter().take(3).flat_map(|(file, _)| clip(file)).collect()
}

/// Pushes samples in small pieces and shows every hypothesis: its words, and whether it is final.
fn hear(stream: &mut Stream, samples: &[f32], mut show: impl FnMut(&Hypothesis, bool)) {
    for part in samples.chunks(800) {
        stream.push_f32(part).unwrap();
        poll(stream, &mut show);
    }
}

fn poll(stream: &mut Stream, show: &mut impl FnMut(&Hypothesis, bool)) {
    while let Some(event) = stream.poll() {
        match event {
            Event::Interim(hypothesis) => show(hypothesis, false),
            Event::Final(hypothesis) => show(hypothesis, true),
            _ => {}
        }
    }
}

fn words(hypothesis: &Hypothesis) -> Vec<String> {
    hypothesis.words().iter().map(|word| hypothesis.word_text(word).to_owned()).collect()
}

#[test]
fn confirmed_words_do_not_change() {
    for (beam_width, grammar) in [(1, None), (4, None), (8, None), (1, Some(MENU))] {
        let mut config = StreamConfig::default();
        config.chunk = Some(Duration::from_millis(80));
        config.interim_interval = Duration::ZERO;
        config.beam_width = beam_width;
        config.max_utterance = Duration::from_secs(6);
        config.grammar = grammar.map(|source| default_engine().grammar(source).unwrap());
        config.hotwords = vec![Hotword::new("the sea").sounds_like("the see"), Hotword::new("nothing else")];
        let mut stream = default_engine().stream(config).unwrap();
        let (mut confirmed, mut interims, mut finals) = (Vec::<String>::new(), 0, 0);
        let mut show = |hypothesis: &Hypothesis, is_final: bool| {
            let words = words(hypothesis);
            assert!(words.starts_with(&confirmed), "{confirmed:?} were confirmed before {words:?} ({beam_width})");
            confirmed = if is_final { Vec::new() } else { words[..hypothesis.confirmed()].to_vec() };
            interims += usize::from(!is_final);
            finals += usize::from(is_final);
        };
        hear(&mut stream, &speech(), &mut show);
        stream.finish().unwrap();
        poll(&mut stream, &mut show);
        assert!(interims > 5 && finals > 0, "{interims} interims, {finals} finals");
    }
}

#[test]
fn the_n_grams_of_the_model_file_count_unless_they_are_switched_off() {
    let engine = default_engine();
    let built_in = engine.built_in_language_model().expect("the default model has n-grams").clone();
    assert_eq!(engine.info().ngrams, built_in.len());
    let heard = |beam_width, language_model| {
        let mut config = StreamConfig::default();
        (config.beam_width, config.language_model) = (beam_width, language_model);
        let mut stream = engine.stream(config).unwrap();
        let mut text = Vec::new();
        let mut show = |hypothesis: &Hypothesis, is_final: bool| {
            if is_final {
                text.extend(words(hypothesis));
            }
        };
        hear(&mut stream, &speech(), &mut show);
        stream.finish().unwrap();
        poll(&mut stream, &mut show);
        text
    };
    assert!(engine.info().language_network && built_in.network_weight() > 0.0 && built_in.internal_weight() > 0.0);
    let mute = built_in.clone().with_weight(0.0).with_token_reward(0.0);
    let mute = ShallowFusion::With(mute.with_network_weight(0.0).with_internal_weight(0.0));
    let with = heard(4, ShallowFusion::BuiltIn);
    let without = heard(4, ShallowFusion::Off);
    assert_ne!(with, without);
    let less = ShallowFusion::With(built_in.clone().with_network_weight(0.0));
    assert_ne!(with, heard(4, less), "the network is heard");
    assert_eq!(with, heard(4, ShallowFusion::With(built_in)));
    assert_eq!(without, heard(4, mute));
    assert_eq!(heard(1, ShallowFusion::BuiltIn), heard(1, ShallowFusion::Off), "greedy search does not use it");
}

#[test]
fn a_grammar_comes_and_goes_in_mid_stream() {
    let mut config = StreamConfig::default();
    config.endpointing = None;
    config.utterance_end = None;
    config.gate = false;
    let mut stream = default_engine().stream(config).unwrap();
    let mut meant = Vec::new();
    let mut show = |hypothesis: &Hypothesis, is_final: bool| {
        if is_final {
            meant.push(hypothesis.interpretation().cloned());
        }
    };
    for grammar in [None, Some(default_engine().grammar(MENU).unwrap()), None] {
        stream.set_grammar(grammar);
        hear(&mut stream, &speech(), |_, _| {});
        stream.finalize().unwrap();
        poll(&mut stream, &mut show);
    }
    assert_eq!(meant.len(), 3, "each part ends with one final");
    assert!(meant[0].is_none() && meant[2].is_none());
    let meant = meant[1].as_ref().unwrap();
    assert!(meant.intent.is_some(), "garbage fits anything: {meant:?}");
    assert!(meant.slots.iter().all(|slot| slot.name == "count" && slot.start <= slot.end));
}

#[test]
fn alternatives_are_distinct_and_sorted() {
    let mut config = StreamConfig::default();
    config.beam_width = 6;
    config.alternatives = 4;
    config.endpointing = None;
    config.utterance_end = None;
    config.gate = false;
    let mut stream = default_engine().stream(config).unwrap();
    stream.push_f32(&speech()).unwrap();
    stream.finish().unwrap();
    let mut count = 0;
    poll(&mut stream, &mut |hypothesis, is_final| {
        if is_final {
            let alternatives = hypothesis.alternatives();
            assert_eq!(alternatives[0].text, hypothesis.text());
            assert!(alternatives.windows(2).all(|pair| pair[0].score >= pair[1].score));
            let mut texts: Vec<_> = alternatives.iter().map(|alternative| &alternative.text).collect();
            texts.sort();
            texts.dedup();
            assert_eq!(texts.len(), alternatives.len());
            count = texts.len();
        }
    });
    assert!((1..=4).contains(&count));
}

#[test]
fn hotwords_that_cannot_be_used_are_told() {
    let mut config = StreamConfig::default();
    config.hotwords = vec![Hotword::new("flat white"), Hotword::new("7 up")];
    let mut stream = default_engine().stream(config).unwrap();
    let [rejected] = stream.rejected_hotwords() else { panic!("{:?}", stream.rejected_hotwords()) };
    assert_eq!(rejected.phrase, "7 up");
    assert!(rejected.reason.to_string().contains("'7'"));
    stream.set_hotwords(Some(default_engine().hotwords(&[Hotword::new("tea")])));
    assert!(stream.rejected_hotwords().is_empty());
}
