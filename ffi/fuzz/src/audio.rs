//! Samples of any rate, channels and values, in pieces of any size.

use arbitrary::{Arbitrary, Unstructured};
use linnet_ffi::{linnet_status_t::*, *};

use super::host::{drain, engine, sound};

#[derive(Arbitrary, Debug)]
struct Input {
    rate: Rate,
    channels: u8,
    chunk_ms: u16,
    floats: bool,
    whole: bool,
    /// Speakers to tell apart, modulo.
    speakers: u8,
    /// Frames of each push, modulo.
    pieces: Vec<u16>,
}

#[derive(Arbitrary, Debug)]
enum Rate {
    /// Of the model's rate in half of the inputs: the others wait for the tables of a resampler.
    Usual(u8),
    Any(u32),
}

const RATES_HZ: [u32; 16] = [
    8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000, 16_000, 16_000, 16_000, 16_000, 16_000, 16_000,
    16_000, 32_000,
];

/// Most frames of one input.
const MOST_FRAMES: usize = 2048;

pub fn run(data: &[u8]) {
    let mut source = Unstructured::new(data);
    let Ok(input) = Input::arbitrary(&mut source) else { return };
    let samples = source.take_rest();
    let rate_hz = match input.rate {
        Rate::Usual(index) => RATES_HZ[usize::from(index) % RATES_HZ.len()],
        Rate::Any(rate) => rate,
    };
    let channels = u32::from(input.channels % 9);
    if input.whole {
        transcribe(samples, input.floats, rate_hz, channels)
    } else {
        stream(samples, &input, rate_hz, channels)
    }
}

/// Values of the bytes; every bit pattern of an `f32` is one.
fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()
}

fn integers(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect()
}

fn transcribe(bytes: &[u8], as_floats: bool, rate_hz: u32, channels: u32) {
    let mut transcript = 1;
    let frames = |samples: usize| (samples / channels.max(1) as usize).min(MOST_FRAMES);
    let status = if as_floats {
        let samples = floats(bytes);
        let frames = frames(samples.len());
        // SAFETY: there are this many frames, and the handle can be written; null stands for the defaults.
        unsafe {
            linnet_transcribe_f32(
                engine(),
                samples.as_ptr(),
                frames,
                rate_hz,
                channels,
                std::ptr::null(),
                &mut transcript,
            )
        }
    } else {
        let samples = integers(bytes);
        let frames = frames(samples.len());
        // SAFETY: as above.
        unsafe {
            linnet_transcribe_i16(
                engine(),
                samples.as_ptr(),
                frames,
                rate_hz,
                channels,
                std::ptr::null(),
                &mut transcript,
            )
        }
    };
    assert_eq!(sound(status) == LINNET_OK, transcript != 0);
    if transcript != 0 {
        let mut event = super::host::blank_event();
        // SAFETY: it is a whole struct.
        assert_eq!(unsafe { linnet_transcript_get(transcript, &mut event) }, LINNET_OK);
        super::host::check_event(&event);
    }
    assert_eq!(linnet_transcript_free(transcript), LINNET_OK);
}

fn stream(bytes: &[u8], input: &Input, rate_hz: u32, channels: u32) {
    // SAFETY: zeros are a struct of integers and a null pointer.
    let mut config: linnet_stream_config_t = unsafe { std::mem::zeroed() };
    config.size = size_of_val(&config);
    // SAFETY: it is a whole struct.
    assert_eq!(unsafe { linnet_stream_config_init(&mut config) }, LINNET_OK);
    (config.sample_rate_hz, config.channels, config.chunk_ms) = (rate_hz, channels, input.chunk_ms.into());
    config.speakers = u32::from(input.speakers % 4);
    let mut stream = 0;
    // SAFETY: it is a whole struct with null pointers, and the handle can be written.
    let status = unsafe { linnet_stream_new(engine(), &config, &mut stream) };
    let possible = (8000..=192_000).contains(&rate_hz) && channels > 0;
    assert_eq!(sound(status) == LINNET_OK, possible, "{status:?} at {rate_hz} Hz and {channels} channels");
    if !possible {
        return;
    }
    let channels = channels as usize;
    let mut pieces = input.pieces.iter().map(|&frames| usize::from(frames) % 2048 + 1).chain(std::iter::repeat(1024));
    let mut pushed = 0;
    if input.floats {
        let samples = floats(bytes);
        let mut rest = &samples[..samples.len().min(MOST_FRAMES * channels) / channels * channels];
        while !rest.is_empty() {
            let frames = pieces.next().unwrap_or(1).min(rest.len() / channels);
            let (piece, after) = rest.split_at(frames * channels);
            // SAFETY: there are this many frames.
            let status = unsafe { linnet_stream_push_f32(stream, piece.as_ptr(), frames) };
            let finite = piece.iter().all(|sample| sample.is_finite());
            assert_eq!(sound(status), if finite { LINNET_OK } else { LINNET_ERROR_INVALID_ARGUMENT });
            pushed += if finite { frames as u64 } else { 0 };
            rest = after;
        }
    } else {
        let samples = integers(bytes);
        let mut rest = &samples[..samples.len().min(MOST_FRAMES * channels) / channels * channels];
        while !rest.is_empty() {
            let frames = pieces.next().unwrap_or(1).min(rest.len() / channels);
            let (piece, after) = rest.split_at(frames * channels);
            // SAFETY: there are this many frames.
            assert_eq!(sound(unsafe { linnet_stream_push_i16(stream, piece.as_ptr(), frames) }), LINNET_OK);
            pushed += frames as u64;
            rest = after;
        }
    }
    drain(stream);
    let mut position_ms = 0;
    // SAFETY: the number can be written.
    assert_eq!(unsafe { linnet_stream_position_ms(stream, &mut position_ms) }, LINNET_OK);
    assert_eq!(position_ms, pushed * 1000 / u64::from(rate_hz));
    assert_eq!(sound(linnet_stream_finish(stream)), LINNET_OK);
    drain(stream);
    assert_eq!(linnet_stream_free(stream), LINNET_OK);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let tone: Vec<u8> = (0..900).flat_map(|i| (((f64::from(i) * 0.05).sin() * 9000.0) as i16).to_le_bytes()).collect();
    let floats: Vec<u8> = (0..450).flat_map(|i| ((i as f32 * 0.07).sin() * 0.4).to_le_bytes()).collect();
    let mut seeds = Vec::new();
    for (rate, channels, kind) in [(2u8, 1u8, 0u8), (0, 1, 1), (4, 2, 0), (7, 8, 1), (5, 1, 1)] {
        // Rate::Usual, its index, channels, a chunk, the kind of samples, not whole, one speaker, no pieces.
        let head = [0, 0, 0, 0, rate, channels, 160, 0, kind, 0, 1, 0];
        seeds.push([&head[..], if kind == 0 { &tone } else { &floats }].concat());
        let whole = [0, 0, 0, 0, rate, channels, 160, 0, kind, 1, 1, 0];
        seeds.push([&whole[..], if kind == 0 { &tone } else { &floats }].concat());
    }
    seeds
}
