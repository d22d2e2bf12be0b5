//! The speakers of one stream: network, windows over its sums, clustering, and a label for every stretch of time.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    Network, SpeakerConfig,
    cluster::{Clusters, Limits, SILENCE},
    network::{NetworkState, Sums},
};

/// Steps of a hop, the grain of labels: 0.24 s for steps of 40 ms.
const HOP: usize = 6;
/// Hops on either side whose speech a hop is judged by.
pub(super) const SIDE: usize = 3;
/// Hops that are judged by together.
const WINDOW: usize = 2 * SIDE + 1;
/// How much a step of a hop must sound like speech on average.
const VOICED: f32 = 0.5;
/// Hops of silence across which a word still takes the label next to it.
const REACH: u64 = 4;
/// Room for labels: seven minutes and a half.
const TYPICAL_LABELS: usize = 1875;

/// Who speaks when in one stream. Time is counted from the last restart.
///
/// A hop is settled when [`SIDE`] and [`LAG`](super::cluster::LAG) hops follow it, 1.9 s after it began.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    network: Arc<Network>,
    state: NetworkState,
    mel_bins: usize,
    /// Frames of a step that is not complete.
    stacked: Vec<f32>,
    /// Duration of a hop.
    hop: Duration,
    /// The hop that is being heard, and its steps so far.
    current: Sums,
    steps: usize,
    /// Sums of the newest hops, hop `h` at `h % WINDOW`.
    ring: Vec<Sums>,
    /// Complete hops.
    heard: u64,
    /// Hops that were given to the clustering.
    judged: u64,
    window: Sums,
    embedding: Vec<f32>,
    clusters: Clusters,
    /// Labels of settled hops from `first` on.
    labels: VecDeque<u8>,
    first: u64,
}

impl Tracker {
    /// The start of a stream. `frame` is the time between log-mel frames.
    pub fn new(network: Arc<Network>, mel_bins: usize, frame: Duration, config: &SpeakerConfig) -> Self {
        let shape = network.config();
        let most = config.most.clamp(1, SpeakerConfig::MOST);
        let limits = Limits {
            threshold: config.threshold.unwrap_or(shape.threshold).clamp(-1.0, 1.0),
            switch: shape.switch,
            merge: shape.merge,
        };
        Self {
            state: network.new_state(),
            mel_bins,
            stacked: Vec::with_capacity(shape.stack * mel_bins),
            hop: frame * (shape.stack * HOP) as u32,
            current: network.new_sums(),
            steps: 0,
            ring: vec![network.new_sums(); WINDOW],
            heard: 0,
            judged: 0,
            window: network.new_sums(),
            embedding: vec![0.0; shape.embedding],
            clusters: Clusters::new(most, shape.embedding, limits),
            labels: VecDeque::with_capacity(TYPICAL_LABELS),
            first: 0,
            network,
        }
    }

    /// Values that are missing to the end of the running step. Any split of the audio gives the same labels, and who
    /// must be told the same at any time splits at the ends of steps.
    pub fn missing(&self) -> usize {
        self.network.config().stack * self.mel_bins - self.stacked.len()
    }

    /// Takes log-mel frames, `[n, mel_bins]`.
    pub fn push(&mut self, mut mel: &[f32]) {
        while mel.len() >= self.missing() {
            let (run, rest) = mel.split_at(self.missing());
            self.stacked.extend_from_slice(run);
            mel = rest;
            self.network.step(&self.stacked, &mut self.state, &mut self.current);
            self.stacked.clear();
            self.steps += 1;
            if self.steps == HOP {
                self.end_hop();
            }
        }
        self.stacked.extend_from_slice(mel);
    }

    fn end_hop(&mut self) {
        let place = (self.heard % WINDOW as u64) as usize;
        std::mem::swap(&mut self.ring[place], &mut self.current);
        self.current.clear();
        self.steps = 0;
        self.heard += 1;
        if self.heard - self.judged > SIDE as u64 {
            self.judge();
        }
    }

    /// Gives the next hop to the clustering, with what is there of the hops on either side.
    fn judge(&mut self) {
        let hop = self.judged;
        let from = hop.saturating_sub(SIDE as u64);
        let to = (hop + SIDE as u64 + 1).min(self.heard);
        self.window.clear();
        for near in from..to {
            self.window.add(&self.ring[(near % WINDOW as u64) as usize]);
        }
        self.network.embed(&self.window, &mut self.state, &mut self.embedding);
        let voiced = self.ring[(hop % WINDOW as u64) as usize].weight >= VOICED * HOP as f32;
        self.judged += 1;
        if let Some(label) = self.clusters.push(&self.embedding, voiced) {
            self.labels.push_back(label);
        }
    }

    /// Settles all that was heard: nothing that follows changes it. A hop that has begun is settled later, unless this
    /// is the `end` of the audio.
    pub fn settle(&mut self, end: bool) {
        if end && self.steps > 0 {
            // What there is of it counts for a whole one.
            self.current.weight *= HOP as f32 / self.steps as f32;
            self.end_hop();
        }
        while self.judged < self.heard {
            self.judge();
        }
        while let Some(label) = self.clusters.settle() {
            self.labels.push_back(label);
        }
    }

    /// Hops from the start that are settled.
    fn settled(&self) -> u64 {
        self.first + self.labels.len() as u64
    }

    /// Labels of the hops from `first` on, settled ones and then those that may change.
    fn all(&self) -> impl Iterator<Item = u8> {
        self.labels.iter().copied().chain(self.clusters.tentative())
    }

    /// Who speaks from `start` to `end`: the one who does for most of it, or else just before. `None` when nobody
    /// was heard there.
    pub fn speaker(&self, start: Duration, end: Duration) -> Option<u8> {
        let (from, to) = (self.hop_at(start), self.hop_at(end).max(self.hop_at(start)));
        let skip = from.saturating_sub(REACH).max(self.first) - self.first;
        let mut time = [Duration::ZERO; SpeakerConfig::MOST];
        let mut before = None;
        for (hop, label) in (self.first + skip..=to).zip(self.all().skip(skip as usize)) {
            let Some(total) = time.get_mut(usize::from(label)) else { continue };
            if hop < from {
                before = Some(label);
            } else {
                let (begin, finish) = (self.time_of(hop).max(start), self.time_of(hop + 1).min(end));
                *total += finish.saturating_sub(begin) + Duration::from_nanos(1);
            }
        }
        let longest = (0..time.len()).rev().max_by_key(|&label| time[label])?;
        if time[longest] > Duration::ZERO {
            return Some(longest as u8);
        }
        // Not judged yet, or too soft: whoever spoke before goes on.
        before.or_else(|| self.clusters.last().filter(|_| from >= self.settled()))
    }

    /// The settled label of a hop; `None` when nobody speaks. The outer one is `None` while it may change.
    pub fn settled_label(&self, hop: u64) -> Option<Option<u8>> {
        let place = usize::try_from(hop.checked_sub(self.first)?).ok()?;
        self.labels.get(place).map(|&label| Some(label).filter(|&label| label != SILENCE))
    }

    fn hop_at(&self, time: Duration) -> u64 {
        u64::try_from(time.as_nanos() / self.hop.as_nanos().max(1)).unwrap_or(u64::MAX)
    }

    /// Where a hop starts.
    pub fn time_of(&self, hop: u64) -> Duration {
        let nanos = self.hop.as_nanos() * u128::from(hop);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Drops labels of what ended before `time`: no word of it will be asked for.
    pub fn forget_before(&mut self, time: Duration) {
        let keep_from = self.hop_at(time).saturating_sub(REACH);
        while self.first < keep_from && self.labels.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// Starts at frame zero of a stretch of audio behind a break. Voices stay known.
    pub fn restart(&mut self) {
        self.state.reset();
        self.stacked.clear();
        self.current.clear();
        self.steps = 0;
        self.heard = 0;
        self.judged = 0;
        self.clusters.restart();
        self.labels.clear();
        self.first = 0;
    }

    /// Starts a new stream of other people.
    pub fn reset(&mut self) {
        self.restart();
        self.clusters.forget();
    }
}
