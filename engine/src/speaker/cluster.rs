//! Who is who: voices as running means of embeddings, and the likeliest sequence of speakers among them.
//!
//! Each hop of the stream either fits a known voice (by the cosine) or is a stranger's; a change of speaker costs
//! something, so that a single odd hop makes none. The best sequence (Viterbi) over the newest hops gives their labels.
//! The oldest of them is settled when enough hops follow it, and what it sounds like is learned then. A stranger who
//! keeps talking becomes a new voice; voices that grow alike become one. All is bounded: voices, hops, work.

use super::network::normalize;

/// No one.
pub(super) const SILENCE: u8 = u8::MAX;

/// Hops behind a hop that decide about it.
pub(super) const LAG: usize = 4;
/// Hops of speech by which a voice is worth being known.
const RUN: usize = 3;
/// Hops that a voice remembers.
const MEMORY: f32 = 40.0;

/// The voices of a stream, and the hops that are not decided on yet.
#[derive(Clone, Debug)]
pub(super) struct Clusters {
    most: usize,
    dimensions: usize,
    limits: Limits,
    /// Directions of length one, `[most, dimensions]`.
    voices: Vec<f32>,
    /// Hops that each was heard in, up to [`MEMORY`]; zero where there is none.
    weights: Vec<f32>,
    /// Speaker of the last settled hop of speech.
    last: Option<usize>,
    pending: Pending,
    /// Scores of the sequences that end in each voice, and in a stranger, while they are followed.
    scores: Vec<f32>,
    /// Where the best sequence came from, `[hops, most + 1]`.
    back: Vec<u8>,
    /// The best sequence over the pending hops. `most` is a stranger.
    path: Vec<u8>,
}

/// When voices are another's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Cosine to a known voice below which it is somebody else's.
    pub threshold: f32,
    /// What a change of speaker costs, in cosines of one hop.
    pub switch: f32,
    /// Cosine between two voices above which they are one.
    pub merge: f32,
}

/// Hops that are not decided on yet.
#[derive(Clone, Debug)]
struct Pending {
    /// `[hops, dimensions]`
    embeddings: Vec<f32>,
    voiced: Vec<bool>,
}

impl Clusters {
    /// No voices; at most `most` ever, at least 1. Embeddings have `dimensions` values.
    pub fn new(most: usize, dimensions: usize, limits: Limits) -> Self {
        Self {
            most,
            dimensions,
            limits,
            voices: vec![0.0; most * dimensions],
            weights: vec![0.0; most],
            last: None,
            pending: Pending {
                embeddings: Vec::with_capacity((LAG + 1) * dimensions),
                voiced: Vec::with_capacity(LAG + 1),
            },
            scores: Vec::with_capacity(most + 1),
            back: Vec::with_capacity((LAG + 1) * (most + 1)),
            path: Vec::with_capacity(LAG + 1),
        }
    }

    /// Takes the embedding of the next hop. Returns the label of the oldest hop when this settles it.
    pub fn push(&mut self, embedding: &[f32], voiced: bool) -> Option<u8> {
        self.pending.embeddings.extend_from_slice(embedding);
        self.pending.voiced.push(voiced);
        self.follow();
        if self.pending.voiced.len() > LAG { self.settle() } else { None }
    }

    /// Settles the oldest hop with what is known.
    pub fn settle(&mut self) -> Option<u8> {
        let voiced = *self.pending.voiced.first()?;
        let label = if voiced { self.learn() as u8 } else { SILENCE };
        self.pending.voiced.remove(0);
        let width = self.dimensions;
        self.pending.embeddings.copy_within(width.., 0);
        self.pending.embeddings.truncate(self.pending.voiced.len() * width);
        // What was learned may tell more about the others.
        self.follow();
        Some(label)
    }

    /// The labels of the pending hops as it looks now.
    pub fn tentative(&self) -> impl ExactSizeIterator<Item = u8> {
        let stranger = self.free().unwrap_or(self.most - 1) as u8;
        let most = self.most as u8;
        self.path.iter().zip(&self.pending.voiced).map(move |(&state, &voiced)| match (voiced, state == most) {
            (false, _) => SILENCE,
            (true, true) => stranger,
            (true, false) => state,
        })
    }

    /// Speaker of the last settled hop of speech.
    pub fn last(&self) -> Option<u8> {
        self.last.map(|voice| voice as u8)
    }

    /// Goes on behind a break: hops that are not settled are dropped, voices stay known.
    pub fn restart(&mut self) {
        self.pending.embeddings.clear();
        self.pending.voiced.clear();
        self.path.clear();
        self.last = None;
    }

    /// Forgets all voices.
    pub fn forget(&mut self) {
        self.restart();
        self.voices.fill(0.0);
        self.weights.fill(0.0);
    }

    fn voice(&self, number: usize) -> &[f32] {
        &self.voices[number * self.dimensions..][..self.dimensions]
    }

    /// The lowest number that no voice has.
    fn free(&self) -> Option<usize> {
        self.weights.iter().position(|&weight| weight == 0.0)
    }

    /// Whether a sequence may be in this state.
    fn is_usable(&self, state: usize) -> bool {
        if state == self.most { self.free().is_some() } else { self.weights[state] > 0.0 }
    }

    fn likeness(&self, state: usize, hop: usize) -> f32 {
        if state == self.most {
            return self.limits.threshold;
        }
        dot(self.voice(state), &self.pending.embeddings[hop * self.dimensions..][..self.dimensions])
    }

    /// Finds the best sequence of speakers over the pending hops.
    fn follow(&mut self) {
        let (hops, states) = (self.pending.voiced.len(), self.most + 1);
        self.path.clear();
        if hops == 0 {
            return;
        }
        self.scores.clear();
        for state in 0..states {
            let start = if self.last.is_none_or(|last| last == state) { 0.0 } else { -self.limits.switch };
            self.scores.push(if self.is_usable(state) { start } else { f32::NEG_INFINITY });
        }
        self.back.clear();
        for hop in 0..hops {
            if hop > 0 {
                let best = highest(&self.scores);
                let jump = self.scores[best] - self.limits.switch;
                for state in 0..states {
                    let stays = self.scores[state] >= jump;
                    self.back.push(if stays { state } else { best } as u8);
                    if !stays && self.is_usable(state) {
                        self.scores[state] = jump;
                    }
                }
            }
            if self.pending.voiced[hop] {
                for state in 0..states {
                    self.scores[state] += self.likeness(state, hop);
                }
            }
        }
        let mut at = highest(&self.scores);
        self.path.push(at as u8);
        for from in self.back.chunks_exact(states).rev() {
            at = usize::from(from[at]);
            self.path.push(at as u8);
        }
        self.path.reverse();
    }

    /// Decides who speaks in the oldest hop, and learns the voice.
    fn learn(&mut self) -> usize {
        let mut label = usize::from(self.path[0]);
        if label == self.most {
            let Some(met) = self.meet() else {
                // Too little to know a voice by: it goes to the most alike.
                label = (0..self.most)
                    .filter(|&voice| self.weights[voice] > 0.0)
                    .max_by(|&a, &b| self.likeness(a, 0).total_cmp(&self.likeness(b, 0)))
                    .unwrap_or(0);
                self.last = Some(label);
                return label;
            };
            label = met;
        }
        let weight = self.weights[label].max(1.0);
        let voice = &mut self.voices[label * self.dimensions..][..self.dimensions];
        voice.iter_mut().zip(&self.pending.embeddings).for_each(|(x, new)| *x = *x * weight + new);
        normalize(voice);
        self.weights[label] = (self.weights[label] + 1.0).min(MEMORY);
        self.last = Some(label);
        self.merge();
        self.last.unwrap_or(label)
    }

    /// Makes a voice of the stranger whose speech is pending from the oldest hop on, if there is enough of it.
    fn meet(&mut self) -> Option<usize> {
        let free = self.free()?;
        let hops = self.path.iter().take_while(|&&state| usize::from(state) == self.most).count();
        let heard = self.pending.voiced[..hops].iter().filter(|&&voiced| voiced).count();
        let known = self.weights.iter().any(|&weight| weight > 0.0);
        if heard < RUN && known {
            return None;
        }
        let voice = &mut self.voices[free * self.dimensions..][..self.dimensions];
        voice.fill(0.0);
        let embeddings = self.pending.embeddings.chunks_exact(self.dimensions);
        for (embedding, _) in embeddings.zip(&self.pending.voiced).take(hops).filter(|(_, voiced)| **voiced) {
            voice.iter_mut().zip(embedding).for_each(|(sum, x)| *sum += x);
        }
        normalize(voice);
        Some(free)
    }

    /// Joins the first two voices that turned out to be one; the lower number stays.
    fn merge(&mut self) {
        for one in 0..self.most {
            for other in one + 1..self.most {
                let both = self.weights[one] > 0.0 && self.weights[other] > 0.0;
                if both && dot(self.voice(one), self.voice(other)) > self.limits.merge {
                    return self.join(one, other);
                }
            }
        }
    }

    fn join(&mut self, one: usize, other: usize) {
        let (a, b) = (self.weights[one], self.weights[other]);
        let (before, after) = self.voices.split_at_mut(other * self.dimensions);
        let voice = &mut before[one * self.dimensions..][..self.dimensions];
        let gone = &mut after[..self.dimensions];
        voice.iter_mut().zip(&*gone).for_each(|(x, y)| *x = a * *x + b * y);
        normalize(voice);
        gone.fill(0.0);
        self.weights[one] = (a + b).min(MEMORY);
        self.weights[other] = 0.0;
        if self.last == Some(other) {
            self.last = Some(one);
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The first place of the highest score.
fn highest(scores: &[f32]) -> usize {
    let mut best = 0;
    for (at, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = at;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hops of speakers `a`, `b`, `c`… with orthogonal voices and a little of the next one; `.` is silence.
    fn label(clusters: &mut Clusters, conversation: &str) -> String {
        let width = clusters.dimensions;
        let mut out = String::new();
        let mut show = |label: Option<u8>| match label {
            Some(SILENCE) => out.push('.'),
            Some(label) => out.push(char::from(b'0' + label)),
            None => {}
        };
        for hop in conversation.chars() {
            let mut embedding = vec![0.0; width];
            if hop != '.' {
                let voice = hop as usize - 'a' as usize;
                embedding[voice % width] = 0.9;
                embedding[(voice + 1) % width] = 0.3;
                normalize(&mut embedding);
            }
            show(clusters.push(&embedding, hop != '.'));
        }
        while let Some(label) = clusters.settle() {
            show(Some(label));
        }
        out
    }

    fn clusters(most: usize) -> Clusters {
        Clusters::new(most, 8, Limits { threshold: 0.6, switch: 0.8, merge: 0.9 })
    }

    #[test]
    fn voices_are_told_apart_and_known_again() {
        let heard = label(&mut clusters(4), "aaaaaa..bbbbbbb.aaaaa.cccccc..bbbb");
        assert_eq!(heard, "000000..1111111.00000.222222..1111");
    }

    #[test]
    fn an_odd_hop_is_no_speaker() {
        assert_eq!(label(&mut clusters(4), "aaaaaaaabaaaaaaaa"), "00000000000000000");
        assert_eq!(label(&mut clusters(4), "b"), "0", "the first one is somebody, however short");
        assert_eq!(label(&mut clusters(4), "..."), "...");
    }

    #[test]
    fn speakers_are_bounded() {
        let mut two = clusters(2);
        let heard = label(&mut two, "aaaaaaaa.cccccccc.eeeeeeee.gggggggg");
        assert!(heard.chars().all(|c| "01.".contains(c)), "{heard}");
        assert!(heard.starts_with("00000000.11111111."), "{heard}");
        assert!(two.free().is_none());
        assert_eq!(label(&mut clusters(1), "aaaaaa.cccccc"), "000000.000000");
    }

    #[test]
    fn voices_that_grow_alike_become_one() {
        let mut clusters = clusters(4);
        label(&mut clusters, "aaaaaa.cccccc");
        assert!(clusters.weights[1] > 0.0);
        // The second voice drifts to the first.
        let drift = clusters.voice(0).to_vec();
        clusters.voices[8..16].copy_from_slice(&drift);
        assert_eq!(label(&mut clusters, "aaaaaa"), "000000");
        assert_eq!(clusters.free(), Some(1));
    }

    #[test]
    fn a_break_keeps_voices_and_a_reset_forgets_them() {
        let mut clusters = clusters(4);
        label(&mut clusters, "aaaaaa.cccccc");
        clusters.restart();
        assert_eq!(label(&mut clusters, "cccc"), "1111");
        clusters.forget();
        assert_eq!(label(&mut clusters, "cccc"), "0000");
    }

    #[test]
    fn damaged_embeddings_do_no_harm() {
        let mut clusters = clusters(2);
        for _ in 0..10 {
            clusters.push(&[f32::NAN; 8], true);
            clusters.push(&[0.0; 8], true);
        }
        clusters.forget();
        assert_eq!(label(&mut clusters, "aaaa.bbbb"), "0000.1111");
    }
}
