//! Who is let in, what operators see, and how the server behaves in bad company and at its end.

use std::time::Duration;

use super::common::{Answer, TestServer, bytes, clip, clips, recognized};
use linnet_server::{
    Config, Server, ServerError,
    auth::{Tokens, new_token},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const RAW: &str = "encoding=linear16&sample_rate=16000";

fn tokens(lines: &str) -> Tokens {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    Tokens::read(file.path()).unwrap()
}

fn header<'a, T>(answer: &'a tokio_tungstenite::tungstenite::http::Response<T>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn tokens_are_asked_for() {
    let (token, line) = new_token("kiosk");
    let config = Config { tokens: Some(tokens(&format!("{line} 1"))), max_streams: Some(5), ..Config::default() };
    let server = TestServer::start(config).await;

    let wrong = format!("Token {}", new_token("kiosk").0);
    let long = "Token ".to_owned() + &"x".repeat(5000);
    for value in ["", "Token", "Basic abc", &wrong, &long] {
        let refused = server.try_live(RAW, &[("authorization", value)]).await.err().unwrap();
        assert_eq!(refused.status(), 401);
        assert!(refused.body().contains("INVALID_AUTH"));
        assert_eq!(header(&refused, "dg-error"), "Invalid credentials.");
        assert_eq!(header(&refused, "dg-request-id").len(), 36);
    }
    assert_eq!(server.post(RAW, "", &[0; 100]).await.status, 401);
    assert_eq!(server.post(RAW, &format!("Authorization: Bearer {token}\r\n"), &[0; 6400]).await.status, 200);

    let (client, answer) = server.try_live(RAW, &[("authorization", &format!("Token {token}"))]).await.unwrap();
    assert_eq!(header(&answer, "dg-request-id").len(), 36);
    // The token's own limit.
    let refused = server.try_live(RAW, &[("authorization", &format!("bearer {token}"))]).await.err().unwrap();
    assert_eq!(refused.status(), 429);
    client.finish().await;

    // As a browser does it.
    let protocols = format!("token, {token}");
    for attempt in 0.. {
        match server.try_live(RAW, &[("sec-websocket-protocol", &protocols)]).await {
            Ok((_, answer)) => {
                assert_eq!(header(&answer, "sec-websocket-protocol"), "token");
                break;
            }
            // The place of the stream before is given back in a moment.
            Err(_) if attempt < 50 => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(refused) => panic!("{refused:?}"),
        }
    }
}

#[tokio::test]
async fn nobody_serves_the_world_by_mistake() {
    let config = Config { max_streams: Some(1), ..Config::default() };
    let address = "0.0.0.0:0".parse().unwrap();
    let refused = Server::bind(address, super::common::engine(), config.clone()).await.err().unwrap();
    assert!(matches!(refused, ServerError::Open(_)), "{refused}");
    Server::bind(address, super::common::engine(), Config { allow_open: true, ..config }).await.unwrap();
}

#[tokio::test]
async fn pages_of_other_sites_cannot_listen_in() {
    let server = TestServer::default().await;
    let own = format!("http://{}", server.address);
    assert!(server.try_live(RAW, &[("origin", &own)]).await.is_ok());
    for headers in [
        [("origin", "https://example.org"), ("x-a", "b")],
        [("origin", "null"), ("x-a", "b")],
        [("host", "rebound.example.org:80"), ("origin", "http://rebound.example.org:80")],
    ] {
        let refused = server.try_live(RAW, &headers).await.err().unwrap();
        assert_eq!(refused.status(), 403, "{headers:?}");
    }
}

#[tokio::test]
async fn more_than_can_be_served_is_refused_with_a_time_to_come_back() {
    let server = TestServer::start(Config { max_streams: Some(2), max_recordings: 1, ..Config::default() }).await;
    let first = server.live(RAW).await;
    let _second = server.live(RAW).await;
    let refused = server.try_live(RAW, &[]).await.err().unwrap();
    assert_eq!(refused.status(), 429);
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() > 0);
    assert!(header(&refused, "dg-error").contains("try again"));
    first.finish().await;
    for attempt in 0.. {
        match server.try_live(RAW, &[]).await {
            Ok(_) => break,
            Err(_) if attempt < 50 => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(refused) => panic!("{refused:?}"),
        }
    }

    let mut waiting = TcpStream::connect(server.address).await.unwrap();
    waiting
        .write_all(b"POST /v1/listen HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nRIFF")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let refused = server.post(RAW, "", &[0; 100]).await;
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: "));
}

#[tokio::test]
async fn bad_parameters_are_named_before_the_upgrade() {
    let server = TestServer::default().await;
    for (query, name) in
        [("encoding=linear16", "sample_rate"), ("encoding=g729", "encoding"), ("keywords=tea:much", "keywords")]
    {
        let refused = server.try_live(query, &[]).await.err().unwrap();
        assert_eq!(refused.status(), 400);
        assert!(header(&refused, "dg-error").contains(name));
        let body: serde_json::Value = serde_json::from_str(refused.body()).unwrap();
        assert_eq!(body["err_code"], "Bad Request");
        assert_eq!(body["err_msg"], header(&refused, "dg-error"));
    }
    let answer = server.get("/v1/listen").await;
    assert_eq!((answer.status, answer.json()["err_code"].as_str()), (400, Some("Bad Request")));
    for path in [
        "/v2/listen",
        "/v1/../../etc/passwd",
        "/v1/listen/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/page.js/../../../src/main.rs",
        "//etc/passwd",
        "/page.js%00.css",
        "/\\..\\..\\windows",
        "/v1/listen/",
        "/.git/config",
    ] {
        let answer = server.get(path).await;
        assert!([400, 404].contains(&answer.status) && !answer.body.contains("root:"), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn operators_see_what_happens() {
    let server = TestServer::default().await;
    assert_eq!(server.get("/healthz").await.body, "ok\n");
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.json()["max_streams"].as_u64()), (200, Some(100)));
    let mut client = server.live(RAW).await;
    client.stream(&bytes(&clip(&clips()[0])), 3200).await;
    client.text(r#"{"type":"Finalize"}"#).await;
    client.next().await.unwrap();
    let metrics = server.get("/metrics").await;
    for name in [
        "linnet_streams 1",
        "linnet_streams_limit 100",
        "linnet_connections ",
        "linnet_audio_microseconds_total ",
        "linnet_results_total{kind=\"final\"} ",
        "linnet_results_latency_seconds_bucket{kind=\"final\",le=\"0.4\"} ",
        "linnet_requests_total{kind=\"live\",status=\"101\"} ",
    ] {
        assert!(metrics.body.contains(name), "{name} is missing in\n{}", metrics.body);
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let server = TestServer::default().await;
    let page = server.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-security-policy: default-src 'none'"));
    let mut parts = page.body.clone();
    for part in ["page.css", "page.js", "capture.js"] {
        let file = server.get(&format!("/{part}")).await;
        assert_eq!(file.status, 200);
        parts += &file.body;
    }
    assert!(parts.contains("AudioWorkletProcessor") && parts.contains("page.js") && parts.contains("capture.js"));
    for elsewhere in ["https://", "http://", "//cdn", "import("] {
        assert!(!parts.contains(elsewhere), "{elsewhere}");
    }
}

#[tokio::test]
async fn stopping_lets_streams_end_and_takes_no_new_ones() {
    let mut server = TestServer::default().await;
    let samples = clip(&clips()[0]);
    let mut client = server.live(RAW).await;
    client.stream(&bytes(&samples[..samples.len() / 2]), 3200).await;
    server.stop();
    let refused = loop {
        match server.try_live(RAW, &[]).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.status(), 503);
    assert!(!header(&refused, "retry-after").is_empty());
    assert_eq!(server.get("/readyz").await.status, 503);
    client.stream(&bytes(&samples[samples.len() / 2..]), 3200).await;
    let session = client.finish().await;
    assert_eq!((session.text(0), session.close_code()), (recognized(&samples), 1000));
    server.stopped().await;
}

#[tokio::test]
async fn streams_that_do_not_end_are_finalized_when_time_is_up() {
    let config = Config { drain_timeout: Duration::from_millis(300), max_streams: Some(5), ..Config::default() };
    let mut server = TestServer::start(config).await;
    let samples = clip(&clips()[0]);
    let mut client = server.live(RAW).await;
    client.stream(&bytes(&samples), 3200).await;
    server.stop();
    let session = client.rest().await;
    assert_eq!(session.text(0), recognized(&samples), "nothing that was sent is lost");
    assert_eq!(session.messages.last().unwrap()["type"], "Metadata");
    assert_eq!(session.close_code(), 1012);
    server.stopped().await;
}

#[tokio::test]
async fn bad_company_is_shown_the_door() {
    let config = Config {
        header_timeout: Duration::from_millis(500),
        max_connections: 50,
        max_streams: Some(100),
        ..Config::default()
    };
    let server = TestServer::start(config).await;
    // Heads that come too slowly, are too long, or are none.
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /v1/listen HTTP/1.1\r\nHost: x\r\nX-A: ").await.unwrap();
    let flood = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: b\r\n".repeat(5000));
    let answer = server.raw(flood.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let garbage: Vec<u8> = (0..100_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let answer = server.raw(&garbage).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(super::common::PATIENCE, slow.read_to_end(&mut rest)).await.expect("it is closed");

    // More connections than are taken, most of which say nothing: others are served when those time out.
    let mut crowd = Vec::new();
    for _ in 0..500 {
        crowd.push(TcpStream::connect(server.address).await.unwrap());
    }
    for _ in 0..3 {
        let answer = Answer::parse(&server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await);
        assert_eq!(answer.status, 200);
    }
    drop(crowd);
    let samples = clip(&clips()[0]);
    let mut client = server.live(RAW).await;
    client.stream(&bytes(&samples), 3200).await;
    assert_eq!(client.finish().await.text(0), recognized(&samples));
}

#[tokio::test]
async fn a_token_has_its_own_limits() {
    let (token, line) = new_token("kiosk");
    let config = Config { tokens: Some(tokens(&format!("{line} 3 0"))), max_streams: Some(5), ..Config::default() };
    let server = TestServer::start(config).await;
    let answer = server.post(RAW, &format!("Authorization: Token {token}\r\n"), &[0; 6400]).await;
    assert_eq!(answer.status, 429);
    assert!(answer.body.contains("0 recordings"), "{answer:?}");
    assert!(server.try_live(RAW, &[("authorization", &format!("Token {token}"))]).await.is_ok());
}

#[tokio::test]
async fn the_canary_sings() {
    use linnet_server::canary::Canary;
    let name = &clips()[0];
    let audio = std::fs::read(super::common::clip_path(name)).unwrap().into();
    let text = super::common::transcribed_clip(name);
    let every = Duration::from_millis(100);
    let config = Config { canary: Some(Canary { audio, text, every }), max_streams: Some(1), ..Config::default() };
    let server = TestServer::start(config).await;
    for attempt in 0.. {
        let metrics = server.get("/metrics").await.body;
        if let Some(rate) = metrics.lines().find_map(|line| line.strip_prefix("linnet_canary_word_error_rate ")) {
            // Against its own words: the cuts of the audio may change one of them.
            assert!(rate.parse::<f64>().unwrap() < 0.25, "{rate}");
            assert!(metrics.contains("linnet_canary_runs_total{outcome=\"recognized\"} "));
            assert!(metrics.contains("linnet_breaker_open 0"));
            break;
        }
        assert!(attempt < 500, "no canary in\n{metrics}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn connections_over_tls() {
    use std::sync::Arc;

    use futures_util::{SinkExt, StreamExt};
    use linnet_server::tls::{TlsError, TlsFiles};
    use rustls::pki_types::ServerName;
    use tokio_rustls::TlsConnector;
    use tokio_tungstenite::{client_async, tungstenite::Message};

    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificates: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    let bind = async |files: &TlsFiles| {
        let config = Config { tls: Some(files.clone()), max_streams: Some(2), ..Config::default() };
        Server::bind("127.0.0.1:0".parse().unwrap(), super::common::engine(), config).await.err()
    };
    assert!(matches!(bind(&files).await, Some(ServerError::Tls(TlsError::File { .. }))));
    std::fs::write(&files.certificates, "no certificate").unwrap();
    std::fs::write(&files.key, "no key").unwrap();
    assert!(matches!(bind(&files).await, Some(ServerError::Tls(TlsError::Empty { .. }))));

    let make = || {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&files.certificates, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    };
    let connector = make();
    let config = Config { tls: Some(files.clone()), max_streams: Some(2), ..Config::default() };
    let server = TestServer::start(Config { header_timeout: Duration::from_millis(500), ..config }).await;
    let connect = async |connector: &TlsConnector| {
        let socket = TcpStream::connect(server.address).await.unwrap();
        connector.connect(ServerName::try_from("localhost").unwrap(), socket).await
    };

    let mut stream = connect(&connector).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert_eq!(Answer::parse(&answer).body, "ok\n");

    let samples = clip(&clips()[0]);
    let url = format!("wss://localhost/v1/listen?{RAW}");
    let (mut socket, _) = client_async(url, connect(&connector).await.unwrap()).await.unwrap();
    for part in bytes(&samples).chunks(3200) {
        socket.send(Message::binary(part.to_vec())).await.unwrap();
    }
    socket.send(Message::text(r#"{"type":"CloseStream"}"#)).await.unwrap();
    let mut texts = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            let message: serde_json::Value = serde_json::from_str(&text).unwrap();
            if message["type"] == "Results" {
                texts.push(super::common::transcript(&message).to_owned());
            }
        }
    }
    assert_eq!(texts.join(" ").trim(), recognized(&samples));

    // Who does not speak TLS, or says nothing, is let go.
    let plain = server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!plain.contains("ok"), "{plain:?}");
    assert_eq!(server.raw(b"").await, "");

    // A new certificate is taken up without a restart.
    let renewed = make();
    assert!(connect(&renewed).await.is_err());
    for attempt in 0.. {
        if connect(&renewed).await.is_ok() {
            break;
        }
        assert!(attempt < 100, "the new certificate is not taken up");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
