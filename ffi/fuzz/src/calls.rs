//! Sequences of calls, with handles that are good, freed, of another kind or made up, and pointers that are good, null or
//! misaligned.

use arbitrary::{Arbitrary, Unstructured};
use linnet_ffi::{linnet_status_t::*, *};

use super::host::{blank_event, check_event, engine, sound};

#[derive(Arbitrary, Debug)]
enum Call {
    NewStream(Pointer),
    NewHotwords(Pointer),
    NewGrammar(Pointer),
    NewLanguageModel(Pointer),
    NewStreamWith { hotwords: Handle, grammar: Handle, language_model: Handle, speakers: u8 },
    Transcribe(Pointer),
    Free { handle: Handle, by: Kind },
    Push { stream: Handle, frames: u16, floats: bool, pointer: Pointer },
    Poll(Handle, Pointer),
    Finalize(Handle),
    Finish(Handle),
    Reset(Handle),
    SetChunk(Handle, u32),
    SetHotwords(Handle, Handle),
    SetGrammar(Handle, Handle),
    SetPolicy(Handle, u8),
    SetFormat(Handle, bool),
    Info(Handle, Pointer),
    Position(Handle, Pointer),
    Metrics(Handle, Pointer),
    Get(Handle, Pointer),
    Rejected(Handle, usize, Pointer),
    Device(Handle, usize),
    Live(Handle),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq)]
enum Kind {
    Engine,
    Stream,
    Hotwords,
    Grammar,
    LanguageModel,
    Transcript,
    Devices,
    Live,
}

/// A handle that was given out some time, or a number.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Handle {
    Given(u8),
    Changed(u8, u64),
    Number(u64),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Pointer {
    Good,
    Good2,
    Good3,
    Null,
    Low(u16),
    Misaligned,
}

impl Pointer {
    /// `good`, or a pointer that the library must refuse.
    fn of<T>(self, good: *mut T) -> *mut T {
        match self {
            Self::Null => std::ptr::null_mut(),
            Self::Low(address) => std::ptr::without_provenance_mut(usize::from(address % 4096)),
            Self::Misaligned if align_of::<T>() > 1 => good.wrapping_byte_add(1),
            _ => good,
        }
    }

    fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Good2 | Self::Good3)
    }
}

/// A handle that the library gave out.
struct Given {
    handle: u64,
    kind: Kind,
    freed: bool,
    finished: bool,
}

struct Host {
    given: Vec<Given>,
    /// Frames that may yet be pushed, so that an input is done soon.
    frames: usize,
}

/// An n-gram model of some of the pieces.
const ARPA: &str = "\\data\\\n\\1-grams:\n-1\t<s>\t0\n-1\t</s>\n-1\t▁a\t-0.3\n-1\tc\n\\2-grams:\n-0.2\t▁a c\n\\end\\\n";

/// Most handles of an input, and most calls.
const MOST_HANDLES: usize = 6;
const MOST_CALLS: usize = 32;

impl Host {
    fn handle(&self, handle: Handle) -> u64 {
        let given =
            |index: u8| self.given.get(usize::from(index) % self.given.len().max(1)).map_or(0, |given| given.handle);
        match handle {
            Handle::Given(index) => given(index),
            Handle::Changed(index, bits) => given(index) ^ bits,
            Handle::Number(number) => number,
        }
    }

    /// What is known of a handle, if the library gave it out as one of this kind.
    fn find(&mut self, handle: u64, kind: Kind) -> Option<&mut Given> {
        self.given.iter_mut().find(|given| given.handle == handle && given.kind == kind)
    }

    /// The status of a call with a handle that must be good.
    fn expect(&mut self, handle: u64, kind: Kind) -> linnet_status_t {
        match self.find(handle, kind) {
            Some(Given { freed: false, .. }) => LINNET_OK,
            _ => LINNET_ERROR_INVALID_HANDLE,
        }
    }

    /// The status of a call that fails also for a bad pointer.
    fn expect_with(&mut self, handle: u64, kind: Kind, pointer: Pointer) -> Option<linnet_status_t> {
        match (self.expect(handle, kind), pointer.is_good()) {
            (status, true) => Some(status),
            (LINNET_OK, false) => Some(LINNET_ERROR_INVALID_ARGUMENT),
            // Both are wrong; which is told is not promised.
            _ => None,
        }
    }

    /// The status of a call that takes audio.
    fn expect_audio(&mut self, handle: u64) -> linnet_status_t {
        match self.find(handle, Kind::Stream) {
            Some(Given { freed: false, finished, .. }) => {
                if *finished {
                    LINNET_ERROR_FINISHED
                } else {
                    LINNET_OK
                }
            }
            _ => LINNET_ERROR_INVALID_HANDLE,
        }
    }

    /// Takes note of what a call gave out.
    fn take(&mut self, status: linnet_status_t, handle: u64, kind: Kind, pointer: Pointer) {
        if pointer.is_good() {
            assert_eq!((status, handle != 0), (LINNET_OK, true));
            assert!(self.given.iter().all(|given| given.handle != handle), "{handle:#x} was given out twice");
            self.given.push(Given { handle, kind, freed: false, finished: false });
        } else {
            assert_eq!(status, LINNET_ERROR_INVALID_ARGUMENT);
        }
    }

    fn make(&mut self, call: &Call) {
        let mut handle = 0;
        if self.given.len() >= MOST_HANDLES {
            return;
        }
        match *call {
            Call::NewStream(pointer) => {
                // SAFETY: null stands for the defaults; the pointer can be written, or must be refused.
                let status = unsafe { linnet_stream_new(engine(), std::ptr::null(), pointer.of(&mut handle)) };
                self.take(sound(status), handle, Kind::Stream, pointer);
            }
            Call::NewHotwords(pointer) => {
                let phrase = linnet_hotword_t {
                    phrase: c"one".as_ptr(),
                    boost: 0.0,
                    reserved: 0,
                    sounds_like: std::ptr::null(),
                    sounds_like_len: 0,
                };
                // SAFETY: there is one; the pointer can be written, or must be refused.
                let status = unsafe { linnet_hotwords_new(engine(), &phrase, 1, pointer.of(&mut handle)) };
                self.take(sound(status), handle, Kind::Hotwords, pointer);
            }
            Call::NewGrammar(pointer) => {
                let source = c"#JSGF V1.0;\npublic <r> = a{x} (b | one)*;".as_ptr();
                // SAFETY: the source ends with a zero; the pointer can be written, or must be refused.
                let status = unsafe { linnet_grammar_new(engine(), source, std::ptr::null(), pointer.of(&mut handle)) };
                self.take(sound(status), handle, Kind::Grammar, pointer);
            }
            Call::NewLanguageModel(pointer) => {
                let (text, null) = (ARPA.as_ptr().cast(), std::ptr::null());
                // SAFETY: there are this many bytes; the pointer can be written, or must be refused.
                let status = unsafe {
                    linnet_language_model_open_memory(engine(), text, ARPA.len(), null, pointer.of(&mut handle))
                };
                self.take(sound(status), handle, Kind::LanguageModel, pointer);
            }
            Call::NewStreamWith { hotwords, grammar, language_model, speakers } => {
                // SAFETY: zeros are a struct of numbers and a null pointer.
                let mut config: linnet_stream_config_t = unsafe { std::mem::zeroed() };
                config.size = size_of_val(&config);
                // SAFETY: it is a whole struct.
                assert_eq!(unsafe { linnet_stream_config_init(&mut config) }, LINNET_OK);
                config.hotwords = self.handle(hotwords);
                config.grammar = self.handle(grammar);
                config.language_model = self.handle(language_model);
                config.speakers = u32::from(speakers % 17);
                let parts = [
                    (config.hotwords, Kind::Hotwords),
                    (config.grammar, Kind::Grammar),
                    (config.language_model, Kind::LanguageModel),
                ];
                let good = parts.into_iter().all(|(part, kind)| part == 0 || self.expect(part, kind) == LINNET_OK);
                // SAFETY: it is a whole struct, and the handle can be written.
                let status = sound(unsafe { linnet_stream_new(engine(), &config, &mut handle) });
                if good {
                    self.take(status, handle, Kind::Stream, Pointer::Good);
                } else {
                    assert_eq!((status, handle), (LINNET_ERROR_INVALID_HANDLE, 0));
                }
            }
            Call::Transcribe(pointer) => {
                let samples = [700i16; 320];
                // SAFETY: there are this many; the pointer can be written, or must be refused.
                let status = unsafe {
                    linnet_transcribe_i16(
                        engine(),
                        samples.as_ptr(),
                        320,
                        16_000,
                        1,
                        std::ptr::null(),
                        pointer.of(&mut handle),
                    )
                };
                self.take(sound(status), handle, Kind::Transcript, pointer);
            }
            _ => {}
        }
    }

    fn free(&mut self, handle: u64, by: Kind) {
        // The engine is shared by all inputs.
        if by == Kind::Engine && handle == engine() {
            return;
        }
        let expected = if handle == 0 { LINNET_OK } else { self.expect(handle, by) };
        let status = match by {
            Kind::Engine => linnet_engine_free(handle),
            Kind::Stream => linnet_stream_free(handle),
            Kind::Hotwords => linnet_hotwords_free(handle),
            Kind::Grammar => linnet_grammar_free(handle),
            Kind::LanguageModel => linnet_language_model_free(handle),
            Kind::Transcript => linnet_transcript_free(handle),
            Kind::Devices => linnet_devices_free(handle),
            Kind::Live => linnet_live_free(handle),
        };
        assert_eq!(sound(status), expected);
        if let Some(given) = self.find(handle, by) {
            given.freed = true;
        }
    }

    fn push(&mut self, handle: u64, frames: u16, floats: bool, pointer: Pointer) {
        let frames = (usize::from(frames) % 2000).min(self.frames);
        self.frames -= frames;
        let mut audio = vec![0.1f32; frames + 1];
        let status = if floats {
            // SAFETY: there are this many; a bad pointer must be refused.
            unsafe { linnet_stream_push_f32(handle, pointer.of(audio.as_mut_ptr()), frames) }
        } else {
            // SAFETY: as above, and twice as many as are needed.
            unsafe { linnet_stream_push_i16(handle, pointer.of(audio.as_mut_ptr().cast()), frames) }
        };
        let expected = self.expect_audio(handle);
        match (expected, pointer.is_good() || frames == 0) {
            (_, true) => assert_eq!(sound(status), expected),
            (LINNET_OK, false) => assert_eq!(status, LINNET_ERROR_INVALID_ARGUMENT),
            _ => assert_ne!(sound(status), LINNET_OK),
        }
    }

    fn perform(&mut self, call: Call) {
        let number = |handle| self.handle(handle);
        match call {
            Call::NewStream(_)
            | Call::NewHotwords(_)
            | Call::NewGrammar(_)
            | Call::NewLanguageModel(_)
            | Call::NewStreamWith { .. }
            | Call::Transcribe(_) => self.make(&call),
            Call::Free { handle, by } => self.free(number(handle), by),
            Call::Push { stream, frames, floats, pointer } => self.push(number(stream), frames, floats, pointer),
            Call::Finalize(stream) => {
                let stream = number(stream);
                assert_eq!(sound(linnet_stream_finalize(stream)), self.expect_audio(stream));
            }
            Call::Finish(stream) => {
                let stream = number(stream);
                assert_eq!(sound(linnet_stream_finish(stream)), self.expect_audio(stream));
                if let Some(given) = self.find(stream, Kind::Stream) {
                    given.finished = true;
                }
            }
            Call::Reset(stream) => {
                let stream = number(stream);
                assert_eq!(sound(linnet_stream_reset(stream)), self.expect(stream, Kind::Stream));
                if let Some(given) = self.find(stream, Kind::Stream) {
                    given.finished = false;
                }
            }
            Call::SetChunk(stream, chunk_ms) => {
                let stream = number(stream);
                let status = sound(linnet_stream_set_chunk_ms(stream, chunk_ms));
                let known = self.expect(stream, Kind::Stream);
                assert_eq!(status == LINNET_OK, known == LINNET_OK && chunk_ms > 0);
            }
            Call::SetHotwords(stream, hotwords) => {
                let (stream, hotwords) = (number(stream), number(hotwords));
                let good = hotwords == 0 || self.expect(hotwords, Kind::Hotwords) == LINNET_OK;
                let status = sound(linnet_stream_set_hotwords(stream, hotwords));
                assert_eq!(status == LINNET_OK, good && self.expect(stream, Kind::Stream) == LINNET_OK);
            }
            Call::SetGrammar(stream, grammar) => {
                let (stream, grammar) = (number(stream), number(grammar));
                let good = grammar == 0 || self.expect(grammar, Kind::Grammar) == LINNET_OK;
                let status = sound(linnet_stream_set_grammar(stream, grammar));
                assert_eq!(status == LINNET_OK, good && self.expect(stream, Kind::Stream) == LINNET_OK);
            }
            other => self.ask(other),
        }
    }

    /// Calls that fill something.
    fn ask(&mut self, call: Call) {
        match call {
            Call::SetPolicy(stream, preset) => {
                let stream = self.handle(stream);
                // SAFETY: zeros are a struct of integers.
                let mut policy: linnet_policy_t = unsafe { std::mem::zeroed() };
                policy.size = size_of_val(&policy);
                // SAFETY: it is a whole struct.
                assert_eq!(unsafe { linnet_policy_init(&mut policy, u32::from(preset) % 5) }, LINNET_OK);
                // SAFETY: as above.
                let status = sound(unsafe { linnet_stream_set_policy(stream, &policy) });
                assert_eq!(status, self.expect(stream, Kind::Stream));
                // SAFETY: as above.
                let status = sound(unsafe { linnet_stream_policy(stream, &mut policy) });
                assert_eq!(status, self.expect(stream, Kind::Stream));
            }
            Call::SetFormat(stream, smart) => {
                let stream = self.handle(stream);
                // SAFETY: zeros are a struct of integers and null pointers.
                let mut format: linnet_format_config_t = unsafe { std::mem::zeroed() };
                (format.size, format.smart, format.punctuate) = (size_of_val(&format), smart.into(), 1);
                // SAFETY: it is a whole struct.
                let status = sound(unsafe { linnet_stream_set_format(stream, &format) });
                assert_eq!(status, self.expect(stream, Kind::Stream));
            }
            Call::Poll(stream, pointer) => {
                let (stream, mut event) = (self.handle(stream), blank_event());
                // SAFETY: the pointer is to a whole struct, or must be refused.
                let status = sound(unsafe { linnet_stream_poll(stream, pointer.of(&mut event)) });
                self.compare(status, stream, Kind::Stream, pointer);
                check_event(&blank_or(event, status));
            }
            Call::Get(transcript, pointer) => {
                let (transcript, mut event) = (self.handle(transcript), blank_event());
                // SAFETY: the pointer is to a whole struct, or must be refused.
                let status = sound(unsafe { linnet_transcript_get(transcript, pointer.of(&mut event)) });
                self.compare(status, transcript, Kind::Transcript, pointer);
                check_event(&blank_or(event, status));
            }
            Call::Info(engine, pointer) => {
                // SAFETY: zeros are a struct of integers and null pointers.
                let (handle, mut info) = (self.handle(engine), unsafe { std::mem::zeroed::<linnet_engine_info_t>() });
                info.size = size_of_val(&info);
                // SAFETY: the pointer is to a whole struct, or must be refused.
                let status = sound(unsafe { linnet_engine_info(handle, pointer.of(&mut info)) });
                assert_eq!(status == LINNET_OK, handle == super::host::engine() && pointer.is_good());
            }
            Call::Position(stream, pointer) => {
                let (stream, mut position_ms) = (self.handle(stream), 0);
                // SAFETY: the pointer can be written, or must be refused.
                let status = sound(unsafe { linnet_stream_position_ms(stream, pointer.of(&mut position_ms)) });
                self.compare(status, stream, Kind::Stream, pointer);
            }
            Call::Metrics(stream, pointer) => {
                // SAFETY: zeros are a struct of numbers.
                let (stream, mut metrics) = (self.handle(stream), unsafe { std::mem::zeroed::<linnet_metrics_t>() });
                metrics.size = size_of_val(&metrics);
                // SAFETY: the pointer is to a whole struct, or must be refused.
                let status = sound(unsafe { linnet_stream_metrics(stream, pointer.of(&mut metrics)) });
                self.compare(status, stream, Kind::Stream, pointer);
            }
            Call::Rejected(hotwords, index, pointer) => {
                // SAFETY: zeros are a struct of a number and null pointers.
                let mut rejected: linnet_rejected_hotword_t = unsafe { std::mem::zeroed() };
                rejected.size = size_of_val(&rejected);
                // SAFETY: the pointer is to a whole struct, or must be refused.
                let status =
                    unsafe { linnet_hotwords_rejected(self.handle(hotwords), index, pointer.of(&mut rejected)) };
                assert_ne!(sound(status), LINNET_OK, "none of these are rejected");
            }
            Call::Device(devices, index) => {
                // SAFETY: zeros are a struct of a number and null pointers.
                let mut device: linnet_device_t = unsafe { std::mem::zeroed() };
                device.size = size_of_val(&device);
                // SAFETY: it is a whole struct.
                let status = unsafe { linnet_devices_get(self.handle(devices), index, &mut device) };
                assert_eq!(sound(status), LINNET_ERROR_INVALID_HANDLE);
            }
            Call::Live(live) => {
                let live = self.handle(live);
                assert_eq!(sound(linnet_live_finalize(live)), LINNET_ERROR_INVALID_HANDLE);
                assert_eq!(sound(linnet_live_stop(live)), LINNET_ERROR_INVALID_HANDLE);
                assert_eq!(sound(linnet_live_set_hotwords(live, 0)), LINNET_ERROR_INVALID_HANDLE);
                // SAFETY: there are no samples.
                let status = unsafe { linnet_live_push_f32(live, std::ptr::null(), 0) };
                assert_eq!(sound(status), LINNET_ERROR_INVALID_HANDLE);
            }
            _ => {}
        }
    }

    fn compare(&mut self, status: linnet_status_t, handle: u64, kind: Kind, pointer: Pointer) {
        match self.expect_with(handle, kind, pointer) {
            Some(expected) => assert_eq!(status, expected),
            None => assert_ne!(status, LINNET_OK),
        }
    }
}

/// What was filled, or an event of nothing where the call failed.
fn blank_or(mut event: linnet_event_t, status: linnet_status_t) -> linnet_event_t {
    if status != LINNET_OK || event.text.is_null() {
        event = blank_event();
        (event.text, event.written) = (c"".as_ptr(), c"".as_ptr());
    }
    event
}

pub fn run(data: &[u8]) {
    let mut source = Unstructured::new(data);
    let mut host = Host { given: Vec::new(), frames: 3000 };
    for _ in 0..MOST_CALLS {
        if source.is_empty() {
            break;
        }
        let Ok(call) = Call::arbitrary(&mut source) else { break };
        host.perform(call);
    }
    for Given { handle, kind, freed, .. } in std::mem::take(&mut host.given) {
        if !freed {
            host.given.push(Given { handle, kind, freed, finished: false });
            host.free(handle, kind);
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    // The kind of a call is taken from four bytes, as a share of 2^32.
    let call = |kind: u32, rest: &[u8]| [&(kind * (u32::MAX / 24) + 1000).to_le_bytes()[..], rest].concat();
    let good = 0u32.to_le_bytes();
    let first = [&good[..], &[0]].concat();
    let mut life = call(0, &good);
    life.extend(call(1, &good));
    life.extend(call(2, &good));
    life.extend(call(3, &good));
    life.extend(call(13, &[&first[..], &good, &[1]].concat()));
    life.extend(call(14, &[&first[..], &good, &[2]].concat()));
    for _ in 0..4 {
        life.extend(call(7, &[&first[..], &1999u16.to_le_bytes(), &[1], &good].concat()));
        life.extend(call(8, &[&first[..], &good].concat()));
    }
    life.extend(call(9, &first));
    life.extend(call(10, &first));
    life.extend(call(11, &first));
    life.extend(call(6, &[&first[..], &(u32::MAX / 8 + 100).to_le_bytes()].concat()));
    let mut seeds: Vec<Vec<u8>> = (0..24).map(|kind| call(kind, &[0; 24])).collect();
    seeds.push(life);
    seeds
}
