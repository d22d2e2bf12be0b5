//! One stream over a link that breaks hundreds of times.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use linnet_client::{Client, ClientConfig, ClientEvent, Counters, Words};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{interval, sleep, timeout},
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// Samples of a block of audio, 100 ms. All have the same value: the word that is said in it, or zero.
const BLOCK: usize = 1600;

/// A recognizer that can't be wrong: the words of audio are in its samples. Lost, doubled or shifted audio shows.
async fn oracle(listener: TcpListener) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            // Faults end connections in all states.
            if let Ok(socket) = accept_async(socket).await {
                let _ = recognize(socket).await;
            }
        });
    }
}

async fn recognize(
    mut socket: tokio_tungstenite::WebSocketStream<TcpStream>,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let (mut samples, mut block, mut start) = (Vec::new(), 0usize, 0usize);
    let mut words: Vec<(usize, i16)> = Vec::new();
    while let Some(message) = socket.next().await {
        let flush = match message? {
            Message::Binary(bytes) => {
                samples.extend(bytes.as_chunks::<2>().0.iter().map(|&b| i16::from_le_bytes(b)));
                false
            }
            Message::Text(text) => text.contains("CloseStream"),
            _ => false,
        };
        while samples.len() >= BLOCK {
            let sound: Vec<i16> = samples.drain(..BLOCK).collect();
            let torn = sound.iter().any(|&sample| sample != sound[0]);
            if sound[0] != 0 || torn {
                words.push((block, if torn { -1 } else { sound[0] }));
                socket.send(results(&words, start, block + 1, false)).await?;
            }
            block += 1;
            // A pause, or many words, make a final.
            if (sound[0] == 0 && !words.is_empty()) || words.len() > 7 {
                socket.send(results(&words, start, block, true)).await?;
                words.clear();
                start = block;
            }
        }
        if flush {
            socket.send(results(&words, start, block, true)).await?;
            socket.send(Message::text(json!({"type": "Metadata", "request_id": "x"}).to_string())).await?;
            socket.close(None).await?;
        }
    }
    Ok(())
}

fn results(words: &[(usize, i16)], from: usize, to: usize, is_final: bool) -> Message {
    let seconds = |block: usize| block as f64 / 10.0;
    let text: Vec<String> = words.iter().map(|(_, word)| word.to_string()).collect();
    let list: Vec<_> = words
        .iter()
        .map(|&(at, word)| {
            json!({"word": word.to_string(), "start": seconds(at), "end": seconds(at + 1), "confidence": 1.0})
        })
        .collect();
    let message = json!({
        "type": "Results", "channel_index": [0, 1], "start": seconds(from), "duration": seconds(to - from),
        "is_final": is_final, "speech_final": false,
        "channel": {"alternatives": [{"transcript": text.join(" "), "confidence": 1.0, "words": list}]},
    });
    Message::text(message.to_string())
}

/// Forwards connections to a server, and does each of them some harm until there was enough.
async fn harmful_proxy(listener: TcpListener, server: SocketAddr, faults: Arc<AtomicUsize>, wanted: usize, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let fault = if faults.load(Ordering::Relaxed) < wanted {
            faults.fetch_add(1, Ordering::Relaxed);
            let bytes = random.usize(0..30_000);
            match random.u8(0..10) {
                0 => Fault::Refuse,
                1 => Fault::HalfOpen,
                2 => Fault::Stall { bytes },
                3..=4 => Fault::CutAnswers { bytes: bytes / 10 },
                5 => Fault::Dribble { bytes: bytes / 4 },
                _ => Fault::Cut { bytes },
            }
        } else {
            Fault::None
        };
        tokio::spawn(forward(client, server, fault));
    }
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    /// Closed at once.
    Refuse,
    /// Nothing is ever forwarded.
    HalfOpen,
    /// Nothing more is forwarded after so many bytes.
    Stall {
        bytes: usize,
    },
    /// Closed after so many bytes to the server.
    Cut {
        bytes: usize,
    },
    /// Closed after so many bytes from the server.
    CutAnswers {
        bytes: usize,
    },
    /// In packets of a few bytes, then closed.
    Dribble {
        bytes: usize,
    },
}

/// Longer than the client waits.
const FOREVER: Duration = Duration::from_secs(1);

async fn forward(client: TcpStream, server: SocketAddr, fault: Fault) {
    let (up, down, dribble) = match fault {
        Fault::Refuse => return,
        Fault::HalfOpen => return sleep(FOREVER).await,
        Fault::None => (usize::MAX, usize::MAX, false),
        Fault::Stall { bytes } | Fault::Cut { bytes } => (bytes, usize::MAX, false),
        Fault::CutAnswers { bytes } => (usize::MAX, bytes, false),
        Fault::Dribble { bytes } => (bytes, usize::MAX, true),
    };
    let server = TcpStream::connect(server).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    // Both sides are closed when either is through.
    tokio::select! {
        () = copy(&mut from_client, &mut to_server, up, dribble) => {}
        () = copy(&mut from_server, &mut to_client, down, dribble) => {}
    }
    if matches!(fault, Fault::Stall { .. }) {
        sleep(FOREVER).await;
    }
}

async fn copy(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    most: usize,
    dribble: bool,
) {
    let mut buffer = [0; 4096];
    let mut left = most;
    while left > 0 {
        let size = if dribble { 1 + left % 7 } else { buffer.len() }.min(left);
        match from.read(&mut buffer[..size]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => {
                if to.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
                left -= read;
            }
        }
        if dribble {
            tokio::task::yield_now().await;
        }
    }
}

/// Words of a long conversation: some, a pause, some more.
fn conversation(words: i16) -> Vec<i16> {
    let mut random = fastrand::Rng::with_seed(5);
    let mut blocks = Vec::new();
    for word in 1..=words {
        blocks.push(word);
        if random.u8(0..4) == 0 {
            blocks.extend(std::iter::repeat_n(0, random.usize(1..4)));
        }
    }
    blocks
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Sends blocks to a server until all is recognized, at a pace for as long as `paced` says.
async fn stream(
    config: ClientConfig,
    blocks: Vec<i16>,
    pace: Duration,
    paced: impl Fn() -> bool,
) -> (Vec<Words>, Counters, usize) {
    let mut client = Client::start(config);
    let mut due = interval(pace);
    let mut finals: Vec<Words> = Vec::new();
    let (mut interims, mut next) = (0, 0);
    loop {
        tokio::select! {
            event = client.event() => match event.expect("the last event is Finished") {
                ClientEvent::Final(words) => finals.push(words),
                ClientEvent::Interim(_) => interims += 1,
                ClientEvent::Finished(counters) => return (finals, counters, interims),
                ClientEvent::Gap { at, length } => panic!("{length:?} lost at {at:?}"),
                ClientEvent::Refused(why) => panic!("{why}"),
                _ => {}
            },
            _ = due.tick(), if next < blocks.len() => {
                if !paced() {
                    due = interval(Duration::from_millis(1));
                }
                client.push(vec![blocks[next]; BLOCK]).await.unwrap();
                next += 1;
                if next == blocks.len() {
                    client.finish();
                }
            }
        }
    }
}

fn text(finals: &[Words]) -> String {
    let texts: Vec<_> = finals.iter().map(|words| words.text.as_str()).filter(|text| !text.is_empty()).collect();
    texts.join(" ")
}

fn impatient(address: SocketAddr) -> ClientConfig {
    let mut config = ClientConfig::new(format!("ws://{address}"));
    config.first_wait = Duration::from_millis(2);
    config.longest_wait = Duration::from_millis(20);
    config.silence = Duration::from_millis(400);
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_faults_lose_and_double_nothing() {
    const FAULTS: usize = 220;
    let (listener, server) = listen().await;
    tokio::spawn(oracle(listener));
    let blocks = conversation(2500);

    let patient = ClientConfig::new(format!("ws://{server}"));
    let (uninterrupted, counters, _) = stream(patient, blocks.clone(), Duration::from_millis(1), || true).await;
    assert_eq!(counters.connections, 1);
    let expected: Vec<String> = blocks.iter().filter(|&&word| word != 0).map(i16::to_string).collect();
    assert_eq!(text(&uninterrupted), expected.join(" "));

    let (listener, proxy) = listen().await;
    let faults = Arc::new(AtomicUsize::new(0));
    tokio::spawn(harmful_proxy(listener, server, faults.clone(), FAULTS, 11));
    let silence = Duration::from_millis(200);
    let config = ClientConfig { keep: Duration::from_secs(600), silence, ..impatient(proxy) };
    // Slowly enough that the conversation outlasts the faults.
    let met = faults.clone();
    let streaming =
        stream(config, blocks.clone(), Duration::from_millis(10), move || met.load(Ordering::Relaxed) < FAULTS);
    let (finals, counters, interims) = timeout(Duration::from_secs(300), streaming).await.expect("it ends");
    println!("{counters:?}, {interims} interims, {} faults", faults.load(Ordering::Relaxed));
    assert_eq!(faults.load(Ordering::Relaxed), FAULTS, "all faults were met");
    assert_eq!(text(&finals), text(&uninterrupted));

    // The same words at the same times, and each part of the audio once.
    let words = |finals: &[Words]| finals.iter().flat_map(|f| f.words.clone()).collect::<Vec<_>>();
    assert_eq!(words(&finals), words(&uninterrupted));
    let mut covered = Duration::ZERO;
    for words in &finals {
        assert_eq!(words.start, covered, "{words:?}");
        covered = words.end;
    }
    assert_eq!(covered, Duration::from_millis(100) * blocks.len() as u32);
}

#[tokio::test]
async fn audio_that_waited_too_long_is_told() {
    let (listener, address) = listen().await;
    drop(listener);
    let mut client = Client::start(ClientConfig { keep: Duration::from_secs(1), ..impatient(address) });
    for block in 1..=30 {
        client.push(vec![block; BLOCK]).await.unwrap();
    }
    sleep(Duration::from_millis(100)).await;
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(oracle(listener));
    client.finish();
    let (mut gap, mut words) = (None, String::new());
    loop {
        match timeout(Duration::from_secs(20), client.event()).await.unwrap().unwrap() {
            ClientEvent::Gap { at, length } => gap = Some((at, length)),
            ClientEvent::Final(f) => words = format!("{words} {}", f.text),
            ClientEvent::Finished(counters) => {
                assert!(counters.failures > 0 && counters.away > Duration::from_millis(50));
                break;
            }
            _ => {}
        }
    }
    assert_eq!(gap, Some((Duration::ZERO, Duration::from_secs(2))));
    assert_eq!(words.trim(), (21..=30).map(|word| word.to_string()).collect::<Vec<_>>().join(" "));
}

#[tokio::test]
async fn a_server_that_refuses_is_not_asked_again() {
    use linnet_server::{Config, Server};
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/linnet-en.linnet");
    let engine = linnet::Engine::open(model).unwrap();
    let config = Config { max_streams: Some(2), ..Config::default() };
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), engine, config).await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(server.run(std::future::pending()));

    let mut client = Client::start(ClientConfig { query: "keywords=tea:much".into(), ..impatient(address) });
    let refused = loop {
        match timeout(Duration::from_secs(20), client.event()).await.unwrap().unwrap() {
            ClientEvent::Refused(why) => break why,
            ClientEvent::State(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(refused.contains("keywords"), "{refused}");
    while client.push(vec![0]).await.is_ok() {
        tokio::task::yield_now().await;
    }

    // A cut link to the real server: all of the audio is covered all the same, once.
    let (listener, proxy) = listen().await;
    let faults = Arc::new(AtomicUsize::new(0));
    tokio::spawn(harmful_proxy(listener, address, faults.clone(), 10, 3));
    let mut file = linnet::audio::AudioFile::open(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../engine/tests/data/speech/1272-128104-0000.ogg"
    ))
    .unwrap();
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        samples.extend(block.iter().map(|x| (x * 32_767.0) as i16));
    }
    let mut client = Client::start(impatient(proxy));
    for block in samples.chunks(BLOCK) {
        client.push(block.to_vec()).await.unwrap();
    }
    client.finish();
    let mut covered = Duration::ZERO;
    loop {
        match timeout(Duration::from_secs(60), client.event()).await.unwrap().unwrap() {
            ClientEvent::Final(words) => {
                assert!(words.start.abs_diff(covered) < Duration::from_millis(3), "{words:?} after {covered:?}");
                covered = words.end;
            }
            ClientEvent::Finished(_) => break,
            _ => {}
        }
    }
    assert!(faults.load(Ordering::Relaxed) > 0 && covered > Duration::from_secs(4), "{covered:?}");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_server_with_its_own_certificate_is_trusted_when_told_to() {
    use linnet_server::{Config, Server, tls::TlsFiles};
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificates: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&files.certificates, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/linnet-en.linnet");
    let config = Config { max_streams: Some(2), tls: Some(files), ..Config::default() };
    let engine = linnet::Engine::open(model).unwrap();
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), engine, config).await.unwrap();
    let url = format!("wss://localhost:{}", server.local_addr().unwrap().port());
    tokio::spawn(server.run(std::future::pending()));

    let last = async |ca: Option<String>| {
        let mut client = Client::start(ClientConfig { ca: ca.map(String::into_bytes), ..ClientConfig::new(&url) });
        let _ = client.push(vec![0; 16_000]).await;
        client.finish();
        let mut last = None;
        while let Some(event) = timeout(Duration::from_secs(20), client.event()).await.unwrap() {
            last = Some(event);
        }
        last.unwrap()
    };
    let finished = last(Some(made.cert.pem())).await;
    assert!(matches!(finished, ClientEvent::Finished(Counters { connections: 1, .. })), "{finished:?}");
    let refused = last(None).await;
    assert!(matches!(&refused, ClientEvent::Refused(why) if why.contains("certificate")), "{refused:?}");
}
