//! What the tests share: a server on a free port, clients over real sockets, and real speech.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use linnet::{AudioFormat, Engine, Event, Stream, StreamConfig, audio::AudioFile};
use linnet_server::{Config, Server};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderName, HeaderValue, Response},
        protocol::CloseFrame,
    },
};

/// Nothing in the tests takes longer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The committed default model.
pub fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::open(root().join("models/linnet-en.linnet")).unwrap()).clone()
}

/// Root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Path of a speech clip of the engine's tests.
pub fn clip_path(name: &str) -> PathBuf {
    root().join("engine/tests/data/speech").join(name)
}

/// Names of the speech clips.
pub fn clips() -> Vec<String> {
    let table = std::fs::read_to_string(clip_path("transcripts.tsv")).unwrap();
    table.lines().skip(1).map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

/// A clip of one channel as it is decoded.
pub fn decoded(name: &str) -> Vec<f32> {
    let mut file = AudioFile::open(clip_path(name)).unwrap();
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        samples.extend_from_slice(block);
    }
    samples
}

/// A 16 kHz mono clip as 16-bit samples.
pub fn clip(name: &str) -> Vec<i16> {
    decoded(name).iter().map(|x| (x * 32_768.0).clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// Samples as bytes of linear16.
pub fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// What the engine alone makes of 16 kHz mono samples, with the pause after which the server ends utterances.
pub fn recognized(samples: &[i16]) -> String {
    // In the pieces that the server makes of messages of 100 ms: the last digits of the computation depend on them.
    finals_of(AudioFormat::default(), |stream| samples.chunks(1600).for_each(|part| stream.push_i16(part).unwrap()))
}

/// The same of samples that a server decodes: rounded to 16 bits they may be other words.
pub fn recognized_decoded(samples: &[f32], rate_hz: u32) -> String {
    let format = AudioFormat { rate_hz, channels: 1 };
    finals_of(format, |stream| samples.chunks(1000).for_each(|part| stream.push_f32(part).unwrap()))
}

fn finals_of(audio: AudioFormat, push: impl FnOnce(&mut Stream)) -> String {
    let mut config = StreamConfig::default();
    config.audio = audio;
    config.endpointing = Some(Duration::from_millis(300));
    config.adaptive_endpointing = false;
    config.unfinished_pause = Duration::ZERO;
    let mut stream = engine().stream(config).unwrap();
    push(&mut stream);
    stream.finish().unwrap();
    let mut texts = Vec::new();
    while let Some(event) = stream.poll() {
        if let Event::Final(hypothesis) = event
            && !hypothesis.text().is_empty()
        {
            texts.push(hypothesis.text().to_owned());
        }
    }
    texts.join(" ")
}

/// Whether two texts are the same but for a word or two, which rounding may change when audio is cut in other pieces.
pub fn alike(one: &str, other: &str) -> bool {
    let (one, other): (Vec<_>, Vec<_>) = (one.split(' ').collect(), other.split(' ').collect());
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()] <= 1.max(one.len() / 5)
}

/// What the engine alone makes of a whole recording.
pub fn transcribed(samples: &[i16], format: AudioFormat) -> String {
    let floats: Vec<f32> = samples.iter().map(|&x| f32::from(x) / 32_768.0).collect();
    engine().transcribe(&floats, format).unwrap().text().to_owned()
}

/// What the engine makes of a whole clip, of the samples that a server decodes: rounded to 16 bits they may be other words.
pub fn transcribed_clip(name: &str) -> String {
    let format = AudioFormat { rate_hz: 16_000, channels: 1 };
    engine().transcribe(&decoded(name), format).unwrap().text().to_owned()
}

/// A server that runs until it is told to stop.
pub struct TestServer {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl TestServer {
    pub async fn start(config: Config) -> Self {
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), engine(), config).await.unwrap();
        let address = server.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self { address, stop: Some(stop), running }
    }

    /// With the settings of the tests.
    pub async fn default() -> Self {
        Self::start(Config { max_streams: Some(100), max_recordings: 100, ..Config::default() }).await
    }

    /// Tells the server to stop.
    pub fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until it has stopped.
    pub async fn stopped(self) {
        timeout(PATIENCE, self.running).await.expect("the server stops").unwrap();
    }

    /// Opens a live stream.
    pub async fn live(&self, query: &str) -> Client {
        self.try_live(query, &[]).await.expect("the stream is let in").0
    }

    /// Opens a live stream with more header fields, or says why not.
    pub async fn try_live(
        &self,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Client, Response<()>), Response<String>> {
        let url = format!("ws://{}/v1/listen?{query}", self.address);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        match timeout(PATIENCE, connect_async(request)).await.expect("the server answers") {
            Ok((socket, response)) => Ok((Client { socket }, response.map(|_| ()))),
            Err(tungstenite::Error::Http(response)) => {
                Err(response.map(|body| String::from_utf8(body.unwrap_or_default()).unwrap()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Sends bytes over a new connection, and reads the answer to the end of the connection.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        // The server may answer and close before it has read everything.
        let _ = socket.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("the server closes the connection");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A GET without anything special. Status, head and body.
    pub async fn get(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        Answer::parse(&self.raw(request.as_bytes()).await)
    }

    /// A recording in one piece.
    pub async fn post(&self, query: &str, headers: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let mut request = format!(
            "POST /v1/listen?{query} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n",
            self.address
        )
        .into_bytes();
        request.extend_from_slice(body);
        Answer::parse(&self.raw(&request).await)
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.into() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A client of the protocol.
pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// Everything that came until the connection was closed.
#[derive(Debug)]
pub struct Session {
    pub messages: Vec<Value>,
    pub close: Option<CloseFrame>,
}

impl Client {
    pub async fn send(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// Sends audio in messages of a size.
    pub async fn stream(&mut self, bytes: &[u8], size: usize) {
        for part in bytes.chunks(size) {
            self.send(part).await;
        }
    }

    pub async fn text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message of the protocol; `None` when the connection is closed.
    pub async fn next(&mut self) -> Result<Value, Option<CloseFrame>> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("a message comes") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Reads to the end.
    pub async fn rest(mut self) -> Session {
        let mut messages = Vec::new();
        loop {
            match self.next().await {
                Ok(message) => messages.push(message),
                Err(close) => return Session { messages, close },
            }
        }
    }

    /// Ends the stream and reads to the end.
    pub async fn finish(mut self) -> Session {
        self.text(r#"{"type":"CloseStream"}"#).await;
        self.rest().await
    }
}

impl Session {
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.messages.iter().filter(move |message| message["type"] == kind)
    }

    pub fn finals(&self) -> impl Iterator<Item = &Value> {
        self.of_type("Results").filter(|message| message["is_final"] == true)
    }

    /// The text of all finals of a channel.
    pub fn text(&self, channel: u64) -> String {
        let texts = self.finals().filter(|message| message["channel_index"][0] == channel).map(transcript);
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }

    pub fn close_code(&self) -> u16 {
        self.close.as_ref().map_or(0, |frame| frame.code.into())
    }

    pub fn close_reason(&self) -> &str {
        self.close.as_ref().map_or("", |frame| frame.reason.as_str())
    }
}

pub fn transcript(results: &Value) -> &str {
    results["channel"]["alternatives"][0]["transcript"].as_str().unwrap()
}

/// A 16 kHz mono WAV file.
pub fn wav(samples: &[i16]) -> Vec<u8> {
    let data = bytes(samples);
    let length = u32::try_from(data.len()).unwrap();
    let mut file = Vec::with_capacity(44 + data.len());
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + length).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&16_000_u32.to_le_bytes());
    file.extend_from_slice(&32_000_u32.to_le_bytes());
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&data);
    file
}

/// The packets of an Ogg file (RFC 3533) behind its two headers.
#[cfg(feature = "opus")]
pub fn ogg_packets(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut packets, mut packet, mut rest) = (Vec::new(), Vec::new(), file);
    while !rest.is_empty() {
        let (head, lengths) = rest.split_at(27);
        assert_eq!(&head[..4], b"OggS");
        let (lengths, mut data) = lengths.split_at(head[26].into());
        for &length in lengths {
            let (segment, more) = data.split_at(length.into());
            packet.extend_from_slice(segment);
            data = more;
            if length < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        rest = data;
    }
    packets.split_off(2)
}
