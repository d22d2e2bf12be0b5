//! What the language model adds to the scores of a hypothesis: asked for when some token could let it compete, unless another
//! hypothesis of the same pieces was asked about, and kept.

use super::Beam;
use crate::{model::head::TransducerHead, nn::ops};

impl Beam {
    /// Lets the language model add to the scores of those hypotheses of the frame that a token could take on, if there is one.
    pub(super) fn ask_language_model(&mut self, head: &dyn TransducerHead) {
        let Some(model) = self.language_model.as_ref().filter(|_| self.grammar.is_none()) else { return };
        // What a hotword earns is known only behind its token.
        let most = if self.hotwords.is_some() { f32::INFINITY } else { model.most_added() };
        let limit = self.best(false) - self.config.prune - most;
        self.asking.clear();
        for (&index, row) in self.expanding.iter().zip(self.logits.chunks_exact(self.row[0].len())) {
            let hypothesis = &self.pool.hypotheses[index];
            let likeliest = row[..row.len() - 1].iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if hypothesis.added.is_empty() && hypothesis.score + likeliest > limit {
                self.asking.push(index);
            }
        }
        let pool = &mut self.pool;
        self.asking.retain(|&index| !pool.learn_from_twin(index));
        if !self.asking.is_empty() {
            self.catch_up();
            self.add_up(head);
        }
    }

    /// Lets the language network hear the last token of those that are asked about.
    fn catch_up(&mut self) {
        let Some(model) = self.language_model.as_ref().filter(|_| !self.pool.expectations.is_empty()) else { return };
        self.steps.clear();
        for &index in &self.asking {
            self.steps.extend(self.pool.hypotheses[index].missed.take().map(|token| (token, index)));
        }
        model.advance_network(&self.steps, &mut self.pool.expectations, &mut self.language_scratch);
    }

    /// Asks the transducer what it expects after these hypotheses without hearing anything, if that is taken off: its
    /// internal language model, estimated with an encoder that gives zeros (Meng et al. 2021, arXiv:2011.01991). Then adds
    /// up what all models say of each token.
    fn add_up(&mut self, head: &dyn TransducerHead) {
        let Some(model) = &self.language_model else { return };
        let width = head.vocab_size() + 1;
        let takes_off = model.internal_weight() != 0.0;
        let rows = &mut self.unheard[..self.asking.len() * width];
        if takes_off {
            head.logits_many(&self.zeros, &self.pool.states, &self.asking, &mut self.scratch, rows);
        }
        for (&index, row) in self.asking.iter().zip(rows.chunks_exact(width)) {
            let unheard = &mut self.row[0][..width - 1];
            if takes_off {
                ops::log_softmax(&row[..width - 1], unheard);
            }
            let hypothesis = &mut self.pool.hypotheses[index];
            hypothesis.added.resize(width - 1, 0.0);
            let unheard = takes_off.then_some(&*unheard);
            model.scores(&hypothesis.context, self.pool.expectations.get(index), unheard, &mut hypothesis.added);
        }
    }

    /// Adds what the language model says of the end of the utterance.
    pub(super) fn end_with_language_model(&mut self) {
        if self.language_model.is_none() || self.grammar.is_some() {
            return;
        }
        self.asking.clone_from(&self.beam);
        self.catch_up();
        let Some(model) = &self.language_model else { return };
        for &index in &self.beam {
            let hypothesis = &mut self.pool.hypotheses[index];
            hypothesis.score += model.finish(&hypothesis.context, self.pool.expectations.get(index));
        }
    }
}
