//! Opens many real-time streams to a server at once, and tells how long results take.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use hdrhistogram::Histogram;
use linnet::audio::formats::AudioFile;
use serde_json::Value;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

/// Opens N live streams, each with speech at its own pace, and reports latencies.
///
/// The server's share of interims and finals is the time from the moment at which the last audio that a result covers
/// was sent until the result is there. What a listener waits for is the time from the end of the last word of a final (by
/// the recognizer's own times), which has the model's chunk and the pause that ends an utterance in it; and for the first
/// interim of an utterance the time from the start of its first word, as an interim does not know where a word ends.
#[derive(Debug, Parser)]
#[command(name = "linnet-load", version)]
struct Args {
    /// The server: ws://HOST:PORT
    server: String,
    /// 16 kHz mono recordings of speech; streams start at different ones.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Streams at once.
    #[arg(long, default_value = "10")]
    streams: usize,
    /// How long each stream lasts, in seconds.
    #[arg(long, default_value = "30")]
    seconds: u64,
    /// How long none of the streams sends anything at first, to see what idle ones cost, in seconds.
    #[arg(long, default_value = "0")]
    idle: u64,
    /// Audio per message, in ms.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u64).range(1..=1000))]
    message_ms: u64,
    /// Also report processor time and memory of this process, the server's, from /proc.
    #[arg(long)]
    pid: Option<u32>,
    /// Token for the server.
    #[arg(long)]
    token: Option<String>,
}

const RATE_HZ: usize = 16_000;

/// What all streams found.
struct Report {
    interims: Histogram<u64>,
    finals: Histogram<u64>,
    /// From the end of the last word of a final, and from the start of an utterance's first word to its first interim.
    words_to_finals: Histogram<u64>,
    first_interims: Histogram<u64>,
    refused: usize,
    broken: usize,
    words: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(run(args)) {
        Ok(code) => code,
        Err(error) => fail(error.as_ref()),
    }
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("linnet-load: {error}");
    ExitCode::FAILURE
}

async fn run(args: Args) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let clips = args.files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let report = Arc::new(Mutex::new(Report {
        interims: histogram()?,
        finals: histogram()?,
        words_to_finals: histogram()?,
        first_interims: histogram()?,
        refused: 0,
        broken: 0,
        words: 0,
    }));
    let args = Arc::new(args);
    let empty = args.pid.map(resident_mb).transpose()?;
    let before = args.pid.map(processor_seconds).transpose()?;
    let began = Instant::now();
    let mut streams = Vec::new();
    for index in 0..args.streams {
        // Each stream says all of the recordings, from another one on, until its time is up.
        let wanted = args.seconds as usize * RATE_HZ;
        let order = clips.iter().cycle().skip(index % clips.len());
        let audio: Vec<u8> = order.flatten().take(wanted).flat_map(|sample| sample.to_le_bytes()).collect();
        let (args, report) = (args.clone(), report.clone());
        // Messages of different streams come at different moments.
        let delay = Duration::from_secs_f64(fastrand::f64() * 2.0);
        streams.push(tokio::spawn(async move {
            tokio::time::sleep(delay.min(Duration::from_secs(args.seconds) / 4)).await;
            stream(&args, &audio, &report).await;
        }));
    }
    let mut idle = None;
    let memory = match args.pid {
        Some(pid) => {
            if args.idle > 0 {
                tokio::time::sleep(Duration::from_secs(args.idle)).await;
                idle = Some(resident_mb(pid)?);
            }
            tokio::time::sleep(Duration::from_secs(args.seconds / 2 + 2)).await;
            Some(resident_mb(pid)?)
        }
        None => None,
    };
    for stream in streams {
        stream.await?;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let report = report.lock().map_err(|error| error.to_string())?;
    println!("streams {} refused {} broken {} words {}", args.streams, report.refused, report.broken, report.words);
    for (name, histogram) in [
        ("interim", &report.interims),
        ("final", &report.finals),
        ("first_interim_after_start", &report.first_interims),
        ("final_after_word", &report.words_to_finals),
    ] {
        let at = |q| histogram.value_at_quantile(q) as f64 / 1000.0;
        println!(
            "{name}_ms count {} p50 {:.0} p95 {:.0} p99 {:.0} max {:.0}",
            histogram.len(),
            at(0.5),
            at(0.95),
            at(0.99),
            histogram.max() as f64 / 1000.0
        );
    }
    if let (Some(pid), Some(before), Some(empty), Some(memory)) = (args.pid, before, empty, memory) {
        let busy = processor_seconds(pid)? - before;
        let streams = (args.streams - report.refused).max(1) as f64;
        let each = |memory: f64| (memory - empty) * 1000.0 / streams;
        println!(
            "server cores {:.2} resident_mb {memory:.0} before_mb {empty:.0} kb_per_stream {:.0}",
            busy / elapsed,
            each(memory)
        );
        if let Some(idle) = idle {
            println!("idle resident_mb {idle:.0} kb_per_stream {:.0}", each(idle));
        }
    }
    Ok(if report.broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// For microseconds up to ten minutes. Without bounds, values beyond those seen so far would be cut off.
fn histogram() -> Result<Histogram<u64>, hdrhistogram::CreationError> {
    Histogram::new_with_bounds(1, 600_000_000, 3)
}

fn read(path: &PathBuf) -> Result<Vec<i16>, Box<dyn std::error::Error>> {
    let mut file = AudioFile::open(path)?;
    if (file.rate_hz() as usize, file.channels()) != (RATE_HZ, 1) {
        return Err(format!("{}: it is not 16 kHz mono", path.display()).into());
    }
    let mut samples = Vec::new();
    while let Some(block) = file.next_block()? {
        samples.extend(block.iter().map(|x| (x * 32_768.0).clamp(-32_768.0, 32_767.0) as i16));
    }
    // A pause that ends the utterance.
    samples.extend(std::iter::repeat_n(0, RATE_HZ));
    Ok(samples)
}

async fn stream(args: &Args, audio: &[u8], report: &Mutex<Report>) {
    let result = talk(args, audio, report).await;
    let Ok(mut report) = report.lock() else { return };
    match result {
        Ok(()) => {}
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) if response.status() == 429 => report.refused += 1,
        Err(error) => {
            eprintln!("linnet-load: {error}");
            report.broken += 1;
        }
    }
}

async fn talk(args: &Args, audio: &[u8], report: &Mutex<Report>) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let query = "encoding=linear16&sample_rate=16000&interim_results=true&endpointing=300";
    let mut request = format!("{}/v1/listen?{query}", args.server.trim_end_matches('/')).into_client_request()?;
    if let Some(token) = args.token.as_ref().and_then(|token| HeaderValue::from_str(&format!("Token {token}")).ok()) {
        request.headers_mut().insert("authorization", token);
    }
    let (socket, _) = connect_async(request).await?;
    let (mut sink, mut messages) = socket.split();
    let bytes = RATE_HZ * 2 * args.message_ms as usize / 1000;
    let step = Duration::from_millis(args.message_ms);
    let idle = Duration::from_secs(args.idle);
    let began = Instant::now() + idle;
    let mut spoken = false;
    let sending = async {
        // Quiet streams are kept open.
        let keep_alive = Duration::from_secs(4);
        for _ in 0..idle.as_secs() / keep_alive.as_secs() {
            tokio::time::sleep(keep_alive).await;
            sink.send(Message::text(r#"{"type":"KeepAlive"}"#)).await?;
        }
        for (index, part) in (1u32..).zip(audio.chunks(bytes)) {
            // A message is there when the last of its samples has been spoken.
            tokio::time::sleep_until((began + step * index).into()).await;
            sink.send(Message::binary(part.to_vec())).await?;
        }
        sink.send(Message::text(r#"{"type":"CloseStream"}"#)).await
    };
    let receiving = async {
        while let Some(message) = messages.next().await {
            let Message::Text(text) = message? else { continue };
            note(&text, began, step, &mut spoken, report);
        }
        Ok(())
    };
    tokio::try_join!(sending, receiving).map(|_| ())
}

/// Takes the time of a result. `spoken` tells whether the utterance has had an interim.
fn note(text: &str, began: Instant, step: Duration, spoken: &mut bool, report: &Mutex<Report>) {
    let now = began.elapsed();
    let Ok(message) = serde_json::from_str::<Value>(text) else { return };
    if message["type"] != "Results" {
        return;
    }
    let number = |value: &Value| value.as_f64().unwrap_or(0.0);
    let end = number(&message["start"]) + number(&message["duration"]);
    // The message that held the last of it was sent when all of that message had been spoken.
    let sent = step.as_secs_f64() * (end / step.as_secs_f64()).ceil();
    let since = |time: f64| ((now.as_secs_f64() - time).max(0.0) * 1e6) as u64;
    let latency = since(sent);
    let words = message["channel"]["alternatives"][0]["words"].as_array().map_or(&[][..], Vec::as_slice);
    let Ok(mut report) = report.lock() else { return };
    if message["is_final"] == true {
        *spoken = false;
        report.words += words.len();
        report.finals.saturating_record(latency);
        if let Some(last) = words.last() {
            report.words_to_finals.saturating_record(since(number(&last["end"])));
        }
    } else {
        report.interims.saturating_record(latency);
        if let Some(first) = words.first()
            && !std::mem::replace(spoken, true)
        {
            report.first_interims.saturating_record(since(number(&first["start"])));
        }
    }
}

/// Processor time of a process so far: fields 14 and 15 of its stat file, in ticks of 10 ms (proc(5)).
fn processor_seconds(pid: u32) -> Result<f64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(')').ok_or("the stat file has no name")?.1;
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
    Ok(ticks / 100.0)
}

fn resident_mb(pid: u32) -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("the status file has no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).unwrap_or("0").parse()?;
    Ok(kib * 1024.0 / 1e6)
}
