//! From the tokens of an utterance to what they mean in the grammar.

use std::ops::Range;

use super::automaton::{Automaton, Trace};
use crate::decode::Token;

/// What an utterance means.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Parse {
    /// The public rule that was said; `None` when no way through the grammar ends where the utterance did.
    pub rule: Option<String>,
    /// The slots in the order they were filled.
    pub slots: Vec<SlotValue>,
    /// How much better the grammar explains the utterance than free speech does: logarithm of a ratio of
    /// probabilities, for each token. Near 0 when it fits, far below when not.
    pub margin: f32,
    /// Whether the margin is high enough. When not, the text is that of free speech.
    pub accepted: bool,
}

/// A filled slot.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SlotValue {
    /// Name of the slot.
    pub name: String,
    /// Value of its tag, or the words that were said.
    pub value: String,
    /// The tokens of the best hypothesis that fill it.
    pub tokens: Range<usize>,
    /// First and last frame of these tokens.
    pub frames: [u64; 2],
    /// Share of the probability of all hypotheses in the grammar that belongs to those with this value.
    pub confidence: f32,
}

/// Parses hypotheses (tokens and logarithmic score), best first; the slots are those of the best that has a parse.
pub(super) fn parse<'a>(
    automaton: &Automaton,
    hypotheses: impl Iterator<Item = (&'a [Token], f32)>,
    margin: f32,
    accepted: bool,
) -> Parse {
    let mut parses: Vec<(u32, Vec<SlotValue>, f32)> = Vec::new();
    for (tokens, score) in hypotheses {
        if let Some((rule, slots)) = best_way(automaton, tokens) {
            parses.push((rule, slots, score));
        }
    }
    let most = parses.iter().map(|(_, _, score)| *score).fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = parses.iter().map(|(_, _, score)| (score - most).exp()).sum();
    let Some((rule, mut slots, _)) = parses.first().cloned() else {
        return Parse { margin, accepted: false, ..Parse::default() };
    };
    for slot in &mut slots {
        let agrees = |other: &SlotValue| (&other.name, &other.value) == (&slot.name, &slot.value);
        let with = parses.iter().filter(|(_, others, _)| others.iter().any(agrees));
        slot.confidence = with.map(|(_, _, score)| (score - most).exp()).sum::<f32>() / sum;
    }
    Parse { rule: automaton.rules.get(rule as usize).cloned(), slots, margin, accepted }
}

/// The rule and the slots on the best way of a token sequence through the grammar.
fn best_way(automaton: &Automaton, tokens: &[Token]) -> Option<(u32, Vec<SlotValue>)> {
    let start = Trace { node: 0, weight: 0.0, from: 0, word: None };
    let mut columns = vec![vec![start]];
    for token in tokens {
        let mut column: Vec<Trace> = Vec::new();
        for (from, trace) in columns.last()?.iter().enumerate() {
            for (node, weight, word) in automaton.targets(trace.node, token.id) {
                let new = Trace { node, weight: trace.weight + weight, from, word };
                match column.iter_mut().find(|old| old.node == node) {
                    Some(old) if old.weight >= new.weight => {}
                    Some(old) => *old = new,
                    None => column.push(new),
                }
            }
        }
        columns.push(column);
    }
    let ends = columns.last()?.iter().enumerate().filter_map(|(at, trace)| {
        let (weight, rule) = automaton.end(trace.node)?;
        Some((trace.weight + weight, at, rule))
    });
    let (_, mut at, rule) = ends.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let mut words = Vec::with_capacity(tokens.len());
    for column in columns.iter().skip(1).rev() {
        words.push(column[at].word);
        at = column[at].from;
    }
    words.reverse();
    Some((rule, fill(automaton, tokens, &words)))
}

/// The slots that the words of the tokens fill.
fn fill(automaton: &Automaton, tokens: &[Token], words: &[Option<u32>]) -> Vec<SlotValue> {
    let mut slots: Vec<SlotValue> = Vec::new();
    let mut last: Option<(u32, u32)> = None;
    for (at, word) in words.iter().enumerate() {
        let in_slot = word.and_then(|word| Some((word, automaton.words.get(word as usize)?.slot?)));
        let Some((word, slot)) = in_slot else {
            last = None;
            continue;
        };
        let (name, fixed) = &automaton.slots[slot as usize];
        let text = automaton.words[word as usize].text.as_str();
        // A slot that begins again, in a repetition, goes back to an earlier word or begins the same one again.
        let goes_on = |before| before < word || (before == word && !automaton.starts_word(tokens[at].id));
        match (last, slots.last_mut()) {
            (Some((before, same)), Some(filled)) if same == slot && goes_on(before) => {
                if before < word && fixed.is_none() {
                    filled.value.push(' ');
                    filled.value.push_str(text);
                }
                filled.tokens.end = at + 1;
                filled.frames[1] = tokens[at].frame;
            }
            _ => slots.push(SlotValue {
                name: name.clone(),
                value: fixed.clone().unwrap_or_else(|| text.to_owned()),
                tokens: at..at + 1,
                frames: [tokens[at].frame; 2],
                confidence: 1.0,
            }),
        }
        last = Some((word, slot));
    }
    slots
}
