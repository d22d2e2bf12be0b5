//! What the way through the C ABI costs beside the engine itself.

mod common;

use std::{ffi::CString, time::Duration};

use common::{CLIP, model, root};
use cpu_time::ThreadTime;
use linnet::{AudioFormat, Engine, StreamConfig, audio::AudioFile};
use linnet_ffi::{linnet_event_kind_t::*, linnet_status_t::*, *};

/// Runs of each way, which take turns.
const RUNS: usize = 41;

/// Frames of a push: 10 ms, as an audio callback hands them over. Longer ones cost less.
const BLOCK: usize = 160;

/// Most that the ABI may cost here, where other programs disturb the measurement.
const LIMIT: f64 = 0.10;

fn samples() -> Vec<f32> {
    let mut file = AudioFile::open(root().join(CLIP)).unwrap();
    assert_eq!((file.rate_hz(), file.channels()), (16_000, 1));
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        samples.extend_from_slice(block);
    }
    samples
}

fn in_rust(engine: &Engine, samples: &[f32]) -> (Duration, usize) {
    let mut config = StreamConfig::default();
    config.audio = AudioFormat::default();
    let mut stream = engine.stream(config).unwrap();
    let (began, mut events) = (ThreadTime::now(), 0);
    for block in samples.chunks(BLOCK) {
        stream.push_f32(block).unwrap();
        while stream.poll().is_some() {
            events += 1;
        }
    }
    (began.elapsed(), events)
}

fn through_c(engine: linnet_engine_t, samples: &[f32]) -> (Duration, usize) {
    let mut stream = 0;
    // SAFETY: null stands for the defaults, and the handle can be written.
    assert_eq!(unsafe { linnet_stream_new(engine, std::ptr::null(), &mut stream) }, LINNET_OK);
    // SAFETY: zeros are an event of kind "none" with null pointers.
    let mut event: linnet_event_t = unsafe { std::mem::zeroed() };
    event.size = size_of_val(&event);
    let (began, mut events) = (ThreadTime::now(), 0);
    for block in samples.chunks(BLOCK) {
        // SAFETY: there are this many frames.
        assert_eq!(unsafe { linnet_stream_push_f32(stream, block.as_ptr(), block.len()) }, LINNET_OK);
        loop {
            // SAFETY: it is a whole struct.
            assert_eq!(unsafe { linnet_stream_poll(stream, &mut event) }, LINNET_OK);
            if event.kind == LINNET_EVENT_NONE {
                break;
            }
            events += 1;
        }
    }
    let took = began.elapsed();
    assert_eq!(linnet_stream_free(stream), LINNET_OK);
    (took, events)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn the_abi_costs_next_to_nothing() {
    let (engine, samples) = (Engine::open(model()).unwrap(), samples());
    let path = CString::new(model().to_str().unwrap()).unwrap();
    let mut handle = 0;
    // SAFETY: the path ends with a zero, and the handle can be written.
    assert_eq!(unsafe { linnet_engine_open(path.as_ptr(), &mut handle) }, LINNET_OK);
    let (mut rust, mut c) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let ((one, events), (other, same)) = (in_rust(&engine, &samples), through_c(handle, &samples));
        assert!(events > 0 && events == same);
        rust.push(one);
        c.push(other);
    }
    assert_eq!(linnet_engine_free(handle), LINNET_OK);
    let (rust, c) = (median(&mut rust), median(&mut c));
    let overhead = c.as_secs_f64() / rust.as_secs_f64() - 1.0;
    println!(
        "{:.1} s of audio: {rust:.2?} in Rust, {c:.2?} through C: {:+.2} %",
        samples.len() as f64 / 16e3,
        100.0 * overhead
    );
    assert!(overhead < LIMIT, "{:.1} %", 100.0 * overhead);
}
