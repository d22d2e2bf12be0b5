//! The end of an utterance: what the search decides on, as the host sees it.

use super::timeline::Timeline;
use crate::{
    decode::{Decoded, Parse, Search, Token},
    model::tokens::Tokens,
    transcript::{Alternative, Assembler, Hypothesis, Interpretation, Slot},
};

/// What a final tells besides its words.
pub(super) struct Ending {
    interpretation: Option<Interpretation>,
    alternatives: Vec<Alternative>,
}

impl Ending {
    /// Ends the utterance of the search and gives the assembler its last tokens, behind those `held` so far. Allocates
    /// only with a grammar or where `alternatives` are asked for.
    pub(super) fn of(
        search: &mut Search,
        held: &[Token],
        assembler: &mut Assembler,
        decoded: &mut Decoded,
        (timeline, tokens, alternatives): (&Timeline, &Tokens, usize),
    ) -> Self {
        search.finish_utterance(decoded);
        let last = decoded.confirmed.len();
        decoded.confirmed.extend_from_slice(held);
        decoded.confirmed.rotate_left(last);
        let alternatives = match alternatives {
            0 => Vec::new(),
            most => search
                .alternatives()
                .take(most)
                .map(|(tail, score)| {
                    let tail = [held, tail].concat();
                    Alternative { text: assembler.text_with(&tail, timeline.base, tokens), score }
                })
                .collect(),
        };
        assembler.update(decoded, timeline.base, tokens);
        Self { interpretation: search.parse().map(|parse| interpret(parse, timeline)), alternatives }
    }

    /// Whether a grammar accepts the utterance.
    pub(super) fn is_accepted(&self) -> bool {
        self.interpretation.as_ref().is_some_and(|interpretation| interpretation.accepted)
    }

    pub(super) fn write_to(self, hypothesis: &mut Hypothesis) {
        hypothesis.interpretation = self.interpretation;
        hypothesis.alternatives = self.alternatives;
    }
}

/// Gives the slots their times in the stream.
fn interpret(parse: Parse, timeline: &Timeline) -> Interpretation {
    let slot = |slot: crate::decode::SlotValue| Slot {
        start: timeline.at_frame(slot.frames[0].saturating_sub(Assembler::FRAMES_OF_PIECE)),
        end: timeline.at_frame(slot.frames[1]),
        name: slot.name,
        value: slot.value,
        confidence: slot.confidence,
    };
    Interpretation {
        intent: parse.rule,
        slots: parse.slots.into_iter().map(slot).collect(),
        margin: parse.margin,
        accepted: parse.accepted,
    }
}
