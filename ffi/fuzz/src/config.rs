//! Structs of settings with any size and any bytes in them, and strings and arrays of any kind that they point to.
#![allow(clippy::single_range_in_vec_init, reason = "lists of places in a struct, of which some have one")]

use std::ffi::{CString, c_char};

use arbitrary::{Arbitrary, Unstructured};
use linnet_ffi::{linnet_status_t::*, *};

use super::host::{check_string, drain, engine, sound, tone};

#[derive(Arbitrary, Debug)]
enum Input {
    Stream { fields: Fields, format: Option<Fields> },
    Live(Fields),
    Policy { fields: Fields, preset: u32 },
    Format { fields: Fields, replacements: Vec<(Text, Text)>, len: u8 },
    Grammar { source: Text, config: Option<Fields> },
    Menu { rules: Vec<Rule>, reward: i8 },
    Hotwords { phrases: Vec<Phrase>, extra: u8 },
    Path(Text),
    LanguageModel { source: Text, config: Option<Fields> },
    Ngrams { lines: Vec<Vec<u8>> },
}

/// The bytes of a struct: what it says its size is, and what is in it.
#[derive(Arbitrary, Debug)]
struct Fields {
    size: Size,
    changes: Vec<(u8, u32)>,
}

#[derive(Arbitrary, Debug)]
enum Size {
    Right,
    Small(u8),
    Longer(u8),
    Any(usize),
}

/// A string as a host may have it: of any bytes.
type Text = Vec<u8>;

#[derive(Arbitrary, Debug)]
struct Phrase {
    text: Text,
    boost: f32,
    sounds_like: Vec<Text>,
}

#[derive(Arbitrary, Debug)]
struct Rule {
    public: bool,
    parts: Vec<u8>,
}

/// Bytes of the largest size that the library accepts for a struct: one more that is read is found by the sanitizer.
const ROOM: usize = 4096;

/// A struct in room for every size that the library accepts.
struct Room(Vec<u64>);

impl Room {
    /// The struct as its init function makes it, changed as the input says, but for the bytes that are `pointers`.
    fn new<T: Copy>(defaults: &T, fields: &Fields, pointers: &[std::ops::Range<usize>]) -> Self {
        let mut room = vec![0u64; ROOM / 8];
        let right = size_of::<T>();
        // SAFETY: the room has more bytes than any struct of the library, and is aligned as they are.
        unsafe { room.as_mut_ptr().cast::<T>().write(*defaults) };
        for &(at, value) in &fields.changes {
            let at = size_of::<usize>() + usize::from(at) * 4;
            if pointers.iter().any(|range| range.contains(&at)) {
                continue;
            }
            // SAFETY: at most 8 + 255 * 4 + 4 bytes into the room.
            unsafe { room.as_mut_ptr().byte_add(at).cast::<u32>().write(value) };
        }
        let size = match fields.size {
            Size::Right => right,
            Size::Small(size) => usize::from(size),
            Size::Longer(more) => right + usize::from(more),
            // Sizes that are accepted must be there to be read.
            Size::Any(size) => size,
        };
        // SAFETY: the size is the first field of every struct.
        unsafe { room.as_mut_ptr().cast::<usize>().write(size) };
        Self(room)
    }

    fn get<T>(&self) -> *const T {
        self.0.as_ptr().cast()
    }
}

fn string(bytes: &Text) -> CString {
    CString::new(bytes.iter().copied().filter(|&byte| byte != 0).collect::<Vec<_>>()).expect("without zeros")
}

pub fn run(data: &[u8]) {
    let mut source = Unstructured::new(data);
    let Ok(input) = Input::arbitrary(&mut source) else { return };
    match input {
        Input::Stream { fields, format } => stream(&fields, format.as_ref()),
        Input::Live(fields) => live(&fields),
        Input::Policy { fields, preset } => policy(&fields, preset),
        Input::Format { fields, replacements, len } => set_format(&fields, &replacements, len),
        Input::Grammar { source, config } => grammar(&string(&source), config.as_ref()),
        Input::Menu { rules, reward } => menu(&rules, reward),
        Input::Hotwords { phrases, extra } => hotwords(&phrases, extra),
        Input::LanguageModel { source, config } => language_model(&source, config.as_ref()),
        Input::Ngrams { lines } => ngrams(&lines),
        Input::Path(path) => {
            let (path, mut engine) = (string(&path), 1);
            // SAFETY: the path ends with a zero, and the handle can be written.
            let status = sound(unsafe { linnet_engine_open(path.as_ptr(), &mut engine) });
            assert_eq!(status == LINNET_OK, engine != 0);
            assert_eq!(linnet_engine_free(engine), LINNET_OK);
        }
    }
}

/// A struct as its init function fills it.
fn defaults<T: Copy>(init: unsafe extern "C" fn(*mut T) -> linnet_status_t) -> T {
    // SAFETY: zeros are structs of integers and null pointers; the first field is the size.
    unsafe {
        let mut value: T = std::mem::zeroed();
        (&raw mut value).cast::<usize>().write(size_of::<T>());
        assert_eq!(init(&mut value), LINNET_OK);
        value
    }
}

fn stream(fields: &Fields, format: Option<&Fields>) {
    let format = format.map(|fields| {
        let plain = defaults(linnet_format_config_init);
        Room::new(&plain, fields, &[std::mem::offset_of!(linnet_format_config_t, replacements)..4096])
    });
    let mut plain = defaults(linnet_stream_config_init);
    plain.format = format.as_ref().map_or(std::ptr::null(), Room::get);
    let pointer = std::mem::offset_of!(linnet_stream_config_t, format);
    let room = Room::new(&plain, fields, &[pointer..pointer + size_of::<usize>()]);
    let mut stream = 1;
    // SAFETY: every size that is accepted can be read, and what it points to is there; the handle can be written.
    let status = sound(unsafe { linnet_stream_new(engine(), room.get(), &mut stream) });
    assert_eq!(status == LINNET_OK, stream != 0);
    if stream != 0 {
        push(stream);
    }
    // A recording is another stream: for some inputs only, and mostly such as change little.
    if !fields.changes.len().is_multiple_of(4) {
        return;
    }
    let mut transcript = 1;
    // SAFETY: as above; there are no samples.
    let status =
        sound(unsafe { linnet_transcribe_i16(engine(), std::ptr::null(), 0, 16_000, 1, room.get(), &mut transcript) });
    assert_eq!(status == LINNET_OK, transcript != 0);
    assert_eq!(linnet_transcript_free(transcript), LINNET_OK);
}

/// A quarter of a second through a stream, which is freed.
fn push(stream: linnet_stream_t) {
    let samples = tone();
    // The configuration may ask for any number of channels; 64 of them have 62 frames here.
    // SAFETY: at most 64 channels are accepted by the engine.
    assert_eq!(sound(unsafe { linnet_stream_push_i16(stream, samples.as_ptr(), 62) }), LINNET_OK);
    drain(stream);
    assert_eq!(sound(linnet_stream_finish(stream)), LINNET_OK);
    drain(stream);
    assert_eq!(linnet_stream_free(stream), LINNET_OK);
}

/// A session: only such as are refused, or start and end at once.
fn live(fields: &Fields) {
    let mut plain = defaults(linnet_live_config_init);
    plain.realtime_priority = 0;
    // A session is two threads: most inputs must fail before they are started.
    if !fields.changes.iter().any(|&(at, value)| at == 0 && value > 1 || at == 1 && !(80..=600_000).contains(&value)) {
        plain.buffer_ms = 1;
    }
    let pointers = std::mem::offset_of!(linnet_live_config_t, device)
        ..std::mem::offset_of!(linnet_live_config_t, realtime_priority);
    let last = std::mem::offset_of!(linnet_live_config_t, on_event)..size_of::<linnet_live_config_t>();
    let room = Room::new(&plain, fields, &[pointers, last]);
    let mut live = 1;
    // SAFETY: every size that is accepted can be read; pointers are null; the handle can be written.
    let status = sound(unsafe { linnet_live_start(engine(), room.get(), &mut live) });
    assert_eq!(status == LINNET_OK, live != 0);
    assert_eq!(sound(linnet_live_free(live)), LINNET_OK);
}

fn policy(fields: &Fields, preset: u32) {
    // SAFETY: zeros are a struct of integers.
    let mut plain: linnet_policy_t = unsafe { std::mem::zeroed() };
    plain.size = size_of_val(&plain);
    // SAFETY: it is a whole struct.
    let status = unsafe { linnet_policy_init(&mut plain, preset) };
    assert_eq!(status == LINNET_OK, preset <= LINNET_PRESET_PHONE);
    let room = Room::new(&plain, fields, &[]);
    let mut stream = 0;
    // SAFETY: null stands for the defaults, and the handle can be written.
    assert_eq!(unsafe { linnet_stream_new(engine(), std::ptr::null(), &mut stream) }, LINNET_OK);
    // SAFETY: every size that is accepted can be read.
    let status = sound(unsafe { linnet_stream_set_policy(stream, room.get()) });
    if status == LINNET_OK {
        push(stream);
    } else {
        assert_eq!(linnet_stream_free(stream), LINNET_OK);
    }
}

fn set_format(fields: &Fields, replacements: &[(Text, Text)], len: u8) {
    let strings: Vec<_> = replacements.iter().map(|(said, written)| (string(said), string(written))).collect();
    let mut array: Vec<_> = strings
        .iter()
        .map(|(said, written)| linnet_replacement_t { said: said.as_ptr(), written: written.as_ptr() })
        .collect();
    if len > 250 {
        array.push(linnet_replacement_t { said: std::ptr::null(), written: std::ptr::without_provenance(7) });
    }
    let mut plain = defaults(linnet_format_config_init);
    plain.replacements = array.as_ptr();
    plain.replacements_len = array.len();
    let room = Room::new(&plain, fields, &[std::mem::offset_of!(linnet_format_config_t, replacements)..4096]);
    let mut stream = 0;
    // SAFETY: null stands for the defaults, and the handle can be written.
    assert_eq!(unsafe { linnet_stream_new(engine(), std::ptr::null(), &mut stream) }, LINNET_OK);
    // SAFETY: every size that is accepted can be read, and what it points to is there.
    let status = sound(unsafe { linnet_stream_set_format(stream, room.get()) });
    if status == LINNET_OK {
        push(stream);
    } else {
        assert_eq!(linnet_stream_free(stream), LINNET_OK);
    }
}

fn grammar(source: &CString, config: Option<&Fields>) {
    let room = config.map(|fields| Room::new(&defaults(linnet_grammar_config_init), fields, &[]));
    let (config, mut grammar) = (room.as_ref().map_or(std::ptr::null(), Room::get), 1);
    // SAFETY: the source ends with a zero, every size that is accepted can be read, and the handle can be written.
    let status = sound(unsafe { linnet_grammar_new(engine(), source.as_ptr(), config, &mut grammar) });
    assert_eq!(status == LINNET_OK, grammar != 0);
    if grammar != 0 {
        let mut stream = 0;
        // SAFETY: null stands for the defaults, and the handle can be written.
        assert_eq!(unsafe { linnet_stream_new(engine(), std::ptr::null(), &mut stream) }, LINNET_OK);
        assert_eq!(sound(linnet_stream_set_grammar(stream, grammar)), LINNET_OK);
        assert_eq!(linnet_grammar_free(grammar), LINNET_OK);
        push(stream);
    }
}

/// A grammar that is put together from the parts of the language, so that most are nearly right.
fn menu(rules: &[Rule], reward: i8) {
    const PARTS: [&str; 32] = [
        "a",
        "b",
        "one",
        "<r0>",
        "<r1>",
        "<r2>",
        "(",
        ")",
        "[",
        "]",
        "*",
        "+",
        "|",
        "{slot}",
        "{slot=x}",
        "/2/",
        "/0/",
        "<GARBAGE>",
        "<NULL>",
        "<VOID>",
        "\"a b\"",
        "é",
        ";",
        "=",
        "{",
        "/",
        "1.5",
        "//x\n",
        "/*",
        "*/",
        "\\",
        "c d",
    ];
    let mut source = String::from("#JSGF V1.0;\n");
    for (number, rule) in rules.iter().take(6).enumerate() {
        source += if rule.public { "public " } else { "" };
        source += &format!("<r{number}> =");
        for &part in rule.parts.iter().take(40) {
            source += " ";
            source += PARTS[usize::from(part) % PARTS.len()];
        }
        source += ";\n";
    }
    let mut config = defaults(linnet_grammar_config_init);
    config.letter_reward = reward.into();
    let room = Room::new(&config, &Fields { size: Size::Right, changes: Vec::new() }, &[]);
    let (source, mut grammar) = (CString::new(source).expect("without zeros"), 1);
    // SAFETY: the source ends with a zero, the struct is whole, and the handle can be written.
    let status = sound(unsafe { linnet_grammar_new(engine(), source.as_ptr(), room.get(), &mut grammar) });
    assert_eq!(status == LINNET_OK, grammar != 0);
    if grammar != 0 {
        let mut config = defaults(linnet_stream_config_init);
        config.grammar = grammar;
        let mut stream = 0;
        // SAFETY: it is a whole struct, and the handle can be written.
        assert_eq!(unsafe { linnet_stream_new(engine(), &config, &mut stream) }, LINNET_OK);
        assert_eq!(linnet_grammar_free(grammar), LINNET_OK);
        push(stream);
    }
}

fn language_model(source: &[u8], config: Option<&Fields>) {
    let room = config.map(|fields| Room::new(&defaults(linnet_language_model_config_init), fields, &[]));
    let (config, mut model) = (room.as_ref().map_or(std::ptr::null(), Room::get), 1);
    let (text, len) = (source.as_ptr().cast(), source.len());
    // SAFETY: there are this many bytes, every size that is accepted can be read, and the handle can be written.
    let status = sound(unsafe { linnet_language_model_open_memory(engine(), text, len, config, &mut model) });
    assert_eq!(status == LINNET_OK, model != 0);
    if model != 0 {
        let mut config = defaults(linnet_stream_config_init);
        (config.language_model, config.beam_width, config.alternatives) = (model, 1 + len as u32 % 5, 2);
        let mut stream = 0;
        // SAFETY: it is a whole struct, and the handle can be written.
        assert_eq!(unsafe { linnet_stream_new(engine(), &config, &mut stream) }, LINNET_OK);
        assert_eq!(linnet_language_model_free(model), LINNET_OK);
        push(stream);
    }
}

/// An n-gram model that is put together from the parts of the format, so that most are nearly right.
fn ngrams(lines: &[Vec<u8>]) {
    const PARTS: [&str; 32] = [
        "<s>",
        "</s>",
        "▁a",
        "▁b",
        "c",
        "d",
        "e",
        "▁",
        "▁one",
        "0",
        ".",
        "<unk>",
        "other",
        "-1",
        "-0.5",
        "0.3",
        "-99",
        "inf",
        "-inf",
        "nan",
        "1e39",
        "-1e-45",
        "\\1-grams:",
        "\\2-grams:",
        "\\3-grams:",
        "\\data\\",
        "\\end\\",
        "\n",
        "\r\n",
        "ngram 1=3",
        "\u{a0}",
        "",
    ];
    let mut source = String::from("\\data\\\n\\1-grams:\n-1 <s> 0\n-1 </s>\n-1 ▁a -0.3\n-1 c -0.2\n");
    for line in lines.iter().take(24) {
        for &part in line.iter().take(8) {
            source += PARTS[usize::from(part) % PARTS.len()];
            source += if part & 0x80 == 0 { "\t" } else { " " };
        }
        source += "\n";
    }
    source += "\\end\\\n";
    language_model(source.as_bytes(), None);
}

fn hotwords(phrases: &[Phrase], extra: u8) {
    let strings: Vec<(CString, Vec<CString>)> = phrases
        .iter()
        .take(8)
        .map(|phrase| (string(&phrase.text), phrase.sounds_like.iter().take(4).map(string).collect()))
        .collect();
    let spellings: Vec<Vec<*const c_char>> =
        strings.iter().map(|(_, sounds)| sounds.iter().map(|sound| sound.as_ptr()).collect()).collect();
    let mut array: Vec<_> = strings
        .iter()
        .zip(&spellings)
        .zip(phrases)
        .map(|(((text, _), spellings), phrase)| linnet_hotword_t {
            phrase: text.as_ptr(),
            boost: phrase.boost,
            reserved: 0,
            sounds_like: spellings.as_ptr(),
            sounds_like_len: spellings.len(),
        })
        .collect();
    if extra > 250 {
        let bad = std::ptr::without_provenance(usize::from(extra));
        array.push(linnet_hotword_t {
            phrase: bad,
            boost: 1.0,
            reserved: 0,
            sounds_like: std::ptr::null(),
            sounds_like_len: 0,
        });
    }
    let mut hotwords = 1;
    // SAFETY: there are this many, and what they point to is there; the handle can be written.
    let status = sound(unsafe { linnet_hotwords_new(engine(), array.as_ptr(), array.len(), &mut hotwords) });
    assert_eq!(status == LINNET_OK, hotwords != 0);
    if hotwords == 0 {
        return;
    }
    let mut len = 0;
    // SAFETY: the number can be written.
    assert_eq!(unsafe { linnet_hotwords_rejected_len(hotwords, &mut len) }, LINNET_OK);
    for index in 0..len {
        // SAFETY: zeros are a struct of a number and null pointers.
        let mut rejected: linnet_rejected_hotword_t = unsafe { std::mem::zeroed() };
        rejected.size = size_of_val(&rejected);
        // SAFETY: it is a whole struct.
        assert_eq!(unsafe { linnet_hotwords_rejected(hotwords, index, &mut rejected) }, LINNET_OK);
        check_string(rejected.phrase);
        check_string(rejected.spelling);
        assert!(check_string(rejected.reason) > 0);
    }
    let mut config = defaults(linnet_stream_config_init);
    (config.hotwords, config.beam_width, config.alternatives) = (hotwords, u32::from(extra % 4) + 1, 2);
    let mut stream = 0;
    // SAFETY: it is a whole struct, and the handle can be written.
    assert_eq!(unsafe { linnet_stream_new(engine(), &config, &mut stream) }, LINNET_OK);
    assert_eq!(linnet_hotwords_free(hotwords), LINNET_OK);
    push(stream);
}

/// The high byte that chooses one of the ten kinds of an input.
fn share(kind: u8) -> u8 {
    (u32::from(kind) * 256 / 10 + 1) as u8
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for kind in 0..10u8 {
        // The kind of an input is taken from four bytes, as a share of 2^32.
        let head = [0, 0, 0, share(kind)];
        for body in [vec![0u8; 8], vec![1; 64], (0..200u8).collect(), b"one\x01a b\x01\x40\x40\x01\x02".repeat(6)] {
            seeds.push([&head[..], &body].concat());
        }
    }
    let source = b"#JSGF V1.0;\npublic <r> = [<GARBAGE>] (a{x} | one{y=2})* b;\x00";
    seeds.push([&[0, 0, 0, share(4)][..], source].concat());
    let bigrams = [22, 23, 13, 2, 4].map(|part| part | 0x80);
    seeds.push([&[0, 0, 0, share(9)][..], &bigrams.repeat(6)].concat());
    seeds
}
