//! Events and transcripts in C's terms.

use std::{ffi::c_char, time::Duration};

use linnet::{
    Event, Hypothesis, Slot, Word,
    live::{LiveEvent, State},
};

use crate::memory::AbiStruct;

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum linnet_event_kind_t {
    /// Nothing happened: no event is left until the next push.
    LINNET_EVENT_NONE = 0,
    /// The first word of an utterance was recognized. `start_ms` is where it starts.
    LINNET_EVENT_SPEECH_STARTED = 1,
    /// The words of the running utterance so far. The first `confirmed` of them don't change any more. Without words it
    /// takes back those told before: they were noise, and no final comes.
    LINNET_EVENT_INTERIM = 2,
    /// The words of a finished utterance.
    LINNET_EVENT_FINAL = 3,
    /// The utterance is over. `end_ms` is the end of its last word.
    LINNET_EVENT_UTTERANCE_END = 4,
    /// Audio between `start_ms` and `end_ms` was lost before it reached the recognizer.
    LINNET_EVENT_GAP = 5,
    /// The state of a live session has changed to `state`.
    LINNET_EVENT_STATE = 6,
    /// The microphone of a live session was lost or can't be opened; `text` says why and what to do. It is tried again
    /// `end_ms` - `start_ms` milliseconds later.
    LINNET_EVENT_TROUBLE = 7,
    /// The microphone has been delivering one and the same value since `start_ms`: it is muted, not plugged in, or
    /// broken.
    LINNET_EVENT_DEAD_MICROPHONE = 8,
    /// A microphone that was dead delivers sound again since `start_ms`.
    LINNET_EVENT_MICROPHONE_ALIVE = 9,
    /// `text` tells something that whoever runs the machine may want to know.
    LINNET_EVENT_NOTICE = 10,
}

/// The state of a live session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum linnet_state_t {
    /// There is no session: the event is of a stream.
    LINNET_STATE_NONE = 0,
    /// No audio has come yet.
    LINNET_STATE_CONNECTING = 1,
    /// Audio is coming in.
    LINNET_STATE_LIVE = 2,
    /// The microphone was lost; it is tried again until it is back.
    LINNET_STATE_RECONNECTING = 3,
    /// The session is over.
    LINNET_STATE_STOPPED = 4,
}

impl From<State> for linnet_state_t {
    fn from(state: State) -> Self {
        match state {
            State::Connecting => LINNET_STATE_CONNECTING,
            State::Live => LINNET_STATE_LIVE,
            State::Reconnecting => LINNET_STATE_RECONNECTING,
            State::Stopped => LINNET_STATE_STOPPED,
        }
    }
}

/// One word of an event. Its layout stays as it is for an ABI version.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_word_t {
    /// UTF-8, zero-terminated. Borrowed as the event is.
    pub text: *const c_char,
    /// Bytes of `text` without the zero.
    pub text_len: usize,
    /// Where it starts in the stream.
    pub start_ms: u64,
    /// Where it ends in the stream.
    pub end_ms: u64,
    /// Probability that the word is right, 0 to 1.
    pub confidence: f32,
    /// Who says it, as a number from 1; 0 where the stream does not tell speakers apart (`speakers` of
    /// linnet_stream_config_t), or can't yet. It may change until the event's `end_ms` is 2 s behind the word, and not
    /// any more then, nor in a final. Of a written word: who says the first of the words that it stands for.
    pub speaker: u32,
}

/// A slot of a grammar that an utterance filled. Its layout stays as it is for an ABI version.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_slot_t {
    /// Name of the slot: UTF-8, zero-terminated. Borrowed as the event is.
    pub name: *const c_char,
    /// Value of its tag in the grammar, or the words that were said: UTF-8, zero-terminated. Borrowed as the event is.
    pub value: *const c_char,
    /// Where it starts in the stream.
    pub start_ms: u64,
    /// Where it ends in the stream.
    pub end_ms: u64,
    /// How sure the value is among all readings in the grammar, 0 to 1.
    pub confidence: f32,
    /// Zero.
    pub reserved: u32,
}

/// Another hypothesis of a finished utterance. Its layout stays as it is for an ABI version.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_alternative_t {
    /// Its words: UTF-8, zero-terminated. Borrowed as the event is.
    pub text: *const c_char,
    /// Bytes of `text` without the zero.
    pub text_len: usize,
    /// Logarithm of its probability relative to the others.
    pub score: f32,
    /// Zero.
    pub reserved: u32,
}

/// Something that happened in a stream, or a transcript. Set `size` before the call that fills it.
///
/// Times are positions in the stream's audio, zero at its first sample. `text` and `words` are borrowed: for how long
/// says the function that fills the event.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct linnet_event_t {
    /// sizeof(linnet_event_t).
    pub size: usize,
    /// What the event tells.
    pub kind: linnet_event_kind_t,
    /// Mean confidence of the words, 0 to 1; 0 where there are none.
    pub confidence: f32,
    /// Number of this hypothesis among all interims and finals of the stream, from 1; 0 in other events.
    pub sequence: u64,
    /// Of a hypothesis: where the utterance starts. Of other events: see their kind.
    pub start_ms: u64,
    /// Of a hypothesis: up to where audio was taken into account. Of other events: see their kind.
    pub end_ms: u64,
    /// The words, separated by single spaces. UTF-8, zero-terminated, never null.
    pub text: *const c_char,
    /// Bytes of `text` without the zero.
    pub text_len: usize,
    /// The words with times and confidences; null where there are none.
    pub words: *const linnet_word_t,
    /// Number of `words`.
    pub words_len: usize,
    /// How many leading words will not change any more in this utterance: all of them in a final.
    pub confirmed: usize,
    /// Of a final: whether a pause ended the utterance, and not a limit or a request.
    pub speech_final: bool,
    /// Of a final: whether linnet_stream_finalize or linnet_stream_finish made it.
    pub from_finalize: bool,
    /// Of LINNET_EVENT_STATE: the new state; LINNET_STATE_NONE in all others.
    pub state: linnet_state_t,
    /// The words as the stream's format writes them, "twenty five" as 25; the same as `text` where there is no format.
    /// UTF-8, zero-terminated, never null.
    pub written: *const c_char,
    /// Bytes of `written` without the zero.
    pub written_len: usize,
    /// The written words with times and confidences, of which one may stand for several of `words` and hold spaces; null
    /// where there are none.
    pub written_words: *const linnet_word_t,
    /// Number of `written_words`.
    pub written_words_len: usize,
    /// Of a final of a stream with a grammar: the name of the public rule that was said. Null where nothing fits, and
    /// where there is no grammar. UTF-8, zero-terminated.
    pub intent: *const c_char,
    /// The slots that were filled, in the order of the words; null where there are none.
    pub slots: *const linnet_slot_t,
    /// Number of `slots`.
    pub slots_len: usize,
    /// Hypotheses of the whole utterance, what the final says first and then the likeliest, as many as the stream asks for; null
    /// where there are none.
    pub alternatives: *const linnet_alternative_t,
    /// Number of `alternatives`.
    pub alternatives_len: usize,
    /// Of a final of a stream with a grammar: how much better the grammar explains the utterance than free speech does,
    /// logarithm of a ratio of probabilities for each token. Near 0 when it fits, far below when not.
    pub margin: f32,
    /// Whether a grammar was there to interpret the utterance: `margin` and `accepted` mean something.
    pub interpreted: bool,
    /// Whether the utterance counts as said in the grammar. When not, the words are those of free speech, and intent and
    /// slots are the best guess: ask again.
    pub accepted: bool,
}

// SAFETY: `repr(C)`, size first.
unsafe impl AbiStruct for linnet_event_t {
    const NAME: &'static str = "linnet_event_t";
    const FIRST_SIZE: usize = size_of::<Self>();
}

use linnet_event_kind_t::*;
use linnet_state_t::*;

impl linnet_event_t {
    fn new(kind: linnet_event_kind_t, start: Duration, end: Duration) -> Self {
        Self {
            size: size_of::<Self>(),
            kind,
            confidence: 0.0,
            sequence: 0,
            start_ms: ms(start),
            end_ms: ms(end),
            text: c"".as_ptr(),
            text_len: 0,
            words: std::ptr::null(),
            words_len: 0,
            confirmed: 0,
            speech_final: false,
            from_finalize: false,
            state: LINNET_STATE_NONE,
            written: c"".as_ptr(),
            written_len: 0,
            written_words: std::ptr::null(),
            written_words_len: 0,
            intent: std::ptr::null(),
            slots: std::ptr::null(),
            slots_len: 0,
            alternatives: std::ptr::null(),
            alternatives_len: 0,
            margin: 0.0,
            interpreted: false,
            accepted: false,
        }
    }

    /// No event.
    pub(crate) fn none() -> Self {
        Self::new(LINNET_EVENT_NONE, Duration::ZERO, Duration::ZERO)
    }
}

pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What an event lends to the host. Storage is reused: once it has grown, filling allocates nothing.
#[derive(Default)]
pub(crate) struct Lent {
    /// All strings in the order of `each_text`, each with a zero at its end.
    bytes: Vec<u8>,
    words: Vec<linnet_word_t>,
    written: Vec<linnet_word_t>,
    slots: Vec<linnet_slot_t>,
    alternatives: Vec<linnet_alternative_t>,
}

// SAFETY: the pointers in the structs are into `bytes`, which goes along; all are only changed through `&mut`.
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

impl Lent {
    /// An event of the engine in C's terms, until the next call. `None` for one that the header does not have.
    pub fn event(&mut self, event: Event<'_>) -> Option<linnet_event_t> {
        Some(match event {
            Event::SpeechStarted { at } => linnet_event_t::new(LINNET_EVENT_SPEECH_STARTED, at, at),
            Event::Interim(hypothesis) => self.hypothesis(LINNET_EVENT_INTERIM, hypothesis),
            Event::Final(hypothesis) => self.hypothesis(LINNET_EVENT_FINAL, hypothesis),
            Event::UtteranceEnd { last_word_end } => {
                linnet_event_t::new(LINNET_EVENT_UTTERANCE_END, last_word_end, last_word_end)
            }
            Event::Gap { at, length } => linnet_event_t::new(LINNET_EVENT_GAP, at, at.saturating_add(length)),
            _ => return None,
        })
    }

    /// An event of a live session in C's terms, until the next call. `None` for one that the header does not have.
    pub fn live_event(&mut self, event: LiveEvent<'_>) -> Option<linnet_event_t> {
        let at = |kind, at| linnet_event_t::new(kind, at, at);
        Some(match event {
            LiveEvent::Heard(event) => return self.event(event),
            LiveEvent::State(state) => linnet_event_t { state: state.into(), ..at(LINNET_EVENT_STATE, Duration::ZERO) },
            LiveEvent::Trouble { error, retry_in } => {
                let event = linnet_event_t::new(LINNET_EVENT_TROUBLE, Duration::ZERO, retry_in);
                self.message(event, &error.to_string())
            }
            LiveEvent::DeadMicrophone { since } => at(LINNET_EVENT_DEAD_MICROPHONE, since),
            LiveEvent::MicrophoneAlive { at: since } => at(LINNET_EVENT_MICROPHONE_ALIVE, since),
            LiveEvent::Notice(notice) => {
                let event = at(LINNET_EVENT_NOTICE, Duration::ZERO);
                self.message(event, &notice.to_string())
            }
            _ => return None,
        })
    }

    fn message(&mut self, event: linnet_event_t, text: &str) -> linnet_event_t {
        self.bytes.clear();
        push(&mut self.bytes, text);
        linnet_event_t { text: self.bytes.as_ptr().cast(), text_len: text.len(), ..event }
    }

    /// A hypothesis as an event of this kind, until the next call.
    pub fn hypothesis(&mut self, kind: linnet_event_kind_t, hypothesis: &Hypothesis) -> linnet_event_t {
        self.bytes.clear();
        each_text(hypothesis, |text| push(&mut self.bytes, text));
        // All bytes are in place: they don't move any more, and can be pointed to.
        let mut strings = Strings { next: self.bytes.as_ptr() };
        let (text, text_len) = strings.take(hypothesis.text());
        fill(&mut self.words, hypothesis.words(), |said| word(strings.take(hypothesis.word_text(said)), said));
        let mut event = linnet_event_t {
            confidence: hypothesis.confidence(),
            sequence: hypothesis.sequence(),
            text,
            text_len,
            words: pointer(&self.words),
            words_len: self.words.len(),
            confirmed: hypothesis.confirmed(),
            speech_final: hypothesis.speech_final(),
            from_finalize: hypothesis.from_finalize(),
            written: text,
            written_len: text_len,
            written_words: pointer(&self.words),
            written_words_len: self.words.len(),
            ..linnet_event_t::new(kind, hypothesis.start(), hypothesis.end())
        };
        if let Some(written) = hypothesis.written() {
            (event.written, event.written_len) = strings.take(written.text());
            fill(&mut self.written, written.words(), |said| {
                let speaker = hypothesis.words().get(said.source.start).map_or(0, speaker);
                let (text, text_len) = strings.take(written.word_text(said));
                let (start_ms, end_ms) = (ms(said.start), ms(said.end));
                linnet_word_t { text, text_len, start_ms, end_ms, confidence: said.confidence, speaker }
            });
            event.written_words = pointer(&self.written);
            event.written_words_len = self.written.len();
        }
        if let Some(meaning) = hypothesis.interpretation() {
            event.interpreted = true;
            event.accepted = meaning.accepted;
            event.margin = meaning.margin;
            event.intent = meaning.intent.as_deref().map_or(std::ptr::null(), |intent| strings.take(intent).0);
            fill(&mut self.slots, &meaning.slots, |Slot { name, value, start, end, confidence, .. }| linnet_slot_t {
                name: strings.take(name).0,
                value: strings.take(value).0,
                start_ms: ms(*start),
                end_ms: ms(*end),
                confidence: *confidence,
                reserved: 0,
            });
            event.slots = pointer(&self.slots);
            event.slots_len = self.slots.len();
        }
        fill(&mut self.alternatives, hypothesis.alternatives(), |alternative| {
            let (text, text_len) = strings.take(&alternative.text);
            linnet_alternative_t { text, text_len, score: alternative.score, reserved: 0 }
        });
        event.alternatives = pointer(&self.alternatives);
        event.alternatives_len = self.alternatives.len();
        event
    }
}

/// A word that was said.
fn word((text, text_len): (*const c_char, usize), said: &Word) -> linnet_word_t {
    let (start_ms, end_ms) = (ms(said.start), ms(said.end));
    linnet_word_t { text, text_len, start_ms, end_ms, confidence: said.confidence, speaker: speaker(said) }
}

/// Who says a word, from 1; 0 where that is not known.
fn speaker(said: &Word) -> u32 {
    said.speaker.map_or(0, |speaker| u32::from(speaker) + 1)
}

/// The strings of a hypothesis, in the order in which [`Lent::hypothesis`] takes them.
fn each_text(hypothesis: &Hypothesis, mut each: impl FnMut(&str)) {
    each(hypothesis.text());
    hypothesis.words().iter().for_each(|word| each(hypothesis.word_text(word)));
    if let Some(written) = hypothesis.written() {
        each(written.text());
        written.words().iter().for_each(|word| each(written.word_text(word)));
    }
    if let Some(meaning) = hypothesis.interpretation() {
        meaning.intent.iter().for_each(|intent| each(intent));
        for slot in &meaning.slots {
            each(&slot.name);
            each(&slot.value);
        }
    }
    hypothesis.alternatives().iter().for_each(|alternative| each(&alternative.text));
}

/// Where the strings lie that were pushed, one after the other.
struct Strings {
    next: *const u8,
}

impl Strings {
    /// The next string and its bytes: `text` as it was pushed.
    fn take(&mut self, text: &str) -> (*const c_char, usize) {
        let here = self.next;
        self.next = here.wrapping_add(text.len() + 1);
        (here.cast(), text.len())
    }
}

fn fill<T, S>(to: &mut Vec<T>, from: &[S], convert: impl FnMut(&S) -> T) {
    to.clear();
    to.extend(from.iter().map(convert));
}

/// Where a slice is; null where it has nothing.
fn pointer<T>(values: &[T]) -> *const T {
    if values.is_empty() { std::ptr::null() } else { values.as_ptr() }
}

/// Appends a string that ends with a zero. One inside the text, which only a strange vocabulary has, becomes a space.
fn push(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.bytes().map(|byte| if byte == 0 { b' ' } else { byte }));
    bytes.push(0);
}
