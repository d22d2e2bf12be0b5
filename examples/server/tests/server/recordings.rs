//! Recordings over HTTP.

use std::time::Duration;

use super::common::{Answer, TestServer, alike, bytes, clip, clip_path, clips, transcribed, transcribed_clip, wav};
use linnet::AudioFormat;
use linnet_server::Config;
use serde_json::Value;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const MONO: AudioFormat = AudioFormat { rate_hz: 16_000, channels: 1 };

fn words(answer: &Value, channel: usize) -> Vec<String> {
    let words = answer["results"]["channels"][channel]["alternatives"][0]["words"].as_array().unwrap();
    words.iter().map(|word| word["word"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn files_are_transcribed_whole() {
    let server = TestServer::default().await;
    for name in ["formats/speech.wav", "formats/speech.flac", "formats/speech.mp3", "1272-128104-0000.ogg"] {
        let file = std::fs::read(clip_path(name)).unwrap();
        let answer = server.post("model=nova-3", "Content-Type: audio/wav\r\n", &file).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.head.contains("dg-request-id: "));
        let json = answer.json();
        let alternative = &json["results"]["channels"][0]["alternatives"][0];
        if !name.ends_with("mp3") {
            let text = alternative["transcript"].as_str().unwrap();
            assert!(alike(text, &transcribed_clip(name)), "{name}: {text}");
        }
        assert_eq!(words(&json, 0).join(" "), alternative["transcript"]);
        assert_eq!(json["metadata"]["channels"], 1);
        assert_eq!(json["metadata"]["transaction_key"], "deprecated");
        assert_eq!(json["metadata"]["models"].as_array().unwrap().len(), 1);
        assert_eq!(json["metadata"]["sha256"].as_str().unwrap().len(), 64);
        assert!(json["metadata"]["duration"].as_f64().unwrap() > 2.0);
    }
}

#[tokio::test]
async fn raw_samples_and_channels_are_taken_too() {
    let server = TestServer::default().await;
    let samples = clip(&clips()[0]);
    let query = "encoding=linear16&sample_rate=16000";
    let json = server.post(query, "", &bytes(&samples)).await.json();
    assert!(alike(&words(&json, 0).join(" "), &transcribed(&samples, MONO)));

    let both: Vec<i16> = samples.iter().flat_map(|&x| [x, 0]).collect();
    let json = server.post(&format!("{query}&channels=2&multichannel=true"), "", &bytes(&both)).await.json();
    assert!(alike(&words(&json, 0).join(" "), &transcribed(&samples, MONO)));
    assert_eq!(json["metadata"]["channels"], 2);
    assert_eq!(json["results"]["channels"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn words_are_grouped_by_pauses() {
    let server = TestServer::default().await;
    let mut samples = Vec::new();
    for name in clips().iter().take(3) {
        samples.extend(clip(name));
        samples.extend([0; 48_000]);
    }
    let json = server.post("utterances=true&utt_split=1.2&paragraphs=true", "", &wav(&samples)).await.json();
    let utterances = json["results"]["utterances"].as_array().unwrap();
    assert!(utterances.len() >= 2, "{json}");
    let joined: Vec<_> = utterances.iter().map(|utterance| utterance["transcript"].as_str().unwrap()).collect();
    assert_eq!(joined.join(" "), words(&json, 0).join(" "), "no word is lost");
    for pair in utterances.windows(2) {
        assert!(pair[0]["end"].as_f64().unwrap() + 1.199 <= pair[1]["start"].as_f64().unwrap());
    }
    let grouped = &json["results"]["channels"][0]["alternatives"][0]["paragraphs"];
    let count: u64 = grouped["paragraphs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|paragraph| paragraph["num_words"].as_u64().unwrap())
        .sum();
    assert_eq!(count, words(&json, 0).len() as u64);
    assert_eq!(grouped["transcript"].as_str().unwrap().replace("\n\n", " "), words(&json, 0).join(" "));
}

#[tokio::test]
async fn a_body_is_recognized_as_it_comes() {
    let server = TestServer::default().await;
    let samples = clip(&clips()[0]);
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /v1/listen HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        server.address
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    for part in wav(&samples).chunks(5000) {
        socket.write_all(format!("{:x}\r\n", part.len()).as_bytes()).await.unwrap();
        socket.write_all(part).await.unwrap();
        socket.write_all(b"\r\n").await.unwrap();
    }
    socket.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut socket, &mut answer).await.unwrap();
    assert!(alike(&words(&Answer::parse(&answer).json(), 0).join(" "), &transcribed(&samples, MONO)));
}

#[tokio::test]
async fn what_cannot_be_recognized_is_told() {
    let config = Config {
        max_body: 300_000,
        body_timeout: Duration::from_millis(300),
        max_recordings: 20,
        max_streams: Some(1),
        ..Config::default()
    };
    let server = TestServer::start(config).await;
    let json = "Content-Type: application/json\r\n";
    let cases = [
        (server.post("", json, br#"{"url":"http://localhost/a.wav"}"#).await, 400, "url"),
        (server.post("", "", b"").await, 400, "empty"),
        (server.post("", "", b"no audio at all, just a few words").await, 400, "not an audio file"),
        (server.post("encoding=speex", "", &[0; 100]).await, 400, "encoding"),
        (server.post("summarize=v2", "", &[0; 100]).await, 400, "summarize"),
        (server.post("", "", &[0; 300_001]).await, 413, "300000"),
    ];
    for (answer, status, part) in cases {
        assert_eq!(answer.status, status, "{answer:?}");
        let body = answer.json();
        assert!(body["err_msg"].as_str().unwrap().contains(part), "{body}");
        assert!(body["err_code"].is_string());
        assert!(answer.head.contains(&format!("dg-request-id: {}", body["request_id"].as_str().unwrap())));
        assert!(answer.head.contains("dg-error: "));
    }

    // Neither more bytes than announced by chunks, nor a body that stops.
    let head = "POST /v1/listen HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut flood = head.as_bytes().to_vec();
    for _ in 0..40 {
        flood.extend_from_slice(b"2710\r\n");
        flood.extend(wav(&[0; 4978]));
        flood.extend_from_slice(b"\r\n");
    }
    assert_eq!(Answer::parse(&server.raw(&flood).await).status, 413);
    let stalled = format!("{head}4\r\nRIFF\r\n");
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(stalled.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut socket, &mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");

    // A damaged file is recognized as far as it goes, with a word about it.
    let cut = &wav(&clip(&clips()[0]))[..100_000];
    let json = server.post("", "", cut).await.json();
    assert_eq!(json["metadata"]["warnings"][0]["type"], "damaged_audio", "{json}");
}

#[cfg(feature = "opus")]
#[tokio::test]
async fn opus_files_are_transcribed() {
    let server = TestServer::default().await;
    let file = std::fs::read(clip_path("formats/speech.opus")).unwrap();
    let plain = server.post("", "Content-Type: audio/ogg\r\n", &file).await.json();
    assert_eq!(plain["metadata"]["duration"], 2.736);
    assert!(!words(&plain, 0).is_empty());
    for encoding in ["opus", "ogg-opus"] {
        let named = server.post(&format!("encoding={encoding}&sample_rate=16000"), "", &file).await.json();
        assert_eq!(words(&named, 0), words(&plain, 0));
    }
    // What a browser records as it goes, which has no length.
    let webm = std::fs::read(clip_path("formats/speech.webm")).unwrap();
    let recorded = server.post("", "Content-Type: audio/webm;codecs=opus\r\n", &webm).await.json();
    assert!(!words(&recorded, 0).is_empty() && recorded["metadata"]["warnings"].is_null(), "{recorded}");

    // Packets have no boundaries in a body.
    let answer = server.post("encoding=opus&sample_rate=16000", "", &super::common::ogg_packets(&file).concat()).await;
    assert_eq!(answer.status, 400, "{answer:?}");
}
