//! The automaton against a reading of the definition, and its use on token sequences.

use proptest::prelude::*;

use super::*;

const PIECES: [&str; 16] =
    ["<unk>", "▁", "▁m", "o", "c", "h", "a", "cha", "▁mo", "▁l", "te", "t", "▁o", "▁milk", "e", "s"];

fn tokens() -> Arc<Tokens> {
    Arc::new(Tokens::new(PIECES).unwrap())
}

fn ids(pieces: &str) -> Vec<u32> {
    let tokens = tokens();
    pieces.split(' ').map(|piece| tokens.id(piece).unwrap_or_else(|| panic!("{piece}"))).collect()
}

fn compile(hotwords: &[Hotword]) -> Hotwords {
    Hotwords::new(hotwords, tokens())
}

/// The sum of all steps, without and with the end of the utterance.
fn credit(hotwords: &Hotwords, pieces: &str) -> [f32; 2] {
    let (mut state, mut sum) = (ROOT, 0.0);
    for id in ids(pieces) {
        let step = hotwords.step(state, id);
        state = step.state;
        sum += step.credit;
    }
    [sum, sum + hotwords.finish(state)]
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() < 1e-4
}

#[test]
fn every_segmentation_of_a_phrase_earns_its_boost() {
    let hotwords = compile(&[Hotword::new("mocha").with_boost(2.0)]);
    // The usual segmentation has two pieces.
    for pieces in ["▁mo cha", "▁m o cha", "▁mo c h a", "▁mo cha ▁l"] {
        assert!(near(credit(&hotwords, pieces)[1], 4.0), "{pieces}: {:?}", credit(&hotwords, pieces));
    }
}

#[test]
fn partial_matches_are_credited_and_refunded() {
    let hotwords = compile(&[Hotword::new("mocha latte").with_boost(1.0)]);
    let full = credit(&hotwords, "▁mo cha ▁l a t te")[1];
    let [partial, finished] = credit(&hotwords, "▁mo cha ▁l");
    assert!(partial > 0.3 * full && partial < full);
    assert!(near(finished, 0.0), "the end of the utterance refunds");
    assert!(near(credit(&hotwords, "▁mo cha ▁l o")[0], 0.0), "another letter refunds");
    assert!(near(credit(&hotwords, "▁mo cha s")[0], 0.0));
    assert!(near(credit(&hotwords, "▁mo ▁mo ▁mo cha ▁l a t te")[1], full), "a new start counts");
}

#[test]
fn a_phrase_ends_with_its_word() {
    let hotwords = compile(&[Hotword::new("mocha").with_boost(2.0)]);
    assert!(near(credit(&hotwords, "▁mo cha s")[1], 0.0));
    assert!(near(credit(&hotwords, "▁mo cha ▁o")[1], 4.0));
}

#[test]
fn phrases_within_phrases_keep_their_own_boost() {
    let hotwords = compile(&[Hotword::new("mocha").with_boost(2.0), Hotword::new("mocha milk latte").with_boost(1.0)]);
    assert!(near(credit(&hotwords, "▁mo cha ▁milk ▁o")[1], 4.0), "the longer one failed, the shorter one counts");
    let inner = compile(&[Hotword::new("cha").with_boost(2.0), Hotword::new("o cha latte").with_boost(0.1)]);
    assert!(credit(&inner, "▁o ▁ cha ▁l o")[1] > 1.0, "a phrase inside a failed one counts");
}

#[test]
fn what_cannot_be_used_is_rejected_with_the_reason() {
    let hotwords = compile(&[
        Hotword::new("mocha 2 go"),
        Hotword::new("mocha").with_boost(f32::NAN),
        Hotword::new("quinoa").sounds_like("mocha"),
        Hotword::new("?!"),
        Hotword::new("mocha ".repeat(60)),
        Hotword::new("latte"),
    ]);
    let reasons: Vec<String> = hotwords.rejected().iter().map(|r| format!("{}: {}", r.phrase, r.reason)).collect();
    assert_eq!(hotwords.rejected().len(), 5, "{reasons:?}");
    assert!(reasons[0].contains("'2'"));
    assert!(reasons[1].contains("NaN"));
    assert!(reasons[2].contains("'q'"));
    assert_eq!(hotwords.len(), 2, "latte, and what sounds like quinoa");
}

fn tail(pieces: &str) -> Vec<Token> {
    (0..)
        .zip(ids(pieces))
        .map(|(frame, id)| Token { id, frame: 10 + frame, probability: 0.5, agreement: 1.0 })
        .collect()
}

#[test]
fn what_sounds_like_a_phrase_is_written_as_it() {
    let hotwords = compile(&[Hotword::new("latte").sounds_like("lot a")]);
    let mut written = tail("▁o ▁l o t ▁ a");
    let state = written.iter().fold(ROOT, |state, token| hotwords.step(state, token.id).state);
    assert_eq!(hotwords.pending(state, &written), 5);
    let inside_a_word = Some(ids("s")[0]);
    assert!(!hotwords.rewrite(state, inside_a_word, &mut written));
    assert!(hotwords.rewrite(state, None, &mut written));
    let text: Vec<u32> = written.iter().map(|token| token.id).collect();
    assert_eq!(tokens().decode(&text), "o latte");
    assert_eq!((written[1].frame, written.last().unwrap().frame), (11, 15), "times are those of the sound");
    assert!(written.windows(2).all(|pair| pair[0].frame <= pair[1].frame));
}

#[test]
fn gains_are_those_of_the_longest_match() {
    let hotwords = compile(&[Hotword::new("mocha milk").with_boost(1.0), Hotword::new("milk").with_boost(3.0)]);
    let state = ids("▁mo cha").iter().fold(ROOT, |state, &id| hotwords.step(state, id).state);
    let mut gains = Vec::new();
    hotwords.each_gain(state, true, |token, gain| gains.push((token, gain)));
    gains.sort_by_key(|gain| gain.0);
    let mut tokens: Vec<u32> = gains.iter().map(|gain| gain.0).collect();
    tokens.dedup();
    assert_eq!(tokens.len(), gains.len(), "no token gains twice");
    let mut of_match = Vec::new();
    hotwords.each_gain(state, false, |token, _| of_match.push(token));
    assert_eq!(of_match, ids("▁milk"), "only what continues it, once");
}

/// The longest end of `text` that starts a phrase.
fn longest_match<'a>(text: &'a str, phrases: &[String]) -> &'a str {
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.map(|at| &text[at..]).find(|end| phrases.iter().any(|phrase| phrase.starts_with(end))).unwrap_or("")
}

proptest! {
    /// The state is the longest end of the text that starts a phrase; completed credit equals a count of the phrases.
    #[test]
    fn states_follow_the_definition(
        phrases in prop::collection::vec("[mocha]{1,4}( [lte]{1,3})?", 1..5),
        sequence in prop::collection::vec(1..PIECES.len() as u32, 0..20),
    ) {
        let usable: Vec<Hotword> = phrases.iter().map(|phrase| Hotword::new(phrase.as_str())).collect();
        let hotwords = compile(&usable);
        let rejected: Vec<&str> = hotwords.rejected().iter().map(|r| r.phrase.as_str()).collect();
        let spelled: Vec<String> = phrases
            .iter()
            .filter(|phrase| !rejected.contains(&phrase.as_str()))
            .map(|phrase| phrase.split(' ').map(|word| format!("▁{word}")).collect())
            .collect();
        let (mut state, mut sum, mut text) = (ROOT, 0.0, String::new());
        for id in sequence {
            text.push_str(tokens().piece(id).unwrap());
            let step = hotwords.step(state, id);
            state = step.state;
            sum += step.credit;
            let matched = longest_match(&text, &spelled);
            // Dead ends, which no pieces continue to a phrase, are left out of the automaton.
            let depth = hotwords.automaton.depth(state);
            prop_assert!(depth <= matched.len(), "{text}: {matched}");
            prop_assert!(text.as_bytes().ends_with(&matched.as_bytes()[matched.len() - depth..]));
            prop_assert!(sum > -1e-3, "credit of a text is never negative: {text}: {sum}");
        }
        let heard = spelled.iter().any(|phrase| format!("{text}▁").contains(&format!("{phrase}▁")));
        let sum = sum + hotwords.finish(state);
        prop_assert!(heard == (sum > 1e-3), "{text}: {sum}");
    }
}
