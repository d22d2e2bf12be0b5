//! The official clients, unmodified.

use std::{path::Path, process::Command};

use linnet::AudioFormat;
use serde_json::{Value, json};

use super::common::{TestServer, alike, clip, clip_path, transcribed};

const CLIP: &str = "formats/speech.wav";

fn sdk(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(file)
}

/// Whether a command can be run and ends well.
fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Runs a client with a server's address and a clip, and checks what it tells it has heard.
async fn check(mut client: Command, kinds: Value) -> Value {
    let server = TestServer::default().await;
    client.arg(server.address.to_string()).arg(clip_path(CLIP));
    let output = tokio::task::spawn_blocking(move || client.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let heard: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("{heard}");

    let plain = |text: &str| text.to_lowercase().replace('.', "");
    let whole = transcribed(&clip(CLIP), AudioFormat { rate_hz: 16_000, channels: 1 });
    let live = &heard["live"];
    assert!(!live["text"].as_str().unwrap().is_empty());
    assert_eq!(live["kinds"], kinds);
    assert_eq!(live["from_finalize"], true);
    assert!(live["interims"].as_u64().unwrap() > 0);
    assert_eq!(live["words"].as_u64().unwrap() as usize, live["text"].as_str().unwrap().split(' ').count());
    assert_eq!(live["request_id"].as_str().map(str::len), Some(36));
    assert!((live["duration"].as_f64().unwrap() - 2.7).abs() < 0.2);
    let recording = &heard["recording"];
    assert!(alike(&plain(recording["text"].as_str().unwrap()), &plain(&whole)));
    assert!(recording["utterances"].as_u64() > Some(0) && recording["paragraphs"].as_u64() > Some(0));
    assert!((recording["duration"].as_f64().unwrap() - 2.736).abs() < 0.01);
    heard
}

#[tokio::test]
async fn the_python_client_works_unmodified() {
    let python = std::env::var("LINNET_SDK_PYTHON").unwrap_or_else(|_| "python3".into());
    if !works(Command::new(&python).args(["-c", "import deepgram"])) {
        println!("skipped: {python} has no deepgram-sdk; see tests/sdk/README.md");
        return;
    }
    let mut client = Command::new(python);
    client.arg(sdk("deepgram_python.py"));
    check(client, json!(["ListenV1Metadata", "ListenV1Results", "ListenV1SpeechStarted"])).await;
}

#[tokio::test]
async fn the_node_client_works_unmodified() {
    let modules = std::env::var_os("LINNET_SDK_NODE").map_or_else(|| sdk(""), Into::into);
    if !modules.join("node_modules/@deepgram/sdk").is_dir() || !works(Command::new("node").arg("--version")) {
        println!("skipped: no node, or no @deepgram/sdk in {}; see tests/sdk/README.md", modules.display());
        return;
    }
    let mut client = Command::new("node");
    client.arg(sdk("deepgram_node.mjs")).env("LINNET_SDK_NODE", modules);
    let heard = check(client, json!(["Metadata", "Results", "SpeechStarted"])).await;
    let live = &heard["live"];
    assert_eq!((&live["code"], &live["closes"]), (&json!(1000), &json!(1)), "it must not connect again");
}

#[tokio::test]
async fn the_rust_client_works_unmodified() {
    let Some(program) = std::env::var_os("LINNET_SDK_RUST") else {
        println!("skipped: LINNET_SDK_RUST names no program; see tests/sdk/README.md");
        return;
    };
    check(Command::new(program), json!(["Metadata", "Results", "SpeechStarted"])).await;
}
