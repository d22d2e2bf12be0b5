//! Bad company in numbers: what it may cost is counted for the whole process, so these tests have one of their own, and
//! run one after the other.

#[path = "server/common.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod common;

use std::time::{Duration, Instant};

use common::{Answer, TestServer, bytes, clip, clips, recognized};
use futures_util::{SinkExt, StreamExt};
use linnet_server::Config;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::Message;

const RAW: &str = "encoding=linear16&sample_rate=16000";

/// Resident memory of this process, where the system tells.
fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? * 1024)
}

fn grown(before: Option<usize>) -> usize {
    resident_bytes().zip(before).map_or(0, |(now, before)| now.saturating_sub(before))
}

/// Speech is recognized as ever.
async fn serves(server: &TestServer) {
    let samples = clip(&clips()[0]);
    for attempt in 0.. {
        match server.try_live(RAW, &[]).await {
            Ok((mut client, _)) => {
                client.stream(&bytes(&samples), 3200).await;
                assert_eq!(client.finish().await.text(0), recognized(&samples));
                return;
            }
            // Places of those who left are given back in a moment.
            Err(_) if attempt < 100 => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(refused) => panic!("{refused:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_company_in_numbers_costs_little() {
    let config = Config {
        header_timeout: Duration::from_millis(300),
        max_connections: 200,
        max_streams: Some(50),
        max_message: 1 << 16,
        ..Config::default()
    };
    let server = TestServer::start(config).await;
    serves(&server).await;
    ten_thousand_connections(&server).await;
    floods_of_small_messages(&server).await;
    frames_that_promise_too_much(&server).await;
    crowds_of_slow_heads(&server).await;
    random_requests(&server).await;
    serves(&server).await;
}

/// In waves, as from a machine that has gone mad: silent, talking nonsense, or gone at once.
async fn ten_thousand_connections(server: &TestServer) {
    let before = resident_bytes();
    let began = Instant::now();
    for wave in 0..40 {
        let mut crowd = Vec::new();
        for i in 0..250 {
            let Ok(mut socket) = TcpStream::connect(server.address).await else { continue };
            let said: &[u8] = match (wave + i) % 5 {
                0 => b"",
                1 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
                2 => b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                3 => b"GET /v1/listen HTTP/1.1\r\nUpgrade: websocket\r\n",
                _ => b"\0\0\0\0\0\0\0\0",
            };
            let _ = socket.write_all(said).await;
            if i % 2 == 0 {
                crowd.push(socket);
            }
        }
    }
    println!("10000 connections in {:?}, {} kB", began.elapsed(), grown(before) / 1000);
    assert!(grown(before) < 20 << 20, "{} bytes", grown(before));
    let answer = Answer::parse(&server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await);
    assert_eq!(answer.status, 200);
}

/// Messages that cost the sender next to nothing.
async fn floods_of_small_messages(server: &TestServer) {
    let before = resident_bytes();
    for text in [r#"{"type":"Finalize"}"#, r#"{"type":"Configure","features":{}}"#, r#"{"type":"KeepAlive"}"#] {
        let (mut sink, mut stream) = server.live(RAW).await.socket.split();
        let flood = async {
            for _ in 0..20_000 {
                if sink.feed(Message::text(text)).await.is_err() || sink.feed(Message::binary(vec![0])).await.is_err() {
                    break;
                }
            }
            let _ = sink.send(Message::text(r#"{"type":"CloseStream"}"#)).await;
        };
        let answers = async {
            let mut last = None;
            while let Some(Ok(message)) = stream.next().await {
                last = Some(message);
            }
            last
        };
        let (_, last) =
            tokio::time::timeout(common::PATIENCE, futures_util::future::join(flood, answers)).await.unwrap();
        assert!(matches!(last, Some(Message::Close(Some(frame))) if u16::from(frame.code) == 1000), "{text}");
    }
    println!("120000 small messages: {} kB", grown(before) / 1000);
    assert!(grown(before) < 20 << 20, "{} bytes", grown(before));

    // A client that sends and never reads is stopped by its own socket, and let go.
    let (mut sink, stream) = server.live(RAW).await.socket.split();
    let finalize = Message::text(r#"{"type":"Finalize"}"#);
    let flood = async {
        for _ in 0..200_000 {
            if sink.feed(finalize.clone()).await.is_err() {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), flood).await;
    assert!(grown(before) < 30 << 20, "{} bytes", grown(before));
    drop((sink, stream));
}

/// WebSocket frames whose header announces gigabytes, or breaks the protocol.
async fn frames_that_promise_too_much(server: &TestServer) {
    let before = resident_bytes();
    let upgrade = format!(
        "GET /v1/listen?{RAW} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address
    );
    let frames: [&[u8]; 6] = [
        // A binary frame of 2^62 bytes.
        &[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
        // One just over the limit.
        &[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4],
        // Without a mask.
        &[0x82, 0x05, 1, 2, 3, 4, 5],
        // A reserved kind; a control frame in two parts; a continuation of nothing.
        &[0x83, 0x80, 1, 2, 3, 4],
        &[0x09, 0x80, 1, 2, 3, 4],
        &[0x80, 0x80, 1, 2, 3, 4],
    ];
    for frame in frames {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(upgrade.as_bytes()).await.unwrap();
        socket.write_all(frame).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(common::PATIENCE, socket.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{frame:?} is closed");
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    }
    assert!(grown(before) < 10 << 20, "{} bytes", grown(before));
}

/// As many slow heads as there are places: they are let go in time, and others served.
async fn crowds_of_slow_heads(server: &TestServer) {
    let mut crowd = Vec::new();
    for _ in 0..200 {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(b"GET /v1/listen HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        crowd.push(socket);
    }
    let dribble = tokio::spawn(async move {
        for _ in 0..50 {
            for socket in &mut crowd {
                let _ = socket.write_all(b"x").await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let began = Instant::now();
    assert_eq!(server.get("/healthz").await.status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    dribble.abort();
}

/// Requests that random bytes have got into.
async fn random_requests(server: &TestServer) {
    let mut state = 9u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let good = format!(
        "POST /v1/listen?{RAW}&smart_format=true&replace=a:b&search=c HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Content-Length: 64\r\n\r\n{}",
        server.address,
        "x".repeat(64)
    );
    let mut answered = 0;
    for _ in 0..300 {
        let mut request = good.clone().into_bytes();
        for _ in 0..=random(6) {
            let at = random(request.len());
            request[at] = random(256) as u8;
        }
        let answer = server.raw(&request).await;
        if !answer.is_empty() {
            let status = Answer::parse(&answer).status;
            assert!((200..500).contains(&status), "{answer}\nto {}", String::from_utf8_lossy(&request));
            answered += 1;
        }
    }
    assert!(answered > 100, "{answered} answers");
}
