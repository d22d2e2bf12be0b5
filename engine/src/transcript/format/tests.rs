use std::time::Duration;

use super::*;
use crate::transcript::{Word, confidence::Evidence};

const WORD: Duration = Duration::from_millis(300);

/// A hypothesis of these words, the last of which may still grow.
fn hypothesis(words: &[&str]) -> Hypothesis {
    let mut hypothesis = Hypothesis::default();
    for (i, word) in words.iter().enumerate() {
        if i > 0 {
            hypothesis.text.push(' ');
        }
        let start = hypothesis.text.len();
        hypothesis.text.push_str(word);
        let span = start..hypothesis.text.len();
        let at = WORD * i as u32;
        let confidence = 1.0 - i as f32 / 100.0;
        let evidence =
            Evidence { least: confidence, mean_log: confidence.ln(), tokens: 1, before: 0.0, agreement: 1.0 };
        hypothesis.words.push(Word { span, start: at, end: at + WORD, confidence, evidence, speaker: None });
    }
    hypothesis.confirmed = words.len().saturating_sub(1);
    hypothesis
}

fn final_of(text: &str) -> Hypothesis {
    let mut hypothesis = hypothesis(&text.split_whitespace().collect::<Vec<_>>());
    hypothesis.speech_final = true;
    hypothesis
}

fn mode(name: &str) -> FormatConfig {
    let mut config = FormatConfig::default();
    match name {
        "numerals" => config.numerals = true,
        "smart" => config.smart = true,
        "punctuate" => config.punctuate = true,
        other => panic!("no mode {other}"),
    }
    config
}

fn cases() -> Vec<[&'static str; 3]> {
    let table = include_str!("../../../tests/data/format/cases.tsv");
    let rows = table.lines().skip(1);
    rows.map(|row| row.split('\t').collect::<Vec<_>>().try_into().expect("three columns")).collect()
}

/// Text and confirmed words of a form.
fn words(written: &Written) -> Vec<String> {
    written.words().iter().map(|word| written.word_text(word).to_owned()).collect()
}

#[test]
fn the_table_holds() {
    let cases = cases();
    assert!(cases.len() >= 400);
    let mut wrong = Vec::new();
    for [name, spoken, expected] in cases {
        let mut formatter = Formatter::new(mode(name));
        let written = formatter.final_(&final_of(spoken));
        if written.text() != expected {
            wrong.push(format!("{name}: {spoken}\n  expected {expected}\n  written  {}", written.text()));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn words_keep_their_sources_and_times() {
    let hypothesis = final_of("i want twenty five dollars worth");
    let mut formatter = Formatter::new(mode("smart"));
    let written = formatter.final_(&hypothesis);
    assert_eq!(words(written), ["i", "want", "$25", "worth"]);
    let amount = &written.words()[2];
    assert_eq!(amount.source, 2..5);
    assert_eq!((amount.start, amount.end), (WORD * 2, WORD * 5));
    assert_eq!(amount.confidence, 0.96, "a group is as sure as its least sure word");
    assert_eq!(written.confirmed(), 4);
}

/// Everything that a host may turn on at once.
fn everything() -> FormatConfig {
    FormatConfig {
        smart: true,
        punctuate: true,
        profanity_filter: true,
        replace: vec![("twenty five".into(), "XXV".into()), ("please".into(), String::new())],
        redact: Redaction { cards: true, ssn: true, numbers: true, ..Redaction::default() },
        ..FormatConfig::default()
    }
}

#[test]
fn confirmed_words_never_change() {
    // Words of all rules, in an order that a generator shuffles: any of them may follow any other.
    let vocabulary: Vec<&str> = "one two three five nine ten twelve nineteen twenty eighty thirty hundred thousand million \
        and a half point oh o double triple first third fifth twentieth dollars cents percent per cent degrees ounces \
        pm am p m o'clock quarter past to at by minutes july may of the on dot com example u s b minus eight please shit \
        people i monday, seven. four six"
        .split_whitespace()
        .collect();
    let mut state = 7u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let mut confirmed_groups = 0;
    for _ in 0..3000 {
        let length = 1 + next(12);
        let all: Vec<&str> = (0..length).map(|_| vocabulary[next(vocabulary.len())]).collect();
        for config in [mode("numerals"), mode("smart"), everything()] {
            let mut formatter = Formatter::new(config);
            let mut last = hypothesis(&all);
            last.speech_final = true;
            let expected = words(formatter.final_(&last));
            for count in 1..=length {
                let mut formatter = Formatter::new(formatter.config().clone());
                let written = formatter.interim(&hypothesis(&all[..count]));
                let confirmed = &words(written)[..written.confirmed()];
                assert!(
                    expected.starts_with(confirmed),
                    "{all:?} at {count}: {confirmed:?} is no start of {expected:?}"
                );
                confirmed_groups += confirmed.len();
            }
        }
    }
    assert!(confirmed_groups > 30_000, "{confirmed_groups} words were confirmed before their final");
}

#[test]
fn ordinary_words_are_confirmed_as_they_come() {
    let mut formatter = Formatter::new(mode("smart"));
    let words: Vec<&str> = "hello there my friends".split(' ').collect();
    let written = formatter.interim(&hypothesis(&words));
    assert!(written.confirmed() >= 2, "{written:?}");
}

#[test]
fn phrases_are_replaced_and_deleted() {
    let replace = vec![
        ("mack donalds".into(), "McDonald's".into()),
        ("Mack".into(), "Mac".into()),
        ("um".into(), String::new()),
        (" ".into(), "nothing".into()),
    ];
    let config = FormatConfig { replace, ..FormatConfig::default() };
    let mut formatter = Formatter::new(config);
    let written = formatter.final_(&final_of("um mack donalds, um and mack um"));
    assert_eq!(written.text(), "McDonald's, and Mac");
    assert_eq!(written.words()[0].source, 1..3);
    let written = formatter.final_(&final_of("um"));
    assert_eq!((written.text(), written.words().len()), ("", 0));
}

#[test]
fn profane_words_are_starred() {
    let config = FormatConfig { profanity_filter: true, ..FormatConfig::default() };
    let mut formatter = Formatter::new(config);
    let text = "shit, that fucking thing and shitake scunthorpe in pieces";
    assert_eq!(formatter.final_(&final_of(text)).text(), "****, that **** thing and shitake scunthorpe in pieces");
}

fn redacted(set: impl Fn(&mut Redaction), text: &str) -> String {
    let mut config = FormatConfig::default();
    set(&mut config.redact);
    Formatter::new(config).final_(&final_of(text)).text().to_owned()
}

#[test]
fn numbers_are_hidden() {
    let digits = |number: &str| {
        const NAMES: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
        number.bytes().map(|b| NAMES[usize::from(b - b'0')]).collect::<Vec<_>>().join(" ")
    };
    let card = format!("my card is {} thanks", digits("4111111111111111"));
    assert_eq!(redacted(|r| r.cards = true, &card), "my card is **** thanks");
    let other = format!("my code is {} thanks", digits("411111111112"));
    assert_eq!(redacted(|r| r.cards = true, &other), "my code is 411111111112 thanks", "too short for a card");
    // In pairs, as people say it too.
    let pairs = "card forty one eleven eleven eleven eleven eleven eleven eleven please";
    assert!(redacted(|r| r.cards = true, pairs).bytes().all(|b| !b.is_ascii_digit()));
    // A pause may have cut it in two.
    assert_eq!(redacted(|r| r.cards = true, &digits("41111111")), "****");
    assert_eq!(redacted(|r| r.cards = true, "i have two cards"), "i have 2 cards");

    let ssn = format!("it is {} yes", digits("123456789"));
    assert_eq!(redacted(|r| r.ssn = true, &ssn), "it is **** yes");
    assert_eq!(redacted(|r| r.numbers = true, "room one oh one for two people"), "room **** for 2 people");
    assert_eq!(redacted(|r| r.numbers = true, "a hundred for five six seven"), "**** for ****");
    assert_eq!(redacted(|r| r.all_numbers = true, "room one oh one for two people"), "room **** for **** people");
}

#[test]
fn sentences_go_on_over_cuts() {
    let mut formatter = Formatter::new(mode("punctuate"));
    let mut cut = final_of("i said that");
    cut.speech_final = false;
    assert_eq!(formatter.final_(&cut).text(), "I said that");
    assert_eq!(formatter.final_(&final_of("monday is free")).text(), "Monday is free.");
    assert_eq!(formatter.final_(&final_of("good")).text(), "Good.");
    // A model that writes capitals and punctuation knows better.
    assert_eq!(formatter.final_(&final_of("Is it, monday?")).text(), "Is it, monday?");
}

#[test]
fn strange_words_do_no_harm() {
    let mut formatter = Formatter::new(everything());
    for text in
        ["", ".", "... , !", "é ß İ 中文 🎉", "- -- '", "one. two, three?", "25 five $5 5%", &"nine ".repeat(500)]
    {
        let hypothesis = final_of(text);
        formatter.interim(&hypothesis);
        let written = formatter.final_(&hypothesis);
        assert!(written.words().iter().all(|word| !written.word_text(word).is_empty()), "{text}");
    }
}
