//! Events that wait for the host.

use std::{collections::VecDeque, time::Duration};

use super::Event;
use crate::transcript::{
    Assembler, Hypothesis,
    format::{FormatConfig, Formatter},
};

/// Events that wait for the host: all finals, and interims that take back what was told, in order, and the newest other
/// interim.
pub(super) struct Outbox {
    queue: VecDeque<Queued>,
    interim: Hypothesis,
    interim_waits: bool,
    /// Text may have changed after the last interim.
    interim_is_due: bool,
    /// The utterance has had an interim.
    interim_was_told: bool,
    /// Position at which the last interim was made.
    interim_at: Option<Duration>,
    sequence: u64,
    /// What `poll` lent out last.
    lent: Hypothesis,
    /// Writes words as the host wants them.
    formatter: Option<Formatter>,
    /// Storage for finals.
    spare: Vec<Hypothesis>,
}

enum Queued {
    SpeechStarted(Duration),
    Final(Hypothesis),
    /// An interim without words, which has its place before what comes after it.
    Withdrawn(Hypothesis),
    UtteranceEnd(Duration),
    Gap(Duration, Duration),
}

/// Finals whose storage is made in advance and reused.
const SPARE: usize = 4;

impl Outbox {
    pub(super) fn new(format: &FormatConfig) -> Self {
        Self {
            formatter: (!format.is_none()).then(|| Formatter::new(format.clone())),
            queue: VecDeque::with_capacity(16),
            interim: Hypothesis::roomy(),
            interim_waits: false,
            interim_is_due: false,
            interim_was_told: false,
            interim_at: None,
            sequence: 0,
            lent: Hypothesis::roomy(),
            spare: (0..SPARE).map(|_| Hypothesis::roomy()).collect(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.interim_waits = false;
        self.interim_is_due = false;
        self.interim_was_told = false;
        self.interim_at = None;
        self.sequence = 0;
        if let Some(formatter) = &mut self.formatter {
            formatter.reset();
        }
    }

    /// Changes how words are written from the next hypothesis on.
    pub(super) fn set_format(&mut self, format: &FormatConfig) {
        self.formatter = (!format.is_none()).then(|| Formatter::new(format.clone()));
    }

    pub(super) fn speech_started(&mut self, at: Duration) {
        self.queue.push_back(Queued::SpeechStarted(at));
    }

    pub(super) fn utterance_end(&mut self, last_word_end: Duration) {
        self.queue.push_back(Queued::UtteranceEnd(last_word_end));
    }

    pub(super) fn gap(&mut self, at: Duration, length: Duration) {
        self.queue.push_back(Queued::Gap(at, length));
    }

    /// Queues the first `words` words as a final. It replaces an interim that still waits.
    pub(super) fn final_of(&mut self, assembler: &mut Assembler, words: usize, set: impl FnOnce(&mut Hypothesis)) {
        let mut hypothesis = self.spare.pop().unwrap_or_else(Hypothesis::roomy);
        let storage = hypothesis.written.take();
        assembler.take_words(words, &mut hypothesis);
        self.sequence += 1;
        hypothesis.sequence = self.sequence;
        hypothesis.speech_final = false;
        hypothesis.from_finalize = false;
        set(&mut hypothesis);
        if let Some(formatter) = &mut self.formatter {
            let mut written = storage.unwrap_or_default();
            written.clone_from(formatter.final_(&hypothesis));
            hypothesis.written = Some(written);
        }
        self.queue.push_back(Queued::Final(hypothesis));
        self.interim_waits = false;
        self.interim_is_due = false;
        self.interim_was_told = false;
    }

    pub(super) fn interim_of(&mut self, assembler: &Assembler, changed: bool, interval: Duration) {
        let hypothesis = assembler.hypothesis();
        let told = &self.interim.words;
        let relabelled = told.len() == hypothesis.words.len()
            && told.iter().zip(&hypothesis.words).any(|(told, word)| told.speaker != word.speaker);
        self.interim_is_due |= changed || relabelled;
        let early = self.interim_at.is_some_and(|last| hypothesis.end() < last + interval);
        if !self.interim_is_due || assembler.is_empty() || early {
            return;
        }
        if self.interim_was_told && self.interim.text() == hypothesis.text() {
            // The same words cut into other pieces, or a change taken back before it was told.
            self.interim_is_due = false;
            return;
        }
        self.interim_was_told = true;
        self.sequence += 1;
        let storage = self.interim.written.take();
        self.interim.clone_from(hypothesis);
        self.interim.sequence = self.sequence;
        if let Some(formatter) = &mut self.formatter {
            let mut written = storage.unwrap_or_default();
            written.clone_from(formatter.interim(&self.interim));
            self.interim.written = Some(written);
        }
        self.interim_waits = true;
        self.interim_is_due = false;
        self.interim_at = Some(hypothesis.end());
    }

    /// The utterance turned out to be none: where an interim told of it, an empty one takes it back.
    pub(super) fn withdraw(&mut self) {
        self.interim_is_due = false;
        if !std::mem::take(&mut self.interim_was_told) {
            return;
        }
        self.sequence += 1;
        let mut hypothesis = self.spare.pop().unwrap_or_else(Hypothesis::roomy);
        hypothesis.clone_from(&self.interim);
        hypothesis.clear();
        hypothesis.sequence = self.sequence;
        if let (Some(formatter), Some(written)) = (&mut self.formatter, &mut hypothesis.written) {
            let mut text = std::mem::take(written);
            hypothesis.written = None;
            text.clone_from(formatter.interim(&hypothesis));
            hypothesis.written = Some(text);
        }
        self.queue.push_back(Queued::Withdrawn(hypothesis));
        self.interim_waits = false;
    }

    /// What the host holds of this event; the storage of the last one is kept for another.
    fn lend(&mut self, hypothesis: Hypothesis) -> &Hypothesis {
        let old = std::mem::replace(&mut self.lent, hypothesis);
        if self.spare.len() < SPARE {
            self.spare.push(old);
        }
        &self.lent
    }

    pub(super) fn poll(&mut self) -> Option<Event<'_>> {
        match self.queue.pop_front() {
            Some(Queued::SpeechStarted(at)) => Some(Event::SpeechStarted { at }),
            Some(Queued::UtteranceEnd(last_word_end)) => Some(Event::UtteranceEnd { last_word_end }),
            Some(Queued::Gap(at, length)) => Some(Event::Gap { at, length }),
            Some(Queued::Final(hypothesis)) => Some(Event::Final(self.lend(hypothesis))),
            Some(Queued::Withdrawn(hypothesis)) => Some(Event::Interim(self.lend(hypothesis))),
            None if self.interim_waits => {
                self.interim_waits = false;
                Some(Event::Interim(&self.interim))
            }
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        decode::{Decoded, Token},
        model::tokens::Tokens,
    };

    #[test]
    fn a_word_that_was_told_is_taken_back_once() {
        let tokens = Tokens::new(["<unk>", "▁two"]).unwrap();
        let mut assembler = Assembler::new(Duration::from_millis(80), None);
        let mut decoded = Decoded::with_capacity(1);
        decoded.confirmed.push(Token { id: 1, frame: 5, probability: 0.9, agreement: 1.0 });
        let mut outbox = Outbox::new(&FormatConfig::default());
        outbox.withdraw();
        assert!(outbox.poll().is_none(), "nothing was told");
        assembler.update(&decoded, Duration::ZERO, &tokens);
        outbox.interim_of(&assembler, true, Duration::ZERO);
        let mut told = Vec::new();
        for _ in 0..3 {
            if let Some(Event::Interim(hypothesis)) = outbox.poll() {
                told.push((hypothesis.text().to_owned(), hypothesis.words().len(), hypothesis.sequence()));
            }
            outbox.withdraw();
        }
        assert_eq!(told, [("two".into(), 1, 1), (String::new(), 0, 2)]);
        // What comes later is told later.
        outbox.interim_of(&assembler, true, Duration::ZERO);
        outbox.withdraw();
        outbox.gap(Duration::from_secs(1), Duration::from_secs(2));
        assert!(matches!(outbox.poll(), Some(Event::Interim(hypothesis)) if hypothesis.words().is_empty()));
        assert!(matches!(outbox.poll(), Some(Event::Gap { .. })) && outbox.poll().is_none());
    }
}
