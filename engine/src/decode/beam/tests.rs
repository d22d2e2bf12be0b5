//! The beam on heads whose scores are known.

use proptest::prelude::*;

use super::*;
use crate::decode::{Greedy, Hotword, testing::Copying};

const PIECES: [&str; 6] = ["▁a", "b", "c", "▁d", "e", "▁"];
const BLANK: usize = PIECES.len();

type Frame = [f32; BLANK + 1];

fn tokens() -> Arc<Tokens> {
    Arc::new(Tokens::new(PIECES).unwrap())
}

/// A frame in which the named tokens have scores and all others nearly none.
fn frame(scores: &[(usize, f32)]) -> Frame {
    let mut frame = [-20.0; BLANK + 1];
    for &(token, score) in scores {
        frame[token] = score;
    }
    frame
}

/// A search that takes one token per frame, so that the likeliest texts are easily counted.
fn search(width: usize, hotwords: &[Hotword], grammar: Option<&str>) -> (Copying, Beam) {
    search_with(BeamConfig { width, prune: 20.0, max_symbols_per_frame: 1 }, hotwords, grammar)
}

fn search_with(config: BeamConfig, hotwords: &[Hotword], grammar: Option<&str>) -> (Copying, Beam) {
    let head = Copying::new(PIECES.len());
    let grammar = grammar.map(|source| Grammar::new(&format!("#JSGF V1.0;\n{source}"), &tokens()).unwrap());
    let mut beam = Beam::new(&head, tokens(), config, grammar);
    beam.set_hotwords(Some(Hotwords::new(hotwords, tokens())));
    (head, beam)
}

/// The tokens of a whole utterance.
fn all(head: &Copying, beam: &mut Beam, frames: &[Frame]) -> Vec<u32> {
    let mut ids = Vec::new();
    let mut decoded = Decoded::default();
    for frame in frames {
        decoded.confirmed.clear();
        beam.decode(head, frame, &mut decoded);
        ids.extend(decoded.confirmed.iter().map(|token| token.id));
    }
    beam.finish_utterance(&mut decoded);
    ids.extend(decoded.confirmed.iter().map(|token| token.id));
    ids
}

fn text(ids: &[u32]) -> String {
    tokens().decode(ids)
}

/// "a", then a choice between b and c.
fn choice(b: f32, c: f32) -> Vec<Frame> {
    vec![frame(&[(0, 5.0), (BLANK, 0.0)]), frame(&[(1, b), (2, c), (BLANK, -5.0)]), frame(&[(BLANK, 5.0)])]
}

#[test]
fn the_likeliest_text_wins() {
    for width in [1, 2, 4, 8] {
        let (head, mut beam) = search(width, &[], None);
        assert_eq!(text(&all(&head, &mut beam, &choice(1.0, 2.0))), "ac", "width {width}");
    }
}

#[test]
fn paths_of_one_text_add_up() {
    // After "a": b 0.22, c 0.5, blank 0.28; then b or blank, 0.5 each. A frame ends with the blank, 0.28 / 0.78 after b
    // and 0.28 / 0.5 after c. "ab" has a path of 0.22 * 0.36 and one of 0.28 * 0.5; "ac" and "acb" have one of
    // 0.5 * 0.56 * 0.5 each.
    let of = |scores: &[(usize, f32)]| frame(&scores.iter().map(|&(token, p)| (token, p.ln())).collect::<Vec<_>>());
    let frames = [of(&[(0, 1.0)]), of(&[(1, 0.22), (2, 0.5), (BLANK, 0.28)]), of(&[(1, 0.5), (BLANK, 0.5)])];
    let (head, mut beam) = search(4, &[], None);
    assert_eq!(text(&all(&head, &mut beam, &frames)), "ab");
    let scores: Vec<f32> = beam.alternatives().map(|(_, score)| score.exp()).collect();
    assert!((scores[1] - 0.14 / (0.079 + 0.14)).abs() < 0.01, "{scores:?}");
    let mut greedy = Greedy::new(&head, 1);
    let mut decoded = Decoded::default();
    greedy.decode(&head, frames.as_flattened(), &mut decoded);
    let ids: Vec<u32> = decoded.confirmed.iter().map(|token| token.id).collect();
    assert_ne!(text(&ids), "ab");
}

#[test]
fn hotwords_are_refunded() {
    let heard = choice(1.0, 2.0);
    let boosted = |phrase: &str| {
        let (head, mut beam) = search(4, &[Hotword::new(phrase).with_boost(2.0)], None);
        text(&all(&head, &mut beam, &heard))
    };
    assert_eq!(boosted("ab"), "ab", "the phrase was said");
    assert_eq!(boosted("abe"), "ac", "only its start was said");
}

#[test]
fn a_grammar_is_kept_to() {
    let (head, mut beam) = search(4, &[], Some("public <x> = (ab | ae){letter};"));
    let ids = all(&head, &mut beam, &choice(1.5, 2.0));
    assert_eq!(text(&ids), "ab", "c is not in the grammar");
    let parse = beam.parse().unwrap();
    assert_eq!(parse.rule.as_deref(), Some("x"));
    assert!(parse.accepted && parse.margin < 0.0, "{parse:?}");
    assert_eq!(parse.slots.len(), 1);
    assert_eq!((parse.slots[0].name.as_str(), parse.slots[0].value.as_str()), ("letter", "ab"));
}

#[test]
fn what_is_not_in_the_grammar_is_rejected() {
    let (head, mut beam) = search(4, &[], Some("public <x> = de{letter};"));
    let ids = all(&head, &mut beam, &choice(1.0, 9.0));
    assert_eq!(text(&ids), "ac", "free speech");
    let parse = beam.parse().unwrap();
    assert!(!parse.accepted, "{parse:?}");
}

#[test]
fn shared_tokens_are_confirmed_and_the_rest_is_the_tail() {
    let config = BeamConfig { width: 4, prune: 5.0, max_symbols_per_frame: 1 };
    let (head, mut beam) = search_with(config, &[], None);
    let mut decoded = Decoded::default();
    beam.decode(&head, &frame(&[(0, 30.0), (BLANK, 21.0)]), &mut decoded);
    beam.decode(&head, &frame(&[(1, 4.0), (2, 1.5), (BLANK, 1.8)]), &mut decoded);
    let ids = |tokens: &[Token]| tokens.iter().map(|token| token.id).collect::<Vec<_>>();
    assert_eq!(ids(&decoded.confirmed), [0], "all hypotheses begin with it");
    assert_eq!(ids(&decoded.tail), [1], "the best one goes on with it");
}

#[test]
fn a_pause_settles_what_was_said() {
    for (pause, expected) in [(0, "abe"), (1, "ace")] {
        let (head, mut beam) = search(4, &[Hotword::new("abe").with_boost(0.8)], None);
        let mut decoded = Decoded::default();
        choice(1.0, 2.0).iter().for_each(|frame| _ = beam.decode(&head, frame, &mut decoded));
        beam.skip(pause);
        beam.decode(&head, &frame(&[(4, 5.0), (BLANK, 0.0)]), &mut decoded);
        let confirmed = std::mem::take(&mut decoded.confirmed);
        let disputed = confirmed.iter().filter(|token| token.agreement < 0.9).count();
        assert_eq!(disputed, 2 * usize::from(pause > 0), "how disputed it was is remembered");
        beam.finish_utterance(&mut decoded);
        let ids: Vec<u32> = confirmed.iter().chain(&decoded.confirmed).map(|token| token.id).collect();
        assert_eq!(text(&ids), expected, "a pause of {pause} frames");
        assert_eq!(beam.frames(), 4 + pause);
    }
}

/// A narrow beam goes on with the best hypotheses of a wide one, and a wide one with all that a narrow one has.
#[test]
fn beams_of_different_widths_go_on_where_another_stands() {
    let (head, mut wide) = search(4, &[], None);
    let mut decoded = Decoded::default();
    wide.decode(&head, &frame(&[(0, 2.0), (1, 1.0), (2, 0.0), (BLANK, -1.0)]), &mut decoded);
    let best = |beam: &Beam, count| -> Vec<u64> {
        beam.beam.iter().take(count).map(|&i| beam.pool.hypotheses[i].text_hash).collect()
    };
    let hashes = best(&wide, 9);
    assert_eq!(hashes.len(), 4);
    let (_, mut narrow) = search(2, &[], None);
    narrow.copy_from(&wide);
    assert_eq!(best(&narrow, 9), hashes[..2]);
    wide.copy_from(&narrow);
    assert_eq!(best(&wide, 9), hashes[..2]);
    narrow.set_width(&head, 4);
    wide.decode(&head, &frame(&[(1, 0.0), (2, 0.0), (BLANK, 0.0)]), &mut decoded);
    narrow.copy_from(&wide);
    assert_eq!(best(&narrow, 9), best(&wide, 4), "storage grows with the width");
}

#[test]
fn a_new_utterance_forgets() {
    let (head, mut beam) = search(4, &[Hotword::new("abe")], Some("public <x> = ab | ac;"));
    let first = all(&head, &mut beam, &choice(1.0, 2.0));
    beam.start_utterance(&head);
    assert_eq!(beam.blank_run(), 0);
    let second = all(&head, &mut beam, &choice(1.0, 2.0));
    assert_eq!(first, second);
    assert_eq!(beam.frames(), 6);
}

/// A hotword that begins like what was said, and is not said after all, costs nothing: what was said is still there.
#[test]
fn credit_of_a_failed_hotword_crowds_nothing_out() {
    let frames = [
        frame(&[(0, 2.0), (3, 1.0), (BLANK, -5.0)]),
        frame(&[(1, 2.0), (BLANK, 0.0)]),
        frame(&[(BLANK, 5.0)]),
        frame(&[(BLANK, 5.0)]),
    ];
    for width in 1..4 {
        let (head, mut beam) = search(width, &[Hotword::new("dec").with_boost(6.0)], None);
        assert_eq!(text(&all(&head, &mut beam, &frames)), "ab", "width {width}");
    }
    // The same hotword wins where it is heard to its end.
    let said = [frames[0], frame(&[(4, 1.0), (1, 2.0), (BLANK, -5.0)]), frame(&[(2, 1.0), (BLANK, 0.0)]), frames[3]];
    let (head, mut beam) = search(1, &[Hotword::new("dec").with_boost(6.0)], None);
    assert_eq!(text(&all(&head, &mut beam, &said)), "dec");
}

proptest! {
    /// Whatever the scores are, the search ends, its storage suffices, and no confirmed token is taken back.
    #[test]
    fn any_scores_are_searched(
        frames in prop::collection::vec(prop::array::uniform7(prop_oneof![
            -5f32..5.0, Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)
        ]), 0..40),
        width in 1usize..6,
        in_grammar: bool,
    ) {
        let grammar = in_grammar.then_some("public <x> = (a b | a <GARBAGE> | d e)* [dec];");
        let config = BeamConfig { width, prune: 20.0, max_symbols_per_frame: 3 };
        let (head, mut beam) = search_with(config, &[Hotword::new("abe d"), Hotword::new("dec").sounds_like("deb")], grammar);
        let ids = all(&head, &mut beam, &frames);
        prop_assert!(ids.iter().all(|&id| (id as usize) < PIECES.len()));
        prop_assert!(beam.alternatives().count() <= width + FREE_WIDTH + CREDITED_WIDTH);
        prop_assert!(ids.len() <= 3 * frames.len() + 64);
        let _ = beam.parse();
    }
}

/// N-grams to which all tokens are alike.
fn even_ngrams() -> LanguageModel {
    let mut arpa = String::from("\\data\\\n\\1-grams:\n");
    PIECES.iter().chain(&["<s>", "</s>"]).for_each(|piece| arpa.push_str(&format!("-1\t{piece}\n")));
    LanguageModel::from_arpa(&(arpa + "\\end\\\n"), &tokens()).unwrap()
}

/// A language network that expects b after a, and nothing in particular elsewhere, decides between b and c.
#[cfg(feature = "reference")]
#[test]
fn a_language_network_hears_what_came_before() {
    use crate::model::language_network::tests::{checkpoint, network};

    let checkpoint = checkpoint(PIECES.len(), |name, values| {
        values.fill(0.0);
        match name {
            // Unit 0 of 11 is 0.76 after an a and zero after other tokens.
            "embed.weight" => values[0] = 1.0,
            "lstm.bias_ih_l0" => {
                [(0, 20.0), (11, -20.0), (33, 20.0)].iter().for_each(|&(gate, bias)| values[gate] = bias)
            }
            "lstm.weight_ih_l0" => values[22 * 5] = 20.0,
            "output.weight" => values[11] = 8.0,
            _ => (),
        }
    });
    let ngrams = even_ngrams();
    let with_network = ngrams.clone().with_network(Some(Arc::new(network(&checkpoint))));
    let heard = |model: &LanguageModel, frames: &[Frame]| {
        let (head, mut beam) = search(4, &[], None);
        beam.set_language_model(&head, Some(model.clone()));
        [(); 2].map(|()| {
            let ids = all(&head, &mut beam, frames);
            beam.start_utterance(&head);
            text(&ids)
        })
    };
    let after_a = choice(1.0, 2.0);
    assert_eq!(heard(&ngrams, &after_a), ["ac", "ac"]);
    assert_eq!(heard(&with_network, &after_a), ["ab", "ab"], "in every utterance");
    assert_eq!(heard(&with_network.clone().with_network_weight(0.0), &after_a), ["ac", "ac"]);
    let after_d: Vec<Frame> = [vec![frame(&[(3, 5.0), (BLANK, 0.0)])], after_a[1..].to_vec()].concat();
    assert_eq!(heard(&with_network, &after_d), ["dc", "dc"]);
}

/// The copying head hardly expects the token that it has just said: that is taken off, and what is heard counts.
#[test]
fn the_internal_language_model_is_taken_off() {
    let model = even_ngrams();
    let frames = [frame(&[(1, 5.0), (BLANK, 0.0)]), frame(&[(1, 4.0), (2, 0.0), (BLANK, 0.0)]), frame(&[(BLANK, 5.0)])];
    for (weight, expected) in [(0.0, "b"), (1.0, "bb")] {
        let (head, mut beam) = search(4, &[], None);
        beam.set_language_model(&head, Some(model.clone().with_internal_weight(weight)));
        assert_eq!(text(&all(&head, &mut beam, &frames)), expected, "at a weight of {weight}");
    }
}
