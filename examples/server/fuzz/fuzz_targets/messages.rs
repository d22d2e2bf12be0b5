//! Text messages of clients. The parser is taken in as a file, so that neither the engine nor its model is built for it.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/listen/client.rs"]
#[allow(dead_code)]
mod client;

fuzz_target!(|text: &str| {
    if let Ok(message) = client::ClientMessage::parse(text) {
        // What is taken is an object that names one of the four types.
        let value: serde_json::Value = serde_json::from_str(text).expect("a message is JSON");
        let kind = value["type"].as_str().expect("it has a type");
        assert!(["KeepAlive", "Finalize", "CloseStream", "Configure"].contains(&kind), "{message:?}");
    }
});
