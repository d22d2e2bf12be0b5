//! The official client for Python, unmodified.

use std::{path::Path, process::Command};

use linnet::AudioFormat;
use serde_json::Value;

use super::common::{TestServer, alike, clip, clip_path, transcribed};

#[tokio::test]
async fn the_python_client_works_unmodified() {
    let python = std::env::var("LINNET_SDK_PYTHON").unwrap_or_else(|_| "python3".into());
    let there = Command::new(&python).args(["-c", "import deepgram"]).output();
    if !there.is_ok_and(|output| output.status.success()) {
        println!("skipped: {python} has no deepgram-sdk; see tests/sdk/README.md");
        return;
    }
    let server = TestServer::default().await;
    let name = "formats/speech.wav";
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/deepgram_python.py");
    let mut command = Command::new(&python);
    command.arg(script).arg(server.address.to_string()).arg(clip_path(name));
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let heard: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{heard}");

    let plain = |text: &str| text.to_lowercase().replace('.', "");
    let whole = transcribed(&clip(name), AudioFormat { rate_hz: 16_000, channels: 1 });
    let live = &heard["live"];
    assert!(!live["text"].as_str().unwrap().is_empty());
    assert_eq!(live["kinds"], serde_json::json!(["ListenV1Metadata", "ListenV1Results", "ListenV1SpeechStarted"]));
    assert_eq!(live["from_finalize"], true);
    assert!(live["interims"].as_u64().unwrap() > 0);
    assert_eq!(live["words"].as_u64().unwrap() as usize, live["text"].as_str().unwrap().split(' ').count());
    assert!((live["duration"].as_f64().unwrap() - 2.7).abs() < 0.2);
    let recording = &heard["recording"];
    assert!(alike(&plain(recording["text"].as_str().unwrap()), &plain(&whole)));
    assert!(recording["utterances"].as_u64() > Some(0) && recording["paragraphs"].as_u64() > Some(0));
}
