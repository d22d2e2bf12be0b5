//! Resident memory of an engine and its streams.
//!
//! `cargo run --release -p linnet-benches --bin memory`. Linux only, where the system tells. MB are 10⁶ bytes.

use linnet::StreamConfig;
use linnet_benches::{engine, resident_mb, speech};

/// Streams in the last line.
const STREAMS: usize = 10;

fn show(what: &str) {
    match resident_mb() {
        Some((all, own)) => println!("{what:<24} {all:>7.2} MB resident, {own:>7.2} MB of it anonymous"),
        None => println!("{what:<24} not told by this system"),
    }
}

fn main() {
    let audio = speech(10);
    show("with 10 s of audio");
    let engine = engine();
    show("engine open");
    let mut streams = Vec::new();
    for count in 1..=STREAMS {
        let mut stream = engine.stream(StreamConfig::default()).expect("the default configuration is valid");
        // Only a warm stream has all its memory.
        stream.push_f32(&audio).expect("the stream has not ended");
        while stream.poll().is_some() {}
        streams.push(stream);
        if count == 1 || count == STREAMS {
            show(&format!("{count} warm stream{}", if count == 1 { "" } else { "s" }));
        }
    }
}
