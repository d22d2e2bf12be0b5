//! What a stream does about what it hears: opens and closes the gate in front of the encoder, and ends utterances.

use std::time::Duration;

use super::{Error, Stream, ending::Ending};

/// Speech that must have been decoded beyond its end before silence ends an utterance of an encoder that can't be
/// flushed: tokens come when their sound has passed.
const EMISSION: Duration = Duration::from_millis(160);

/// Audio in which words may still be found.
const UNHEARD: Duration = Duration::from_secs(30);

/// Audio around words in which speech is looked for: their times are good to some encoder frames.
const BEFORE_WORDS: Duration = Duration::from_millis(500);
const BEHIND_WORDS: Duration = Duration::from_millis(120);

/// What the log-odds of speech count for beside those of the words.
const SPEECH_WEIGHT: f32 = 0.5;
/// Sum of both from which words are believed. Chosen such that words said alone are hardly ever lost.
const BELIEVED: f32 = 0.7;

/// Whether words are more likely those of noise than said: `speech` is the probability that somebody spoke where they
/// were heard, `right` the share of them that is expected to be right. (Noise makes long texts of unsure words; the first of
/// them is often sure, so that the surest is no measure.)
fn are_noise(speech: f32, right: f32) -> bool {
    let log_odds = |p: f32| (p.max(1e-3) / (1.0 - p).max(1e-3)).ln();
    log_odds(right) + SPEECH_WEIGHT * log_odds(speech) < BELIEVED
}

impl Stream {
    /// Takes log-mel frames that complete this many steps of the endpointing network. Frames go to the encoder in
    /// their order with the decisions between them, so that any split of the audio gives the same.
    pub(super) fn take_steps(&mut self, mel: &[f32], steps: usize) -> Result<(), Error> {
        let mut rest = mel;
        for step in 0..steps {
            let run = self.endpointer.as_ref().map_or(0, |endpointer| endpointer.run(step));
            let (run, after) = rest.split_at(run);
            rest = after;
            self.forward(run)?;
            self.decide(step)?;
        }
        self.forward(rest)
    }

    /// Passes log-mel frames on. What is known of the speakers at each of them does not depend on how they come in.
    fn forward(&mut self, mut mel: &[f32]) -> Result<(), Error> {
        while let Some(tracker) = &mut self.speakers {
            let (run, rest) = mel.split_at(tracker.missing().min(mel.len()));
            tracker.push(run);
            if self.assembler.is_empty() {
                // Words to come are not older than this.
                let idle = self.timeline.now().saturating_sub(self.timeline.base + UNHEARD);
                tracker.forget_before(idle);
            }
            self.pass_gate(run)?;
            mel = rest;
            if mel.is_empty() {
                return Ok(());
            }
        }
        self.pass_gate(mel)
    }

    /// Passes log-mel frames through the gate.
    fn pass_gate(&mut self, mel: &[f32]) -> Result<(), Error> {
        if let Some(gate) = self.endpointer.as_mut().and_then(|endpointer| endpointer.gate.as_mut()) {
            gate.push(mel);
            if !gate.is_open() {
                return Ok(());
            }
        }
        self.encode(mel)
    }

    /// Acts on a step of the endpointing network.
    fn decide(&mut self, step: usize) -> Result<(), Error> {
        let Some(endpointer) = &mut self.endpointer else { return Ok(()) };
        let (scores, started) = endpointer.take(step);
        let opens = endpointer.should_open(scores);
        if let Some(at) = started
            && !self.begun
        {
            self.begun = true;
            self.outbox.speech_started(self.timeline.at(at));
        }
        if opens {
            self.open_gate()?;
        }
        if self.has_gate() {
            return self.decide_behind_gate(scores.end);
        }
        self.decide_by_progress(scores.end);
        Ok(())
    }

    fn has_gate(&self) -> bool {
        self.endpointer.as_ref().is_some_and(|endpointer| endpointer.gate.is_some())
    }

    /// Closing the gate brings out every word, so that the last one is known when the end is decided.
    fn decide_behind_gate(&mut self, end: f32) -> Result<(), Error> {
        let pause = self.pause(end);
        if self.endpointer.as_ref().is_some_and(|endpointer| endpointer.should_close(pause)) {
            self.close_gate()?;
        }
        let pause = self.pause(end);
        let Some(endpointer) = &mut self.endpointer else { return Ok(()) };
        if !endpointer.is_closed() {
            return Ok(());
        }
        if self.assembler.is_empty() {
            // What was taken for speech was none, or none that could be understood.
            endpointer.activity.end_utterance();
            self.begun = false;
            return Ok(());
        }
        let (silence, now) = (endpointer.silence(), self.timeline.at(endpointer.now()));
        let silent = pause.is_some_and(|pause| silence >= pause);
        let gap = self.config.utterance_end;
        if silent || gap.is_some_and(|gap| now >= self.assembler.last_word_end().saturating_add(gap)) {
            self.end_utterance(silent);
        }
        Ok(())
    }

    /// Without a gate the encoder runs on, and the words of the last speech come in their time.
    fn decide_by_progress(&mut self, end: f32) {
        let Some(endpointer) = &self.endpointer else { return };
        let silent = self.pause(end).is_some_and(|pause| endpointer.silence() >= pause);
        let decoded = self.timeline.at_frame(self.search.frames());
        if silent && !self.assembler.is_empty() && decoded >= self.timeline.at(endpointer.voiced_until()) + EMISSION {
            self.end_utterance(true);
        }
    }

    /// Silence that would end the utterance now.
    fn pause(&self, end: f32) -> Option<Duration> {
        let english = self.engine.info().language.starts_with("en");
        let hypothesis = self.assembler.hypothesis();
        let last = hypothesis.words().last().filter(|_| english).map(|word| hypothesis.word_text(word));
        self.config.policy().pause(end, last)
    }

    /// Whether the gap behind the last word ends the utterance, and if so, whether as silence does: without an
    /// endpointing network it is all that is known of silence.
    pub(super) fn word_gap_ended_utterance(&self) -> Option<bool> {
        // What a closing gate brings out is decided on when it is all there.
        let closed = self.endpointer.as_ref().is_some_and(|endpointer| endpointer.is_closed());
        if closed || self.assembler.is_empty() {
            return None;
        }
        let policy = self.config.policy();
        let gap = self.assembler.hypothesis().end().saturating_sub(self.assembler.last_word_end());
        let reached = |limit: Option<Duration>| limit.is_some_and(|limit| gap >= limit);
        if self.endpointer.is_none() && reached(policy.endpointing) {
            return Some(true);
        }
        reached(policy.word_gap()).then_some(false)
    }

    /// Takes words as the start of the utterance where nothing else tells it. Behind a gate voice activity must vouch
    /// for them: a knock that opened it may sound like a word.
    pub(super) fn begin_with_words(&mut self) {
        let heard = self.endpointer.as_ref().is_some_and(|endpointer| endpointer.activity.has_begun());
        if !self.begun
            && (heard || !self.has_gate())
            && let Some(word) = self.assembler.hypothesis().words().first()
        {
            self.begun = true;
            self.outbox.speech_started(word.start);
        }
    }

    /// Whether the words so far are unsure, and hardly anybody spoke where they were heard. A grammar judges for itself.
    pub(super) fn heard_noise(&self, ending: &Ending) -> bool {
        let words = self.assembler.hypothesis().words();
        let (Some(endpointer), Some(first), Some(last)) = (&self.endpointer, words.first(), words.last()) else {
            return false;
        };
        let since_base = |time: Duration| time.saturating_sub(self.timeline.base);
        let (start, end) = (since_base(first.start).saturating_sub(BEFORE_WORDS), since_base(last.end) + BEHIND_WORDS);
        let right = self.assembler.hypothesis().confidence();
        !ending.is_accepted() && endpointer.speech_within(start, end).is_some_and(|speech| are_noise(speech, right))
    }

    /// Makes the words so far the final of an utterance and begins the next one. Words of noise are dropped.
    pub(super) fn end_utterance(&mut self, speech_final: bool) {
        let ending = self.begun.then(|| self.end_search());
        if let Some(ending) = ending.filter(|ending| !self.heard_noise(ending)) {
            let last_word_end = self.assembler.last_word_end();
            self.settle_speakers(false);
            self.outbox.final_of(&mut self.assembler, usize::MAX, |f| {
                f.speech_final = speech_final;
                ending.write_to(f);
            });
            self.outbox.utterance_end(last_word_end);
        } else {
            self.outbox.withdraw();
            self.assembler.reset(self.assembler.hypothesis().end());
        }
        self.search.start_utterance(self.engine.head());
        if let Some(second) = &mut self.second {
            second.begin_utterance(&self.search, self.engine.head());
        }
        self.begun = false;
        if let Some(endpointer) = &mut self.endpointer {
            endpointer.activity.end_utterance();
        }
    }

    /// Starts the encoder afresh with the newest audio. The frames in between count as decoded: nothing was said.
    fn open_gate(&mut self) -> Result<(), Error> {
        let Some(gate) = self.endpointer.as_mut().and_then(|endpointer| endpointer.gate.as_mut()) else {
            return Ok(());
        };
        let mut pre_roll = std::mem::take(&mut self.buffers.pre_roll);
        let (first, pieces) = gate.open();
        pre_roll.clear();
        pieces.iter().for_each(|piece| pre_roll.extend_from_slice(piece));
        let frame = first / self.encoder.config().subsampling as u64;
        let skipped = frame.saturating_sub(self.search.frames());
        match &mut self.second {
            Some(second) => second.skip(skipped, &mut self.search, self.engine.head()),
            None => self.search.skip(skipped),
        }
        self.restart_encoders();
        let encoded = self.encode(&pre_roll);
        self.buffers.pre_roll = pre_roll;
        encoded
    }

    /// Recognizes all that the encoder was given and lets it rest.
    fn close_gate(&mut self) -> Result<(), Error> {
        if let Some(gate) = self.endpointer.as_mut().and_then(|endpointer| endpointer.gate.as_mut()) {
            gate.close();
        }
        let end = self.endpointer.as_ref().map_or(self.timeline.now(), |e| self.timeline.at(e.now()));
        self.flush(end)?;
        self.restart_encoders();
        Ok(())
    }

    /// Recognizes all audio to its last frame, also what waits behind the gate when it might be speech.
    pub(super) fn flush_all(&mut self) -> Result<(), Error> {
        if self.endpointer.as_ref().is_some_and(|endpointer| endpointer.is_in_doubt()) {
            self.open_gate()?;
        }
        if self.endpointer.as_ref().is_some_and(|endpointer| endpointer.is_closed()) {
            return Ok(());
        }
        self.flush(self.timeline.now())
    }
}

#[cfg(test)]
mod tests {
    use super::are_noise;

    #[test]
    fn unsure_words_without_speech_are_noise() {
        assert!(are_noise(0.1, 0.5) && are_noise(0.6, 0.5) && are_noise(0.9, 0.2));
        assert!(!are_noise(0.97, 0.5), "a short word that is heard as speech");
        assert!(!are_noise(0.3, 0.97), "sure words are believed");
        assert!(!are_noise(1.0, 1.0) && are_noise(0.0, 0.0), "log-odds are bounded");
    }
}
