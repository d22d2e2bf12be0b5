//! The official Rust client, unmodified, against a running server.
//!
//!     cargo run --manifest-path rust/Cargo.toml -- 127.0.0.1:8080 speech.wav
//!
//! Sends a 16 kHz mono 16-bit WAV file live and as a recording, and prints one JSON object with what came back.

use std::time::Duration;

use deepgram::{
    Deepgram,
    common::{
        audio_source::AudioSource,
        options::{Encoding, Endpointing, Model, Options},
        stream_response::StreamResponse,
    },
};
use serde_json::{Value, json};

/// Bytes of a message, and of the header of the file, which is no audio here.
const MESSAGE_BYTES: usize = 3200;
const HEADER_BYTES: usize = 44;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(path)) = (args.next(), args.next()) else { return Err("ADDRESS FILE".into()) };
    let client = Deepgram::with_base_url_and_api_key(format!("http://{address}").as_str(), "unused")?;
    println!("{}", json!({"live": live(&client, &path).await?, "recording": recording(&client, &path).await?}));
    Ok(())
}

async fn live(client: &Deepgram, path: &str) -> Result<Value, Failure> {
    let options = Options::builder().model(Model::Nova3).punctuate(true).build();
    let mut handle = client
        .transcription()
        .stream_request_with_options(options)
        .encoding(Encoding::Linear16)
        .sample_rate(16_000)
        .channels(1)
        .endpointing(Endpointing::CustomDurationMs(300))
        .interim_results(true)
        .utterance_end_ms(1000)
        .vad_events(true)
        .handle()
        .await?;
    let request_id = handle.request_id().map(|id| id.to_string());
    let file = tokio::fs::read(path).await?;
    for part in file[HEADER_BYTES..].chunks(MESSAGE_BYTES) {
        handle.send_data(part.to_vec()).await?;
    }
    handle.finalize().await?;
    handle.close_stream().await?;

    let (mut texts, mut interims, mut words, mut flushed, mut duration) = (Vec::new(), 0, 0, false, 0.0);
    let mut kinds = std::collections::BTreeSet::new();
    while let Some(response) = tokio::time::timeout(Duration::from_secs(60), handle.receive()).await? {
        match response? {
            StreamResponse::TranscriptResponse { is_final, from_finalize, channel, .. } => {
                kinds.insert("Results");
                let best = &channel.alternatives[0];
                if !is_final {
                    interims += 1;
                    continue;
                }
                flushed |= from_finalize;
                words += best.words.len();
                if !best.transcript.is_empty() {
                    texts.push(best.transcript.clone());
                }
            }
            StreamResponse::SpeechStartedResponse { .. } => {
                kinds.insert("SpeechStarted");
            }
            StreamResponse::TerminalResponse { duration: seconds, .. } => {
                kinds.insert("Metadata");
                duration = seconds;
            }
            other => return Err(format!("{other:?}").into()),
        }
    }
    Ok(json!({
        "kinds": kinds, "text": texts.join(" "), "interims": interims, "from_finalize": flushed, "words": words,
        "request_id": request_id, "duration": duration,
    }))
}

async fn recording(client: &Deepgram, path: &str) -> Result<Value, Failure> {
    let file = tokio::fs::File::open(path).await?;
    let options = Options::builder().model(Model::Nova3).utterances(true).paragraphs(true).smart_format(true).build();
    let source = AudioSource::from_buffer_with_mime_type(file, "audio/wav");
    let answer = client.transcription().prerecorded(source, &options).await?;
    let best = &answer.results.channels[0].alternatives[0];
    Ok(json!({
        "text": best.transcript,
        "words": best.words.len(),
        "utterances": answer.results.utterances.as_ref().map_or(0, Vec::len),
        "paragraphs": best.paragraphs.as_ref().map_or(0, |paragraphs| paragraphs.paragraphs.len()),
        "duration": answer.metadata.duration,
    }))
}
