//! What the way through the C ABI costs beside the engine itself.

mod common;

use std::{ffi::CString, time::Duration};

use common::{CLIP, model, root};
use cpu_time::ThreadTime;
use linnet::{Engine, Stream, StreamConfig, audio::AudioFile};
use linnet_ffi::{linnet_event_kind_t::*, linnet_status_t::*, *};

/// Passes through the clip.
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

/// Pushes samples and takes what comes of them; returns the number of events.
trait Way {
    fn take(&mut self, block: &[f32]) -> usize;
}

struct InRust(Stream);

impl Way for InRust {
    fn take(&mut self, block: &[f32]) -> usize {
        self.0.push_f32(block).unwrap();
        std::iter::from_fn(|| self.0.poll().map(drop)).count()
    }
}

struct ThroughC {
    stream: linnet_stream_t,
    event: linnet_event_t,
}

impl Way for ThroughC {
    fn take(&mut self, block: &[f32]) -> usize {
        // SAFETY: there are this many frames.
        assert_eq!(unsafe { linnet_stream_push_f32(self.stream, block.as_ptr(), block.len()) }, LINNET_OK);
        let mut events = 0;
        loop {
            // SAFETY: it is a whole struct.
            assert_eq!(unsafe { linnet_stream_poll(self.stream, &mut self.event) }, LINNET_OK);
            if self.event.kind == LINNET_EVENT_NONE {
                return events;
            }
            events += 1;
        }
    }
}

fn timed(way: &mut dyn Way, block: &[f32]) -> (Duration, usize) {
    let began = ThreadTime::now();
    let events = way.take(block);
    (began.elapsed(), events)
}

/// Both ways through the same audio, block by block and first in turn, so that what disturbs one disturbs the other. Adds
/// the time of each block in Rust and through C.
fn side_by_side(engine: &Engine, handle: linnet_engine_t, samples: &[f32], times: &mut [[Vec<Duration>; 2]]) {
    let mut stream = 0;
    // SAFETY: null stands for the defaults, and the handle can be written.
    assert_eq!(unsafe { linnet_stream_new(handle, std::ptr::null(), &mut stream) }, LINNET_OK);
    // SAFETY: zeros are an event of kind "none" with null pointers.
    let mut event: linnet_event_t = unsafe { std::mem::zeroed() };
    event.size = size_of_val(&event);
    let mut rust = InRust(engine.stream(StreamConfig::default()).unwrap());
    let mut c = ThroughC { stream, event };
    let ways: [&mut dyn Way; 2] = [&mut rust, &mut c];
    let mut events = [0; 2];
    for (number, (block, times)) in samples.chunks(BLOCK).zip(times).enumerate() {
        for way in [number % 2, 1 - number % 2] {
            let (took, happened) = timed(ways[way], block);
            times[way].push(took);
            events[way] += happened;
        }
    }
    assert!(events[0] > 0 && events[0] == events[1]);
    assert_eq!(linnet_stream_free(stream), LINNET_OK);
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
    let mut times = vec![[Vec::new(), Vec::new()]; samples.len().div_ceil(BLOCK)];
    for _ in 0..RUNS {
        side_by_side(&engine, handle, &samples, &mut times);
    }
    assert_eq!(linnet_engine_free(handle), LINNET_OK);
    // Medians of each block, so that the interruptions of a busy machine don't count.
    let [rust, c] = [0, 1].map(|way| times.iter_mut().map(|block| median(&mut block[way])).sum::<Duration>());
    let overhead = c.as_secs_f64() / rust.as_secs_f64() - 1.0;
    println!(
        "{:.1} s of audio: {rust:.2?} in Rust, {c:.2?} through C: {:+.2} %",
        samples.len() as f64 / 16e3,
        100.0 * overhead
    );
    assert!(overhead < LIMIT, "{:.1} %", 100.0 * overhead);
}
