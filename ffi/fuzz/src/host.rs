//! What the targets share: a model of a few kilobytes, and checks of what the library hands out.

use std::{ffi::CStr, sync::OnceLock};

use linnet::{
    LanguageModel,
    model::{
        checkpoint::Checkpoint,
        config::{
            Activation, EncoderConfig, EndpointConfig, FeatureConfig, JoinerConfig, LanguageNetworkConfig, ModelConfig,
            PredictorConfig, SpeakerNetworkConfig,
        },
        pack::pack,
        tokens::Tokens,
    },
};
use linnet_ffi::{linnet_event_kind_t::*, linnet_status_t::*, *};

/// The n-grams of that model.
const NGRAMS: &[u8] = "\\data\\\n\\1-grams:\n-99\t<s>\t-0.3\n-1\t</s>\n-0.7\t▁a\t-0.2\n-0.8\tc\t-0.1\n-0.9\te\n\\2-grams:\n-0.2\t<s> ▁a\n\
    -0.3\t▁a c\t-0.1\n-0.5\tc e\n\\3-grams:\n-0.1\t▁a c </s>\n\\end\\\n"
    .as_bytes();

/// A packed model, small enough for thousands of streams a second.
pub fn model() -> &'static [u8] {
    static MODEL: OnceLock<Vec<u8>> = OnceLock::new();
    MODEL.get_or_init(|| {
        let pieces = ["<unk>", "▁a", "▁b", "c", "d", "e", "▁", "<0xC3>", "<0xA9>", "▁one", "0", "."];
        let config = ModelConfig {
            name: "tiny".into(),
            language: "en".into(),
            features: FeatureConfig {
                sample_rate_hz: 16_000,
                fft: 256,
                window: 240,
                hop: 160,
                mel_bins: 16,
                low_hz: 0.0,
                high_hz: 8000.0,
                preemphasis: 0.97,
            },
            encoder: EncoderConfig {
                mel_bins: 16,
                d_model: 16,
                layers: 1,
                heads: 2,
                d_ff: 20,
                conv_kernel: 3,
                subsampling_channels: 4,
                subsampling: 8,
                xscaling: true,
                left_context: 4,
                look_aheads: vec![0, 1, 3],
                default_look_ahead: 1,
            },
            predictor: PredictorConfig { hidden: 8, layers: 1 },
            joiner: JoinerConfig { hidden: 8, activation: Activation::Relu },
            vocab_size: pieces.len(),
            endpoint: Some(EndpointConfig { stack: 4, width: 6, hidden: 5, floor_rise: 0.1 }),
            speaker: Some(SpeakerNetworkConfig {
                stack: 4,
                width: 4,
                blocks: 1,
                embedding: 4,
                threshold: 0.4,
                switch: 0.1,
                merge: 0.7,
            }),
            confidence: None,
            language_model: None,
            language_network: Some(LanguageNetworkConfig { embedding: 3, hidden: 6, weight: 0.2 }),
        };
        let mut checkpoint = Checkpoint::random(&config, 1).expect("the configuration is sound");
        checkpoint.tokens = Tokens::new(pieces).expect("the pieces are sound");
        let ngrams =
            LanguageModel::read(NGRAMS, &checkpoint.tokens).expect("the n-grams are sound").with_internal_weight(0.2);
        checkpoint.attach_ngrams(ngrams.to_ngrams()).expect("the tokens are the same");
        pack(&checkpoint).expect("the checkpoint is complete")
    })
}

/// The engine that the targets share.
pub fn engine() -> linnet_engine_t {
    static ENGINE: OnceLock<linnet_engine_t> = OnceLock::new();
    *ENGINE.get_or_init(|| open(model()).expect("the model is sound"))
}

/// A quarter of a second of a tone at 16 kHz.
pub fn tone() -> &'static [i16; 4000] {
    static TONE: OnceLock<[i16; 4000]> = OnceLock::new();
    TONE.get_or_init(|| std::array::from_fn(|i| ((i as f32 * 0.1).sin() * 9000.0) as i16))
}

/// Opens a model in memory; the status where it is none.
pub fn open(bytes: &[u8]) -> Result<linnet_engine_t, linnet_status_t> {
    let mut engine = 1;
    // SAFETY: the length is that of the bytes, and the handle can be written.
    let status = unsafe { linnet_engine_open_memory(bytes.as_ptr(), bytes.len(), &mut engine) };
    assert_eq!(status == LINNET_OK, engine != 0, "{status:?} with the handle {engine:#x}");
    if status == LINNET_OK { Ok(engine) } else { Err(status) }
}

/// No input may find a defect.
pub fn sound(status: linnet_status_t) -> linnet_status_t {
    if status == LINNET_ERROR_INTERNAL {
        // SAFETY: the message ends with a zero, and is this thread's.
        panic!("{}", unsafe { CStr::from_ptr(linnet_last_error()) }.to_string_lossy());
    }
    status
}

/// An event of nothing, as a host sets it up.
pub fn blank_event() -> linnet_event_t {
    // SAFETY: zeros are an event of kind "none" with null pointers.
    let mut event: linnet_event_t = unsafe { std::mem::zeroed() };
    event.size = size_of::<linnet_event_t>();
    event
}

/// Takes all events of a stream and reads whatever they point to.
pub fn drain(stream: linnet_stream_t) {
    let mut sequence = 0;
    loop {
        let mut event = blank_event();
        // SAFETY: it is a whole struct.
        assert_eq!(unsafe { linnet_stream_poll(stream, &mut event) }, LINNET_OK);
        if event.kind == LINNET_EVENT_NONE {
            return;
        }
        check_event(&event);
        if event.sequence != 0 {
            assert!(event.sequence > sequence, "events come in order");
            sequence = event.sequence;
        }
    }
}

/// Reads whatever an event points to, and checks what its fields promise of each other.
pub fn check_event(event: &linnet_event_t) {
    check_text(event.text, event.text_len);
    check_text(event.written, event.written_len);
    check_words(event.words, event.words_len);
    check_words(event.written_words, event.written_words_len);
    assert!(event.confirmed <= event.words_len && (0.0..=1.0).contains(&event.confidence));
    if !event.intent.is_null() {
        check_string(event.intent);
    }
    for slot in list(event.slots, event.slots_len) {
        check_string(slot.name);
        check_string(slot.value);
        assert!(slot.start_ms <= slot.end_ms && (0.0..=1.0001).contains(&slot.confidence), "{slot:?}");
    }
    for alternative in list(event.alternatives, event.alternatives_len) {
        check_text(alternative.text, alternative.text_len);
        assert!(!alternative.score.is_nan());
    }
}

fn check_words(words: *const linnet_word_t, len: usize) {
    for word in list(words, len) {
        check_text(word.text, word.text_len);
        assert!(word.start_ms <= word.end_ms && (0.0..=1.0).contains(&word.confidence), "{word:?}");
        assert!(word.speaker <= 16, "{word:?}");
    }
}

/// An array that the library lends, which is null where it is empty.
fn list<'a, T>(data: *const T, len: usize) -> &'a [T] {
    assert_eq!(data.is_null(), len == 0);
    // SAFETY: the library lends this many, until the next call with what it lent them from.
    if len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(data, len) } }
}

fn check_text(text: *const std::ffi::c_char, len: usize) {
    assert_eq!(check_string(text), len);
}

/// A string that the library lends is UTF-8; returns its length.
pub fn check_string(text: *const std::ffi::c_char) -> usize {
    assert!(!text.is_null());
    // SAFETY: strings of the library end with a zero.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().expect("strings are UTF-8").len()
}
