//! Live streams over real WebSockets.

use std::time::Duration;

use super::common::{
    TestServer, alike, bytes, clip, clip_path, clips, decoded, ogg_packets, recognized, recognized_decoded, transcript,
};
use linnet::audio::opus::OpusDecoder;
use linnet_server::Config;

const RAW: &str = "encoding=linear16&sample_rate=16000";

/// Bytes of 100 ms.
const MESSAGE: usize = 3200;

/// Two clips with a pause after each, long enough to end an utterance.
fn two_utterances() -> Vec<i16> {
    let mut samples = Vec::new();
    for name in clips().iter().take(2) {
        samples.extend(clip(name));
        samples.extend([0; 24_000]);
    }
    samples
}

#[tokio::test]
async fn speech_becomes_finals_with_the_facts_at_the_end() {
    let server = TestServer::default().await;
    let samples = two_utterances();
    let mut client = server.live(&format!("{RAW}&model=nova-3&tag=kiosk&extra=site:7")).await;
    client.stream(&bytes(&samples), MESSAGE).await;
    let session = client.finish().await;

    assert_eq!(session.text(0), recognized(&samples));
    assert_eq!((session.close_code(), session.close_reason()), (1000, ""));
    assert!(session.of_type("Results").all(|message| message["is_final"] == true), "no interims were asked for");
    assert!(session.finals().any(|message| message["speech_final"] == true));

    let mut covered = 0.0;
    for message in session.finals() {
        let start = message["start"].as_f64().unwrap();
        assert!((start - covered).abs() < 0.002, "finals cover the stream without gaps: {start} after {covered}");
        covered = start + message["duration"].as_f64().unwrap();
        assert_eq!(message["channel_index"], serde_json::json!([0, 1]));
        assert_eq!(message["from_finalize"], false);
        let alternative = &message["channel"]["alternatives"][0];
        let words = alternative["words"].as_array().unwrap();
        let text: Vec<_> = words.iter().map(|word| word["word"].as_str().unwrap()).collect();
        assert_eq!(text.join(" "), transcript(message));
        for word in words {
            let (from, to) = (word["start"].as_f64().unwrap(), word["end"].as_f64().unwrap());
            assert!(start - 0.001 <= from && from <= to && to <= covered + 0.001, "{word} in {start}..{covered}");
            assert!((0.0..=1.0).contains(&word["confidence"].as_f64().unwrap()));
        }
        assert_eq!(message["metadata"]["model_info"]["name"], "linnet-en");
    }

    let metadata = session.messages.last().unwrap();
    assert_eq!(metadata["type"], "Metadata");
    assert_eq!(metadata["duration"], (samples.len() as f64 / 16.0).floor() / 1000.0);
    assert_eq!(metadata["channels"], 1);
    assert_eq!(metadata["sha256"], sha256(&bytes(&samples)));
    assert_eq!(metadata["request_id"], session.finals().next().unwrap()["metadata"]["request_id"]);
    assert_eq!(metadata["tags"][0], "kiosk");
    assert_eq!(metadata["extra"]["site"], "7");
    let created = metadata["created"].as_str().unwrap();
    assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    linnet_server::auth::hex(&Sha256::digest(bytes))
}

#[tokio::test]
async fn interims_come_before_their_final_and_grow_from_the_last_one() {
    let server = TestServer::default().await;
    let mut client = server.live(&format!("{RAW}&interim_results=true&endpointing=false")).await;
    client.stream(&bytes(&two_utterances()), MESSAGE).await;
    let session = client.finish().await;
    let results: Vec<_> = session.of_type("Results").collect();
    let interims = results.iter().filter(|message| message["is_final"] == false).count();
    assert!(interims > 3, "{interims} interims");
    assert_eq!(session.finals().count(), 1, "no pause ends an utterance when endpointing is off");
    for pair in results.windows(2) {
        assert_eq!(pair[0]["start"], pair[1]["start"]);
        assert!(pair[0]["duration"].as_f64() <= pair[1]["duration"].as_f64());
    }
    assert_eq!(results.last().unwrap()["speech_final"], true, "the end of the stream ends the last utterance");
}

#[tokio::test]
async fn all_encodings_carry_the_same_words() {
    let server = TestServer::default().await;
    let samples = clip(&clips()[0]);
    let text = recognized(&samples);
    let floats: Vec<u8> = samples.iter().flat_map(|&x| (f32::from(x) / 32_768.0).to_le_bytes()).collect();
    let mut client = server.live("encoding=linear32&sample_rate=16000").await;
    client.stream(&floats, 1001).await;
    assert!(alike(&client.finish().await.text(0), &text));

    // The 8-bit encodings lose something, but not the time.
    for encoding in ["mulaw", "alaw"] {
        let mut client = server.live(&format!("encoding={encoding}&sample_rate=8000")).await;
        client.stream(&vec![0x55; 8000], 160).await;
        let session = client.finish().await;
        assert_eq!(session.messages.last().unwrap()["duration"], 1.0);
    }

    for name in ["formats/speech.wav", "formats/speech.flac", "sample-002120.ogg"] {
        let file = std::fs::read(clip_path(name)).unwrap();
        let mut client = server.live("").await;
        client.stream(&file, 777).await;
        let session = client.finish().await;
        let expected = recognized_decoded(&decoded(name), 16_000);
        assert!(alike(&session.text(0), &expected), "{name}: {:?}, not {expected:?}", session.text(0));
        assert_eq!(session.messages.last().unwrap()["sha256"], sha256(&file));
    }
}

#[tokio::test]
async fn a_file_is_recognized_while_it_is_sent() {
    let server = TestServer::default().await;
    let file = super::common::wav(&two_utterances());
    let mut client = server.live("interim_results=true").await;
    let (most, rest) = file.split_at(file.len() - 10_000);
    client.stream(most, 3200).await;
    let first = client.next().await.unwrap();
    assert_eq!(first["type"], "Results");
    client.stream(rest, 3200).await;
    assert_eq!(client.finish().await.close_code(), 1000);
}

#[tokio::test]
async fn channels_are_recognized_on_their_own() {
    let server = TestServer::default().await;
    let (left, right) = (clip(&clips()[0]), clip(&clips()[1]));
    let count = left.len().max(right.len());
    let at = |samples: &[i16], i: usize| samples.get(i).copied().unwrap_or(0);
    let both: Vec<i16> = (0..count).flat_map(|i| [at(&left, i), at(&right, i)]).collect();
    let mut client = server.live(&format!("{RAW}&channels=2&multichannel=true")).await;
    // Messages that cut frames in two.
    client.stream(&bytes(&both), 2 * MESSAGE + 2).await;
    let session = client.finish().await;
    let padded = |samples: &[i16]| (0..count).map(|i| at(samples, i)).collect::<Vec<_>>();
    assert!(alike(&session.text(0), &recognized(&padded(&left))));
    assert!(alike(&session.text(1), &recognized(&padded(&right))));
    assert!(session.finals().all(|message| message["channel_index"][1] == 2));
    assert_eq!(session.messages.last().unwrap()["channels"], 2);
}

#[tokio::test]
async fn finalize_flushes_and_the_stream_goes_on() {
    let server = TestServer::default().await;
    let samples = clip(&clips()[0]);
    let mut client = server.live(&format!("{RAW}&endpointing=false")).await;
    let mut texts = Vec::new();
    for _ in 0..2 {
        client.stream(&bytes(&samples), MESSAGE).await;
        client.text(r#"{"type":"Finalize"}"#).await;
        loop {
            let message = client.next().await.unwrap();
            texts.push(transcript(&message).to_owned());
            if message["from_finalize"] == true {
                break;
            }
        }
    }
    assert_eq!(texts, [recognized_whole(&samples), recognized_whole(&samples)]);
    // Nothing new: still an answer.
    client.text(r#"{"type":"Finalize","channel":0}"#).await;
    let message = client.next().await.unwrap();
    assert_eq!((&message["from_finalize"], transcript(&message)), (&true.into(), ""));
    let session = client.finish().await;
    assert_eq!((session.text(0).as_str(), session.close_code()), ("", 1000));
}

/// Without pauses that end utterances.
fn recognized_whole(samples: &[i16]) -> String {
    let mut config = linnet::StreamConfig::default();
    config.endpointing = None;
    let mut stream = super::common::engine().stream(config).unwrap();
    samples.chunks(1600).for_each(|part| stream.push_i16(part).unwrap());
    stream.finish().unwrap();
    while let Some(event) = stream.poll() {
        if let linnet::Event::Final(hypothesis) = event {
            return hypothesis.text().to_owned();
        }
    }
    String::new()
}

#[tokio::test]
async fn starts_and_ends_of_speech_are_told() {
    let server = TestServer::default().await;
    let query = format!("{RAW}&interim_results=true&vad_events=true&utterance_end_ms=1000&endpointing=false");
    let mut client = server.live(&query).await;
    client.stream(&bytes(&two_utterances()), MESSAGE).await;
    let session = client.finish().await;
    let started = session.of_type("SpeechStarted").next().expect("speech starts");
    assert_eq!(started["channel"], serde_json::json!([0, 1]));
    let ends: Vec<_> = session.of_type("UtteranceEnd").map(|m| m["last_word_end"].as_f64().unwrap()).collect();
    assert!(!ends.is_empty(), "{:?}", session.messages);
    assert!(ends.windows(2).all(|pair| pair[0] < pair[1]), "each end is told once: {ends:?}");
    let words: Vec<_> = session
        .finals()
        .flat_map(|m| m["channel"]["alternatives"][0]["words"].as_array().unwrap())
        .map(|word| (word["start"].as_f64().unwrap(), word["end"].as_f64().unwrap()))
        .collect();
    for end in ends {
        let next = words.iter().find(|word| word.1 > end + 0.2);
        assert!(next.is_none_or(|next| next.0 > end + 0.6), "a word at {next:?} comes too soon after {end}");
    }
}

#[tokio::test]
async fn a_silent_client_is_let_go_and_one_that_keeps_alive_is_not() {
    let config = Config { idle_timeout: Duration::from_millis(400), max_streams: Some(10), ..Config::default() };
    let server = TestServer::start(config).await;
    let silent = server.live(RAW).await;
    let mut alive = server.live(RAW).await;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        alive.text(r#"{"type": "KeepAlive"}"#).await;
    }
    let session = silent.rest().await;
    assert_eq!(session.close_code(), 1011);
    assert!(session.close_reason().starts_with("NET-0001"), "{}", session.close_reason());
    assert_eq!(alive.finish().await.close_code(), 1000);
}

#[tokio::test]
async fn an_empty_message_ends_the_stream_too() {
    let server = TestServer::default().await;
    let mut client = server.live(RAW).await;
    client.send(&[0; 6400]).await;
    client.send(&[]).await;
    let session = client.rest().await;
    assert_eq!((session.close_code(), session.messages.last().unwrap()["duration"].as_f64()), (1000, Some(0.2)));
}

#[tokio::test]
async fn what_is_no_audio_is_told_and_the_service_stays_up() {
    let config = Config { max_message: 100_000, max_streams: Some(10), ..Config::default() };
    let server = TestServer::start(config).await;
    let mut client = server.live("").await;
    client.stream(&b"This is not audio, whatever it claims. ".repeat(2000), 5000).await;
    let session = client.finish().await;
    assert_eq!(session.close_code(), 1008, "{session:?}");
    assert!(session.close_reason().starts_with("DATA-0000"), "{}", session.close_reason());

    let mut client = server.live(RAW).await;
    for text in ["", "{", "[]", r#"{"type":"Wonder"}"#, r#"{"type":5}"#, &"[".repeat(10_000)] {
        client.text(text).await;
        let error = client.next().await.unwrap();
        assert_eq!((&error["type"], &error["variant"]), (&"Error".into(), &"SchemaError".into()));
        assert!(error["message"].as_str().unwrap().len() <= 200);
    }
    for _ in 0..20 {
        client.text("{").await;
    }
    assert_eq!(client.rest().await.close_code(), 1008, "enough is enough");

    let mut client = server.live(RAW).await;
    client.send(&[0; 100_001]).await;
    assert_eq!(client.rest().await.close_code(), 1009);

    // Noise of all kinds is audio without a claim.
    let mut client = server.live("encoding=linear32&sample_rate=192000&channels=20&multichannel=true").await;
    client.stream(&[0xff; 99_991], 33_333).await;
    assert_eq!(client.finish().await.close_code(), 1000);

    // A client that just goes leaves its place.
    for _ in 0..30 {
        let mut client = server.live(RAW).await;
        client.send(&[1; 64_000]).await;
        drop(client);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.live(RAW).await.finish().await.close_code(), 1000);
}

#[tokio::test]
async fn a_fast_sender_is_slowed_down_not_stored() {
    let server = TestServer::default().await;
    let samples = clip(&clips()[1]).repeat(12);
    let mut client = server.live(RAW).await;
    // A minute of audio at once; the server takes it as it gets on.
    client.stream(&bytes(&samples), 64_000).await;
    let session = client.finish().await;
    assert_eq!(session.text(0), recognized(&samples));
}

#[tokio::test]
async fn many_streams_at_once_are_as_one_alone() {
    let server = TestServer::default().await;
    let clips: Vec<_> = clips().iter().map(|name| clip(name)).collect();
    let streams = (0..24).map(|i| {
        let samples = clips[i % clips.len()].clone();
        let server = &server;
        async move {
            let mut client = server.live(RAW).await;
            client.stream(&bytes(&samples), MESSAGE * (1 + i % 3)).await;
            (samples, client.finish().await)
        }
    });
    for (samples, session) in futures_util::future::join_all(streams).await {
        assert_eq!(session.text(0), recognized(&samples));
    }
}

#[tokio::test]
async fn words_are_written_as_asked() {
    let server = TestServer::default().await;
    let samples = clip(&clips()[0]);
    let spoken = recognized(&samples);
    let first = spoken.split(' ').next().unwrap().to_owned();
    let query = format!("{RAW}&punctuate=true&replace={first}:Xyz&search={first}");
    let mut client = server.live(&query).await;
    client.stream(&bytes(&samples), MESSAGE).await;
    let session = client.finish().await;
    let message = session.finals().next().unwrap();
    assert!(transcript(message).starts_with("Xyz"), "{message}");
    let word = &message["channel"]["alternatives"][0]["words"][0];
    assert_eq!(word["word"], "xyz");
    assert!(word["punctuated_word"].as_str().unwrap().starts_with("Xyz"));
    let search = &message["channel"]["search"][0];
    assert_eq!(search["query"], first.as_str());
    assert_eq!(search["hits"][0]["snippet"], first.as_str(), "what was said is found, not what is written for it");

    let mut client = server.live(RAW).await;
    client.text(r#"{"type":"Configure","features":{"punctuate":true}}"#).await;
    assert_eq!(client.next().await.unwrap()["type"], "ConfigureSuccess");
    client.text(r#"{"type":"Configure","features":{"diarize":true}}"#).await;
    assert_eq!(client.next().await.unwrap()["type"], "ConfigureFailure");
    client.stream(&bytes(&samples), MESSAGE).await;
    let session = client.finish().await;
    let text = session.text(0);
    assert!(text.starts_with(char::is_uppercase) && text.ends_with('.'), "{text}");
}

#[cfg(feature = "opus")]
#[tokio::test]
async fn opus_comes_in_packets_and_in_files() {
    let server = TestServer::default().await;
    let file = std::fs::read(clip_path("formats/speech.opus")).unwrap();
    // What the engine makes of the decoded file, which coding has changed a little.
    let expected = recognized_decoded(&decoded("formats/speech.opus"), 48_000);
    assert!(!expected.is_empty());

    // A file, with and without its name, also when packets were announced.
    for query in ["", "encoding=ogg-opus", "encoding=opus&sample_rate=48000"] {
        let mut client = server.live(query).await;
        client.stream(&file, 500).await;
        let session = client.finish().await;
        assert!(alike(&session.text(0), &expected), "{query}: {:?}, not {expected:?}", session.text(0));
        let metadata = session.messages.last().unwrap();
        assert_eq!((&metadata["duration"], metadata["sha256"].as_str()), (&2.736.into(), Some(&*sha256(&file))));
    }

    // Packets, one in each message, decoded to other rates and to both channels. One is damaged, and silence takes its
    // place.
    let packets = ogg_packets(&file);
    for (query, rate_hz, channels) in [
        ("sample_rate=16000", 16_000, 1),
        ("sample_rate=48000", 48_000, 1),
        ("channels=2&multichannel=true", 48_000, 2),
    ] {
        let mut client = server.live(&format!("encoding=opus&{query}")).await;
        let mut decoder = OpusDecoder::new(rate_hz, 1).unwrap();
        let mut samples = Vec::new();
        for (i, packet) in packets.iter().enumerate() {
            client.send(if i == 40 { &[3] } else { packet }).await;
            if i == 40 {
                samples.resize(samples.len() + rate_hz as usize / 50, 0.0);
            } else {
                samples.extend_from_slice(decoder.decode(packet).unwrap());
            }
        }
        let expected = recognized_decoded(&samples, rate_hz);
        let session = client.finish().await;
        for channel in 0..channels {
            let text = session.text(channel);
            assert!(alike(&text, &expected), "{query}: {text:?}, not {expected:?}");
        }
        let metadata = session.messages.last().unwrap();
        assert!((metadata["duration"].as_f64().unwrap() - 2.75).abs() < 0.03, "{metadata}");
        assert_eq!(metadata["warnings"][0]["type"], "damaged_audio", "{metadata}");
    }

    // What is none of it.
    let mut client = server.live("encoding=opus").await;
    client.send(&[3]).await;
    let session = client.rest().await;
    assert_eq!(session.close_code(), 1008);
    assert!(session.close_reason().starts_with("DATA-0000"), "{}", session.close_reason());
}

#[tokio::test]
async fn phrases_can_be_expected_in_mid_stream() {
    let server = TestServer::default().await;
    let samples = clip(&clips()[0]);
    // Strongly enough that it is heard where something near it was said.
    let mut client = server.live(&format!("{RAW}&endpointing=false")).await;
    client.text(r#"{"type":"Configure","keyterms":["mister quilter","of the middle classes","gospel"]}"#).await;
    assert_eq!(client.next().await.unwrap()["type"], "ConfigureSuccess");
    client.stream(&bytes(&samples), MESSAGE).await;
    let changed = client.finish().await;
    let keyterms = "keyterm=mister%20quilter&keyterm=of%20the%20middle%20classes&keyterm=gospel";
    let mut client = server.live(&format!("{RAW}&endpointing=false&{keyterms}")).await;
    client.stream(&bytes(&samples), MESSAGE).await;
    let asked = client.finish().await;
    assert_eq!(changed.text(0), asked.text(0), "as if they had been asked for at the start");
    assert_ne!(changed.text(0), recognized_whole(&samples), "the phrases make a difference");

    // None of a message that can't be carried out as a whole.
    let mut client = server.live(&format!("{RAW}&endpointing=false")).await;
    let many = serde_json::json!({
        "type": "Configure", "features": {"punctuate": true}, "keyterms": vec!["mister quilter"; 501],
    });
    client.text(&many.to_string()).await;
    let failure = client.next().await.unwrap();
    assert_eq!(
        (&failure["type"], &failure["code"]),
        (&"ConfigureFailure".into(), &"CONFIGURE_KEYTERMS_REFUSED".into())
    );
    // Set and taken back.
    client.text(r#"{"type":"Configure","keyterms":["mister quilter"]}"#).await;
    client.text(r#"{"type":"Configure","keyterms":[]}"#).await;
    client.stream(&bytes(&samples), MESSAGE).await;
    assert_eq!(client.finish().await.text(0), recognized_whole(&samples));

    // A phrase that the model can't write is told.
    let mut client = server.live(&format!("{RAW}&keyterm=%E6%97%A5%E6%9C%AC")).await;
    client.send(&[0; 6400]).await;
    let session = client.finish().await;
    assert_eq!(session.messages.last().unwrap()["warnings"][0]["type"], "rejected_phrase", "{session:?}");
}
