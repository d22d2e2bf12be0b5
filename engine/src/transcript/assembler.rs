//! Joins subword tokens to words with times and confidences.

use std::time::Duration;

use super::{Hypothesis, Word, confidence::Judge};
use crate::{
    decode::{Decoded, Token},
    model::{config::ConfidenceConfig, tokens::Tokens},
};

/// How long before its first token's frame a word is taken to start. Tokens are emitted when their sound has passed;
/// the median piece is this long in the training alignments.
const PIECE: Duration = Duration::from_millis(160);

/// Most pieces of one word. Longer runs without a word start are noise; cutting them bounds the memory of a word.
const LONGEST_WORD: usize = 32;

/// Letters that come later than this after those before begin a word of their own: nobody pauses so long within one, and
/// the word before may have been told to be over.
const LONGEST_BREAK: Duration = Duration::from_secs(1);

/// Room for tentative tokens.
const TYPICAL_TAIL: usize = 64;

/// Builds the hypothesis of the running utterance.
#[derive(Debug)]
pub(crate) struct Assembler {
    hypothesis: Hypothesis,
    frame: Duration,
    /// A word start was seen whose text is still to come.
    boundary: bool,
    pieces_in_word: usize,
    judge: Judge,
    /// Where the confirmed tokens end, while the hypothesis goes on with tentative ones.
    confirmed: Option<Mark>,
    /// The tentative tokens.
    tail: Vec<Token>,
}

/// A state of the assembler to go back to.
#[derive(Clone, Debug)]
struct Mark {
    words: usize,
    text: usize,
    /// The last word, which later tokens may have lengthened.
    last: Option<Word>,
    boundary: bool,
    pieces_in_word: usize,
    judged: f32,
}

impl Assembler {
    /// Frames before the one of a piece that its sound takes, for frames of 80 ms.
    pub const FRAMES_OF_PIECE: u64 = 2;

    /// An empty utterance at the start of a stream. `frame` is the duration of an encoder frame, `calibration` the
    /// model's.
    pub fn new(frame: Duration, calibration: Option<ConfidenceConfig>) -> Self {
        Self {
            hypothesis: Hypothesis::roomy(),
            frame,
            boundary: true,
            pieces_in_word: 0,
            judge: Judge::new(calibration),
            confirmed: None,
            tail: Vec::with_capacity(TYPICAL_TAIL),
        }
    }

    /// Adds confirmed tokens and replaces the tentative ones; frame zero is at `base` in the stream. Returns whether the
    /// text may have changed.
    pub fn update(&mut self, decoded: &Decoded, base: Duration, tokens: &Tokens) -> bool {
        let as_expected = same_ids(&decoded.confirmed, &self.tail[..decoded.confirmed.len().min(self.tail.len())])
            && same_ids(&decoded.tail, &self.tail[decoded.confirmed.len().min(self.tail.len())..]);
        self.go_back();
        for &token in &decoded.confirmed {
            self.push(token, base, tokens);
        }
        self.tail.clone_from(&decoded.tail);
        if !decoded.tail.is_empty() {
            self.confirmed = Some(self.mark());
            for &token in &decoded.tail {
                self.push(token, base, tokens);
            }
        }
        !as_expected
    }

    /// The text if the tentative tokens were these; frame zero is at `base` in the stream.
    pub fn text_with(&mut self, tail: &[Token], base: Duration, tokens: &Tokens) -> String {
        self.go_back();
        let mark = self.mark();
        for &token in tail {
            self.push(token, base, tokens);
        }
        let text = self.hypothesis.text.clone();
        self.confirmed = Some(mark);
        text
    }

    fn mark(&self) -> Mark {
        let Hypothesis { text, words, .. } = &self.hypothesis;
        Mark {
            words: words.len(),
            text: text.len(),
            last: words.last().cloned(),
            boundary: self.boundary,
            pieces_in_word: self.pieces_in_word,
            judged: self.judge.place(),
        }
    }

    /// Takes the tentative tokens back.
    fn go_back(&mut self) {
        let Some(mark) = self.confirmed.take() else { return };
        let Hypothesis { text, words, .. } = &mut self.hypothesis;
        words.truncate(mark.words);
        text.truncate(mark.text);
        if let (Some(word), Some(last)) = (words.last_mut(), mark.last) {
            *word = last;
        }
        self.boundary = mark.boundary;
        self.pieces_in_word = mark.pieces_in_word;
        self.judge.return_to(mark.judged);
    }

    /// Adds a token; frame zero is at `base` in the stream.
    fn push(&mut self, token: Token, base: Duration, tokens: &Tokens) {
        self.boundary |= tokens.is_word_start(token.id);
        let text = tokens.text(token.id);
        if text.is_empty() {
            return;
        }
        let at = base + self.frame * u32::try_from(token.frame).unwrap_or(u32::MAX);
        let is_apart = self.hypothesis.words.last().is_none_or(|word| at.saturating_sub(word.end) > LONGEST_BREAK);
        if self.boundary || is_apart || self.pieces_in_word == LONGEST_WORD {
            self.start_word(at);
        }
        self.hypothesis.text.push_str(text);
        self.pieces_in_word += 1;
        if let Some(word) = self.hypothesis.words.last_mut() {
            word.span.end = self.hypothesis.text.len();
            word.end = at.max(word.start);
            word.confidence = self.judge.add(&mut word.evidence, token);
        }
    }

    fn start_word(&mut self, at: Duration) {
        let Hypothesis { text, words, start, .. } = &mut self.hypothesis;
        if !text.is_empty() {
            text.push(' ');
        }
        let previous_end = words.last().map_or(*start, |word| word.end);
        let start = at.saturating_sub(PIECE).max(previous_end);
        let evidence = self.judge.begin_word();
        words.push(Word { span: text.len()..text.len(), start, end: start, confidence: 1.0, evidence, speaker: None });
        self.boundary = false;
        self.pieces_in_word = 0;
    }

    /// The utterance so far.
    pub fn hypothesis(&self) -> &Hypothesis {
        &self.hypothesis
    }

    /// Says of every word whose it is, from its start and end.
    pub fn label_words(&mut self, speaker: impl Fn(Duration, Duration) -> Option<u8>) {
        for word in &mut self.hypothesis.words {
            word.speaker = speaker(word.start, word.end);
        }
    }

    /// Whether no word has been recognized yet.
    pub fn is_empty(&self) -> bool {
        self.hypothesis.words.is_empty()
    }

    /// End of the last word, or the start of the utterance.
    pub fn last_word_end(&self) -> Duration {
        self.hypothesis.words.last().map_or(self.hypothesis.start, |word| word.end)
    }

    /// Sets up to where audio has been decoded, and which words can't change any more: those of confirmed tokens but
    /// the last, which may still grow.
    pub fn advance_to(&mut self, end: Duration) {
        self.hypothesis.end = end.max(self.hypothesis.end);
        let words = self.confirmed.as_ref().map_or(self.hypothesis.words.len(), |mark| mark.words);
        self.hypothesis.confirmed = words.saturating_sub(1);
    }

    /// Moves the first `count` words to `out` (all fields but the flags and the sequence number are set) and keeps the
    /// others as the start of the next utterance.
    pub fn take_words(&mut self, count: usize, out: &mut Hypothesis) {
        let current = &mut self.hypothesis;
        let count = count.min(current.words.len());
        let all = count == current.words.len();
        out.clone_from(current);
        out.words.truncate(count);
        out.text.truncate(out.words.last().map_or(0, |word| word.span.end));
        out.confirmed = count;
        if !all {
            out.end = current.words[count].start;
        }
        let cut = current.words.get(count).map_or(current.text.len(), |word| word.span.start);
        current.text.drain(..cut);
        current.words.drain(..count);
        for word in &mut current.words {
            word.span = word.span.start - cut..word.span.end - cut;
        }
        current.start = out.end;
        current.confirmed = 0;
        if all {
            self.boundary = true;
            self.pieces_in_word = 0;
            self.judge.reset();
            self.confirmed = None;
            self.tail.clear();
        } else if let Some(mark) = &mut self.confirmed {
            mark.forget(count, cut);
        }
    }

    /// Forgets the utterance; the next one starts at `start` in the stream.
    pub fn reset(&mut self, start: Duration) {
        self.hypothesis.clear();
        self.hypothesis.start = start;
        self.hypothesis.end = start;
        self.boundary = true;
        self.pieces_in_word = 0;
        self.judge.reset();
        self.confirmed = None;
        self.tail.clear();
    }
}

impl Mark {
    /// The first `words` words, with `text` bytes of text, were taken away.
    fn forget(&mut self, words: usize, text: usize) {
        self.words = self.words.saturating_sub(words);
        self.text = self.text.saturating_sub(text);
        self.last = self.last.take().filter(|_| self.words > 0).map(|word| Word {
            span: word.span.start.saturating_sub(text)..word.span.end.saturating_sub(text),
            ..word
        });
    }
}

fn same_ids(a: &[Token], b: &[Token]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.id == b.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(80);

    fn tokens() -> Tokens {
        let pieces = ["<unk>", "▁two", "▁la", "r", "ge", "▁", "lat", "tes"];
        Tokens::new(pieces).unwrap()
    }

    fn assemble(ids: &[(u32, u64, f32)]) -> Assembler {
        let mut assembler = Assembler::new(FRAME, None);
        for &(id, frame, probability) in ids {
            assembler.push(Token { id, frame, probability, agreement: 1.0 }, Duration::ZERO, &tokens());
        }
        assembler.advance_to(FRAME * 40);
        assembler
    }

    /// "two large lattes"
    const ORDER: [(u32, u64, f32); 7] =
        [(1, 5, 0.9), (2, 8, 0.8), (3, 9, 0.4), (4, 10, 0.95), (5, 20, 0.7), (6, 21, 0.6), (7, 23, 0.9)];

    #[test]
    fn joins_pieces_to_words_with_times_and_confidences() {
        let assembler = assemble(&ORDER);
        let hypothesis = assembler.hypothesis();
        assert_eq!(hypothesis.text(), "two large lattes");
        let words: Vec<_> = hypothesis.words().iter().map(|word| hypothesis.word_text(word)).collect();
        assert_eq!(words, ["two", "large", "lattes"]);
        let large = &hypothesis.words()[1];
        assert_eq!((large.start, large.end), (FRAME * 6, FRAME * 10));
        assert_eq!(large.confidence, 0.4, "a word is as sure as its least sure piece");
        assert_eq!(hypothesis.confirmed(), 2, "the last word may still grow");
    }

    #[test]
    fn a_pause_ends_a_word() {
        let assembler = assemble(&[(2, 5, 0.9), (3, 17, 0.9), (4, 30, 0.9)]);
        assert_eq!(assembler.hypothesis().text(), "lar ge");
        assert_eq!(assembler.hypothesis().words()[0].end, FRAME * 17);
    }

    #[test]
    fn words_never_overlap() {
        let assembler = assemble(&[(1, 0, 1.0), (1, 1, 1.0), (2, 1, 1.0), (4, 2, 1.0)]);
        let words = assembler.hypothesis().words();
        assert_eq!(words.len(), 3);
        for pair in words.windows(2) {
            assert!(pair[0].start <= pair[0].end && pair[0].end <= pair[1].start);
        }
    }

    #[test]
    fn a_lone_word_mark_adds_no_word() {
        let assembler = assemble(&[(1, 0, 1.0), (5, 3, 1.0)]);
        assert_eq!(assembler.hypothesis().text(), "two");
        assert_eq!(assembler.hypothesis().words().len(), 1);
    }

    #[test]
    fn taking_words_keeps_the_rest() {
        let mut assembler = assemble(&ORDER);
        let mut first = Hypothesis::default();
        assembler.take_words(2, &mut first);
        assert_eq!(first.text(), "two large");
        assert_eq!(first.confirmed(), 2);
        let rest = assembler.hypothesis().clone();
        assert_eq!(rest.text(), "lattes");
        assert_eq!(rest.word_text(&rest.words()[0]), "lattes");
        assert_eq!(rest.start(), first.end());
        // The word goes on growing.
        assembler.push(Token { id: 3, frame: 24, probability: 1.0, agreement: 1.0 }, Duration::ZERO, &tokens());
        assert_eq!(assembler.hypothesis().text(), "lattesr");

        let mut last = Hypothesis::default();
        assembler.take_words(usize::MAX, &mut last);
        assert_eq!(last.text(), "lattesr");
        assert!(assembler.is_empty());
        assembler.push(Token { id: 4, frame: 30, probability: 1.0, agreement: 1.0 }, Duration::ZERO, &tokens());
        assert_eq!(assembler.hypothesis().text(), "ge", "a new utterance starts a new word");
    }

    #[test]
    fn a_run_without_word_starts_is_cut() {
        let run: Vec<_> = (0..100).map(|frame| (3, frame, 1.0)).collect();
        let assembler = assemble(&run);
        assert_eq!(assembler.hypothesis().words().len(), 100usize.div_ceil(LONGEST_WORD));
    }
}
