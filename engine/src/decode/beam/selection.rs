//! Which continuations are tried, and which hypotheses stay.

use super::{Beam, FREE_WIDTH, hypothesis};

/// Hypotheses beyond the width that only credit for a hotword under way keeps, so that many hotwords don't crowd out what
/// was said.
pub(super) const CREDITED_WIDTH: usize = 4;

/// A hypothesis with one more token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) parent: usize,
    pub(super) token: u32,
    pub(super) score: f32,
    pub(super) probability: f32,
    /// Share of the score that the token earned in the grammar.
    pub(super) reward: f32,
    /// Share of the score that an unfinished hotword may have to give back.
    pub(super) credit: f32,
    pub(super) free: bool,
    /// Whether it is among the best without its credit.
    settled: bool,
}

/// Places that are left in and out of the grammar.
struct Room([usize; 2]);

impl Room {
    fn new(width: usize) -> Self {
        Self([width, FREE_WIDTH])
    }

    /// Takes a place if one is left.
    fn take(&mut self, free: bool) -> bool {
        let room = &mut self.0[usize::from(free)];
        let fits = *room > 0;
        *room = room.saturating_sub(1);
        fits
    }
}

impl Beam {
    /// Collects the best continuations by one token, no more than the beam is wide.
    pub(super) fn find_candidates(&mut self, none: bool) {
        self.candidates.clear();
        if none {
            return;
        }
        let limits = [false, true].map(|free| self.best(free) - self.config.prune);
        for row in 0..self.expanding.len() {
            self.find_candidates_of(row, limits);
        }
        self.candidates.sort_unstable_by(|a, b| (b.score - b.credit).total_cmp(&(a.score - a.credit)));
        let mut room = Room::new(self.config.width);
        self.candidates.retain_mut(|candidate| {
            candidate.settled = room.take(candidate.free);
            candidate.settled || candidate.credit > 0.0
        });
        let settled = self.candidates.iter().filter(|candidate| candidate.settled).count();
        self.candidates.sort_unstable_by(|a, b| b.settled.cmp(&a.settled).then(b.score.total_cmp(&a.score)));
        self.candidates.truncate(settled + CREDITED_WIDTH);
    }

    /// Score of the best hypothesis that ends the frame, in or out of the grammar, without its credit.
    pub(super) fn best(&self, free: bool) -> f32 {
        let scores = |indices: &[usize], score: fn(&hypothesis::Hypothesis) -> f32| {
            let of = indices.iter().map(|&index| &self.pool.hypotheses[index]);
            of.filter(|h| h.free == free).map(score).fold(f32::NEG_INFINITY, f32::max)
        };
        scores(&self.beam, |h| h.score - h.credit).max(scores(&self.expanding, |h| h.blank - h.credit))
    }

    fn find_candidates_of(&mut self, row: usize, limits: [f32; 2]) {
        let parent = self.expanding[row];
        let hypothesis = &self.pool.hypotheses[parent];
        let width = self.row[0].len();
        let logarithms = &self.logits[row * width..][..width - 1];
        let [scores, allowed] = &mut self.row;
        let scores = &mut scores[..width - 1];
        scores.copy_from_slice(logarithms);
        if let (Some(_), None) = (&self.language_model, &self.grammar) {
            if hypothesis.added.is_empty() {
                return;
            }
            let added = &mut allowed[..width - 1];
            added.copy_from_slice(&hypothesis.added);
            scores.iter_mut().zip(&*added).for_each(|(score, added)| *score += added);
            if let Some(hotwords) = &self.hotwords {
                // A phrase earns its boost, not what makes it likely twice: with both, menus are heard where nobody spoke.
                hotwords.each_gain(hypothesis.hotwords, true, |token, _| {
                    if let (Some(score), Some(added)) = (scores.get_mut(token as usize), added.get_mut(token as usize))
                    {
                        *score -= std::mem::take(added).max(0.0);
                    }
                });
            }
        }
        if let Some(hotwords) = &self.hotwords {
            hotwords.add_credits(hypothesis.hotwords, scores);
        }
        if let (Some(grammar), false) = (&self.grammar, hypothesis.free) {
            grammar.add_weights(&hypothesis.places, scores, &mut allowed[..width - 1]);
        }
        let free = hypothesis.free;
        let rewards = self.grammar.is_some() && !free;
        let limit = limits[usize::from(free)] - hypothesis.score;
        for (token, score) in (0..).zip(scores.iter()) {
            if *score > limit {
                let probability = logarithms[token as usize];
                let score = hypothesis.score + score;
                let reward = if rewards { allowed[token as usize].max(0.0) } else { 0.0 };
                let credit =
                    self.hotwords.as_ref().map_or(0.0, |hotwords| hotwords.pending_credit(hypothesis.hotwords, token));
                self.candidates.push(Candidate {
                    parent,
                    token,
                    score,
                    probability,
                    reward,
                    credit,
                    free,
                    settled: true,
                });
            }
        }
    }

    /// Keeps the best hypotheses: as many as the beam is wide by what they have settled, and a few more by their credit.
    pub(super) fn prune(&mut self) {
        let limits = [false, true].map(|free| self.best(free) - self.config.prune);
        let hypotheses = &mut self.pool.hypotheses;
        self.beam.sort_unstable_by(|&a, &b| {
            let [a, b] = [a, b].map(|index| hypotheses[index].score - hypotheses[index].credit);
            b.total_cmp(&a)
        });
        let mut room = Room::new(self.config.width);
        let mut first = [true; 2];
        for &index in &self.beam {
            let hypothesis = &mut hypotheses[index];
            // The best of a group stays even if its score is no number.
            let first = std::mem::take(&mut first[usize::from(hypothesis.free)]);
            let near = hypothesis.score - hypothesis.credit >= limits[usize::from(hypothesis.free)];
            hypothesis.settled = (first || near) && room.take(hypothesis.free);
        }
        self.sort_beam();
        let mut credited = CREDITED_WIDTH;
        let pool = &mut self.pool;
        self.beam.retain(|&index| {
            let hypothesis = &pool.hypotheses[index];
            let mut stays = hypothesis.settled;
            if !stays
                && hypothesis.credit > 0.0
                && hypothesis.score >= limits[usize::from(hypothesis.free)]
                && credited > 0
            {
                credited -= 1;
                stays = true;
            }
            if !stays {
                pool.give_back(index);
            }
            stays
        });
    }
}
