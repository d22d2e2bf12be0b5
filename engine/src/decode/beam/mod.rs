//! Beam search over the transducer lattice, time-synchronous: at each frame every hypothesis takes the blank, and those
//! that can still compete are expanded by tokens, again and again until none can or the frame's bound is met.
//!
//! From time-synchronous decoding (Saon et al. 2020, arXiv:2010.11349, "Alignment-length synchronous decoding for RNN
//! transducer", section 3) comes the order of work; from adaptive expansion search (Kim et al. 2020, "Accelerating RNN
//! transducer inference via adaptive expansion search") the rule that only tokens near the best hypothesis are
//! expanded. Hypotheses with the same text are merged, however it is cut into pieces and whenever it was emitted. The
//! predictor and the joiner run for all hypotheses of a step at once.
//!
//! Tokens that all hypotheses share are confirmed; the best hypothesis's others are the tail.

mod choice;
mod hypothesis;
mod language;
mod selection;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{
    grammar::{Grammar, Parse, Place},
    hotwords::{Hotwords, ROOT},
    ngram::{Context, LanguageModel},
    token::{Decoded, Token},
};
use crate::model::{
    head::{HeadScratch, TransducerHead},
    language_network::LanguageScratch,
    tokens::Tokens,
};
use crate::nn::ops;
use choice::Choice;
use hypothesis::{EMPTY_TEXT, Pool, add_logarithms, hash_on};
use selection::{CREDITED_WIDTH, Candidate};

/// Settings of a [`Beam`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BeamConfig {
    /// Most hypotheses after a frame, 1 to 64.
    pub width: usize,
    /// Hypotheses and tokens whose logarithmic probability is further below the best are dropped.
    pub prune: f32,
    /// Most tokens that one frame may emit, at least 1.
    pub max_symbols_per_frame: usize,
}

impl Default for BeamConfig {
    fn default() -> Self {
        Self { width: 32, prune: 5.0, max_symbols_per_frame: 5 }
    }
}

/// Widest beam.
const MAX_WIDTH: usize = 64;

/// Hypotheses outside of the grammar, while there is one.
const FREE_WIDTH: usize = 2;

/// Tokens that may stay unconfirmed. Beyond, hypotheses that differ from the best in the first half of them are dropped.
const MAX_TAIL: usize = 48;

/// The same with a grammar, which decides at the end of the utterance.
const MAX_GRAMMAR_TAIL: usize = 512;

/// The state of a beam search over one stream.
#[derive(Debug)]
pub struct Beam {
    config: BeamConfig,
    tokens: Arc<Tokens>,
    pool: Pool,
    /// Hypotheses after the last frame, best first.
    beam: Vec<usize>,
    /// Those that the frame at hand is tried on.
    expanding: Vec<usize>,
    children: Vec<usize>,
    /// Those that the language model is asked about.
    asking: Vec<usize>,
    candidates: Vec<Candidate>,
    steps: Vec<(u32, usize)>,
    scratch: HeadScratch,
    language_scratch: LanguageScratch,
    projected: Vec<f32>,
    logits: Vec<f32>,
    /// Scores that the joiner gives without hearing anything.
    unheard: Vec<f32>,
    /// One row of scores by token, and room for another.
    row: [Vec<f32>; 2],
    places: Vec<Place>,
    hotwords: Option<Hotwords>,
    grammar: Option<Grammar>,
    language_model: Option<LanguageModel>,
    /// A frame of zeros, projected.
    zeros: Vec<f32>,
    choice: Choice,
    /// Tokens of every hypothesis that a pause has settled.
    settled: usize,
    frame: u64,
    /// Frame after the last token of the best hypothesis, or the start of the utterance.
    silent_since: u64,
}

impl Beam {
    /// A search at the start of an utterance; `tokens` are those of the head's model. It keeps to the grammar, if there
    /// is one.
    pub fn new(head: &dyn TransducerHead, tokens: Arc<Tokens>, config: BeamConfig, grammar: Option<Grammar>) -> Self {
        let width = config.width.clamp(1, MAX_WIDTH);
        let config = BeamConfig { width, max_symbols_per_frame: config.max_symbols_per_frame.max(1), ..config };
        let scores = head.vocab_size() + 1;
        let mut search = Self {
            config,
            tokens,
            pool: Pool::default(),
            beam: Vec::new(),
            expanding: Vec::new(),
            children: Vec::new(),
            asking: Vec::new(),
            candidates: Vec::new(),
            steps: Vec::new(),
            scratch: head.new_scratch(),
            language_scratch: LanguageScratch::default(),
            projected: Vec::new(),
            logits: Vec::new(),
            unheard: Vec::new(),
            row: [vec![0.0; scores], vec![0.0; scores]],
            places: Vec::new(),
            hotwords: None,
            grammar,
            language_model: None,
            zeros: Vec::new(),
            choice: Choice::default(),
            settled: 0,
            frame: 0,
            silent_since: 0,
        };
        head.project(&vec![0.0; head.frame_width()], &mut search.zeros, &mut search.scratch);
        search.make_room(head);
        search.start_utterance(head);
        search
    }

    /// Makes storage for as many hypotheses as the beam is wide.
    fn make_room(&mut self, head: &dyn TransducerHead) {
        let most = self.config.width + FREE_WIDTH + CREDITED_WIDTH;
        let scores = most * self.row[0].len();
        // At once there are those retired, those expanding, and their children.
        if !self.pool.grow(head, 3 * most + 1) {
            return;
        }
        for list in [&mut self.beam, &mut self.expanding, &mut self.asking] {
            list.reserve(2 * most);
        }
        self.children.reserve(most);
        self.steps.reserve(most);
        self.candidates.reserve(scores);
        for row in [&mut self.logits, &mut self.unheard] {
            row.resize(row.len().max(scores), 0.0);
        }
        self.choice.reserve(most);
    }

    /// Listens for these hotwords from the next frame on, or for none. Matches that have begun with the old ones are
    /// forgotten.
    pub fn set_hotwords(&mut self, hotwords: Option<Hotwords>) {
        for &index in &self.beam {
            let hypothesis = &mut self.pool.hypotheses[index];
            if let Some(old) = &self.hotwords {
                hypothesis.score += old.finish(hypothesis.hotwords);
            }
            hypothesis.hotwords = ROOT;
            hypothesis.credit = 0.0;
        }
        self.hotwords = hotwords.filter(|hotwords| !hotwords.is_empty());
        self.sort_beam();
    }

    /// Lets the search agree with this language model from the next frame on, without what was heard before; it does not
    /// count in a grammar.
    pub fn set_language_model(&mut self, head: &dyn TransducerHead, language_model: Option<LanguageModel>) {
        self.language_model = language_model;
        let start = self.language_model.as_ref().map_or_else(Context::default, LanguageModel::start);
        for hypothesis in &mut self.pool.hypotheses {
            hypothesis.context = start;
            hypothesis.piece_hash = EMPTY_TEXT;
            hypothesis.added.clear();
            hypothesis.added.reserve(head.vocab_size());
            hypothesis.missed = None;
        }
        // A grammar doesn't ask the network.
        let model = self.language_model.as_ref().filter(|_| self.grammar.is_none());
        self.pool.expect(model.and_then(LanguageModel::network_start));
        if let Some(model) = model {
            self.language_scratch = model.network_scratch(self.config.width + CREDITED_WIDTH);
        }
    }

    /// Follows at most this many hypotheses from the next frame on; a grammar keeps to its own. Allocates where it has not
    /// been that wide before.
    pub(super) fn set_width(&mut self, head: &dyn TransducerHead, width: usize) {
        if self.grammar.is_none() {
            self.config.width = width.clamp(1, MAX_WIDTH);
            self.make_room(head);
        }
    }

    /// Decodes encoder frames (`[n, frame_width]`, row major): appends the tokens that all hypotheses now share to
    /// `out.confirmed`, and replaces `out.tail` by the best hypothesis's others. Returns the number of frames. Allocates
    /// only while the storage must grow.
    pub fn decode(&mut self, head: &dyn TransducerHead, frames: &[f32], out: &mut Decoded) -> usize {
        self.projected.clear();
        head.project(frames, &mut self.projected, &mut self.scratch);
        let projected = std::mem::take(&mut self.projected);
        for frame in projected.chunks_exact(head.joiner_width()) {
            self.decode_frame(head, frame);
            self.confirm(&mut out.confirmed);
        }
        self.projected = projected;
        self.listen_to_others(0);
        out.tail.clone_from(&self.pool.hypotheses[self.beam[0]].tokens);
        frames.len() / head.frame_width()
    }

    fn decode_frame(&mut self, head: &dyn TransducerHead, projected: &[f32]) {
        std::mem::swap(&mut self.beam, &mut self.expanding);
        self.beam.clear();
        for step in 0..=self.config.max_symbols_per_frame {
            let scores = self.expanding.len() * (head.vocab_size() + 1);
            let logits = &mut self.logits[..scores];
            head.logits_many(projected, &self.pool.states, &self.expanding, &mut self.scratch, logits);
            self.normalize();
            self.ask_language_model(head);
            self.find_candidates(step == self.config.max_symbols_per_frame);
            self.spawn();
            self.retire();
            self.steps.clear();
            for &child in &self.children {
                let token = self.pool.hypotheses[child].tokens.last().map_or(0, |token| token.id);
                self.steps.push((token, child));
            }
            if self.steps.is_empty() {
                break;
            }
            head.advance_many(&self.steps, &mut self.pool.states, &mut self.scratch);
            std::mem::swap(&mut self.expanding, &mut self.children);
        }
        self.sort_beam();
        let best = self.pool.hypotheses[self.beam[0]].score;
        for &index in &self.beam {
            self.pool.hypotheses[index].score -= best;
        }
        self.frame += 1;
        if let Some(last) = self.pool.hypotheses[self.beam[0]].tokens.last() {
            self.silent_since = self.silent_since.max(last.frame + 1);
        }
    }

    /// Makes logarithms of probabilities of the scores. A row that is not all numbers becomes a sure blank.
    fn normalize(&mut self) {
        let width = self.row[0].len();
        for (&index, row) in self.expanding.iter().zip(self.logits.chunks_exact_mut(width)) {
            let normalizer = ops::log_softmax(row, &mut self.row[0]);
            if normalizer.is_finite() && !row.iter().any(|score| score.is_nan()) {
                row.copy_from_slice(&self.row[0]);
            } else {
                row.fill(f32::NEG_INFINITY);
                row[width - 1] = 0.0;
            }
            let hypothesis = &mut self.pool.hypotheses[index];
            hypothesis.blank = hypothesis.score + row[width - 1];
        }
    }

    /// Makes hypotheses of the candidates.
    fn spawn(&mut self) {
        self.children.clear();
        for &Candidate { parent, token, score, probability, reward, credit, free, .. } in &self.candidates {
            let text_hash = hash_on(
                self.pool.hypotheses[parent].text_hash,
                self.tokens.piece(token).unwrap_or_default().as_bytes(),
            );
            let twin = self.children.iter().find(|&&child| {
                let child = &self.pool.hypotheses[child];
                child.text_hash == text_hash && child.free == free
            });
            if let Some(&twin) = twin {
                let twin = &mut self.pool.hypotheses[twin];
                twin.score = add_logarithms(twin.score, score);
                continue;
            }
            let Some(child) = self.pool.copy_of(parent) else { break };
            let hypothesis = &mut self.pool.hypotheses[child];
            hypothesis.score = score;
            hypothesis.reward += reward;
            hypothesis.credit = credit;
            hypothesis.text_hash = text_hash;
            hypothesis.piece_hash = hash_on(hypothesis.piece_hash, &token.to_le_bytes());
            if let Some(hotwords) = &self.hotwords {
                hotwords.rewrite(hypothesis.hotwords, Some(token), &mut hypothesis.tokens);
                hypothesis.hotwords = hotwords.step(hypothesis.hotwords, token).state;
            }
            if let Some(model) = &self.language_model {
                hypothesis.context = model.step(&hypothesis.context, token);
                hypothesis.added.clear();
                hypothesis.missed = Some(token);
            }
            if let (Some(grammar), false) = (&self.grammar, free) {
                grammar.step(&mut hypothesis.places, token, &mut self.places);
            }
            let probability = probability.exp();
            hypothesis.tokens.push(Token { id: token, frame: self.frame, probability, agreement: 1.0 });
            self.children.push(child);
        }
    }

    /// Lets the expanded hypotheses end the frame with the blank, merges those of the same text, and prunes.
    fn retire(&mut self) {
        while let Some(index) = self.expanding.pop() {
            self.pool.hypotheses[index].score = self.pool.hypotheses[index].blank;
            let (hash, free) = (self.pool.hypotheses[index].text_hash, self.pool.hypotheses[index].free);
            let twin = self.beam.iter_mut().find(|other| {
                let other = &self.pool.hypotheses[**other];
                other.text_hash == hash && other.free == free
            });
            let Some(twin) = twin else {
                self.beam.push(index);
                continue;
            };
            let scores = [*twin, index].map(|index| self.pool.hypotheses[index].score);
            let sum = add_logarithms(scores[0], scores[1]);
            let worse = if scores[1] > scores[0] { std::mem::replace(twin, index) } else { index };
            self.pool.hypotheses[*twin].score = sum;
            self.pool.give_back(worse);
        }
        self.prune();
    }

    /// Best first, those in the grammar before the free ones.
    fn sort_beam(&mut self) {
        let hypotheses = &self.pool.hypotheses;
        self.beam.sort_unstable_by(|&a, &b| {
            let (a, b) = (&hypotheses[a], &hypotheses[b]);
            a.free.cmp(&b.free).then(b.score.total_cmp(&a.score))
        });
    }

    /// Moves the tokens that all hypotheses share to `confirmed`.
    fn confirm(&mut self, confirmed: &mut Vec<Token>) {
        let most = if self.grammar.is_some() { MAX_GRAMMAR_TAIL } else { MAX_TAIL };
        let best = self.beam[0];
        if self.pool.hypotheses[best].tokens.len() > most {
            self.drop_unlike_best(most / 2);
        } else if self.grammar.is_some() {
            return;
        }
        let pool = &mut self.pool;
        let mut shared = usize::MAX;
        for &index in &self.beam {
            let hypothesis = &pool.hypotheses[index];
            let pairs = hypothesis.tokens.iter().zip(&pool.hypotheses[best].tokens);
            let same = pairs.take_while(|(a, b)| a.id == b.id).count();
            let held =
                self.hotwords.as_ref().map_or(0, |hotwords| hotwords.pending(hypothesis.hotwords, &hypothesis.tokens));
            shared = shared.min(same).min(hypothesis.tokens.len().saturating_sub(held));
        }
        if shared > 0 {
            let tokens = &mut pool.hypotheses[best].tokens[..shared];
            // What a pause has settled stays as disputed as it was.
            tokens.iter_mut().skip(self.settled).for_each(|token| token.agreement = 1.0);
            self.settled = self.settled.saturating_sub(shared);
            confirmed.extend_from_slice(tokens);
            for &index in &self.beam {
                pool.hypotheses[index].tokens.drain(..shared);
            }
        }
    }

    /// Drops the hypotheses that do not begin with the best one's first `tokens` tokens.
    fn drop_unlike_best(&mut self, tokens: usize) {
        let best = self.beam[0];
        let pool = &mut self.pool;
        self.beam.retain(|&index| {
            let pairs = pool.hypotheses[index].tokens.iter().zip(&pool.hypotheses[best].tokens);
            let stays = pairs.take(tokens).filter(|(a, b)| a.id == b.id).count() == tokens;
            if !stays {
                pool.give_back(index);
            }
            stays
        });
    }

    /// Ends the utterance: refunds unfinished hotwords, drops what the grammar does not allow to end here, and confirms
    /// one hypothesis, which alone is in `out`: the best in a grammar, else that of the least word errors to expect. The
    /// next utterance begins with [`Beam::start_utterance`] or [`Beam::reset`]; until then [`Beam::alternatives`] and
    /// [`Beam::parse`] tell of this one.
    pub fn finish_utterance(&mut self, out: &mut Decoded) {
        out.clear();
        for &index in &self.beam {
            let hypothesis = &mut self.pool.hypotheses[index];
            if let Some(hotwords) = &self.hotwords {
                hypothesis.score += hotwords.finish(hypothesis.hotwords);
                hotwords.rewrite(hypothesis.hotwords, None, &mut hypothesis.tokens);
                hypothesis.hotwords = ROOT;
            }
            if let (Some(grammar), false) = (&self.grammar, hypothesis.free) {
                hypothesis.score += grammar.final_weight(&hypothesis.places);
            }
        }
        self.end_with_language_model();
        self.sort_beam();
        self.choose();
        let accepted = self.accepted();
        self.listen_to_others(accepted);
        out.confirmed.extend_from_slice(&self.pool.hypotheses[self.beam[accepted]].tokens);
    }

    /// Place in the beam of the hypothesis to give out at the end: the best one in the grammar unless it is rejected.
    fn accepted(&self) -> usize {
        let free = self.beam.iter().position(|&index| self.pool.hypotheses[index].free);
        match (free, self.margin()) {
            (Some(free), Some(margin)) if self.grammar.as_ref().is_some_and(|g| !g.accepts(margin)) => free,
            _ => 0,
        }
    }

    /// How much better the grammar explains the utterance than free speech does: logarithm of a ratio, for each token
    /// of the free hypothesis. `None` without a grammar.
    fn margin(&self) -> Option<f32> {
        let [best, free] = [false, true]
            .map(|free| self.beam.iter().map(|&i| &self.pool.hypotheses[i]).find(|hypothesis| hypothesis.free == free));
        let (best, free) = (best?, free?);
        Some((best.score - best.reward - free.score) / best.tokens.len().max(free.tokens.len()).max(1) as f32)
    }

    /// What a finished utterance means in its grammar, `None` without one.
    pub fn parse(&self) -> Option<Parse> {
        let grammar = self.grammar.as_ref()?;
        let hypotheses = self.beam.iter().map(|&index| &self.pool.hypotheses[index]).filter(|h| !h.free);
        Some(grammar.parse(hypotheses.map(|h| (h.tokens.as_slice(), h.score)), self.margin()?))
    }

    /// The hypotheses with the logarithm of their probability relative to the likeliest, likeliest first, but that which
    /// a finished utterance is before all others. All begin with the tokens confirmed before.
    pub fn alternatives(&self) -> impl Iterator<Item = (&[Token], f32)> {
        self.beam.iter().map(|&index| {
            let hypothesis = &self.pool.hypotheses[index];
            (hypothesis.tokens.as_slice(), hypothesis.score)
        })
    }

    /// Frames decoded since the last reset.
    pub fn frames(&self) -> u64 {
        self.frame
    }

    /// Frames since the best hypothesis's last token, or since the last reset or utterance start.
    pub fn blank_run(&self) -> u64 {
        self.frame - self.silent_since.min(self.frame)
    }

    /// Counts frames that were not decoded because nothing is said in them. What was said before such a pause is settled,
    /// as a host may have acted on it: what comes later no longer changes it, except in a grammar, which decides at the end.
    pub fn skip(&mut self, frames: u64) {
        self.frame += frames;
        if frames > 0 && self.grammar.is_none() {
            self.choose();
            self.listen_to_others(0);
            self.settled = self.pool.hypotheses[self.beam[0]].tokens.len();
            self.beam.drain(1..).for_each(|index| self.pool.give_back(index));
        }
    }

    /// Starts a new utterance in the same stream: the predictor forgets, frames are counted on.
    pub fn start_utterance(&mut self, head: &dyn TransducerHead) {
        for index in self.beam.drain(..) {
            self.pool.give_back(index);
        }
        for free in [false, true] {
            if free && self.grammar.is_none() {
                break;
            }
            let Some(index) = self.pool.take() else { break };
            head.start(&mut self.pool.states[index], &mut self.scratch);
            let hypothesis = &mut self.pool.hypotheses[index];
            hypothesis.start(free);
            hypothesis.context = self.language_model.as_ref().map_or_else(Context::default, LanguageModel::start);
            let expected = self.language_model.as_ref().and_then(LanguageModel::network_start);
            if let (Some(state), Some(start)) = (self.pool.expectations.get_mut(index), expected) {
                state.clone_from(start);
            }
            if let (Some(grammar), false) = (&self.grammar, free) {
                grammar.start(&mut hypothesis.places);
            }
            self.beam.push(index);
        }
        self.silent_since = self.frame;
        self.settled = 0;
    }

    /// Goes on where a search of the same settings stands, with the best of its hypotheses if that one is wider. Allocates
    /// only while the storage must grow.
    pub(super) fn copy_from(&mut self, source: &Self) {
        for index in self.beam.drain(..) {
            self.pool.give_back(index);
        }
        let most = if self.config.width < source.config.width { self.config.width } else { usize::MAX };
        for &index in source.beam.iter().take(most) {
            let Some(copy) = self.pool.take() else { break };
            self.pool.hypotheses[copy].copy_from(&source.pool.hypotheses[index]);
            self.pool.states[copy].clone_from(&source.pool.states[index]);
            if let (Some(copy), Some(source)) =
                (self.pool.expectations.get_mut(copy), source.pool.expectations.get(index))
            {
                copy.clone_from(source);
            }
            self.beam.push(copy);
        }
        self.frame = source.frame;
        self.silent_since = source.silent_since;
        self.settled = source.settled;
    }

    /// Counts frames on from this one.
    pub(super) fn set_frame(&mut self, frame: u64) {
        self.frame = frame;
        self.silent_since = frame;
    }

    /// Starts a new stream at frame zero.
    pub fn reset(&mut self, head: &dyn TransducerHead) {
        self.frame = 0;
        self.start_utterance(head);
    }
}
