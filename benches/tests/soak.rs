//! The short form of the soak test: half a minute, twenty minutes of audio.

use std::time::Duration;

use linnet_benches::{
    engine,
    soak::{self, Options, run},
    speech,
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = soak::HEAP;

#[test]
fn twenty_minutes_of_faults_lose_and_double_no_word() {
    let options = Options { duration: Duration::from_secs(20 * 60), speed: 40, seed: 11, faults: true };
    let report = run(&engine(), &speech(60), options).unwrap_or_else(|why| panic!("{why}"));
    println!("{report}");
    assert!(report.words > 100, "there was something to hear");
    assert!(report.heap_mb.0 > 1.0, "the heap is counted");
    assert!(report.metrics.counters.recoveries > 0 && report.metrics.counters.gaps > 0, "the device did fail");
}
