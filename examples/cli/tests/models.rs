//! `linnet models` against a server on this machine that behaves as huggingface.co does.
#![cfg(feature = "download")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use sha2::{Digest, Sha256};

const NAME: &str = "fastconformer-en-32m";
const FILE: &str = "stt_en_fastconformer_hybrid_medium_streaming_80ms.nemo";

/// Serves one checkpoint: its pointer, and its bytes with ranges. Cuts the first answers off after `cut` bytes.
struct Server {
    url: String,
    /// "PATH RANGE" of every request.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(bytes: Vec<u8>, announced: String, cut: usize, cuts: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, cuts) = (seen.clone(), Arc::new(AtomicUsize::new(cuts)));
        thread::spawn(move || {
            for connection in listener.incoming() {
                answer(connection.unwrap(), &bytes, &announced, cut, &cuts, &log);
            }
        });
        Self { url, seen }
    }
}

fn answer(mut to: TcpStream, bytes: &[u8], announced: &str, cut: usize, cuts: &AtomicUsize, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(to.try_clone().unwrap());
    let (mut line, mut path, mut from) = (String::new(), String::new(), None);
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        if let Some(rest) = line.strip_prefix("GET ") {
            path = rest.split(' ').next().unwrap().to_owned();
        } else if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim().trim_end_matches('-').parse::<usize>().ok();
        }
        line.clear();
    }
    log.lock().unwrap().push(format!("{path} {}", from.map_or_else(String::new, |at| at.to_string())));
    let (status, body): (&str, &[u8]) = match path.split('/').collect::<Vec<_>>()[..] {
        ["", "nvidia", _, "raw", "main", FILE] => ("200 OK", announced.as_bytes()),
        ["", "nvidia", _, "resolve", "main", FILE] => match from {
            Some(at) => ("206 Partial Content", &bytes[at..]),
            None => ("200 OK", bytes),
        },
        _ => ("404 Not Found", b"no"),
    };
    let _ = write!(to, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let left = cuts.load(Ordering::SeqCst);
    if path.contains("/resolve/") && left > 0 {
        cuts.store(left - 1, Ordering::SeqCst);
        let _ = to.write_all(&body[..cut.min(body.len())]);
    } else {
        let _ = to.write_all(body);
    }
}

fn pointer(bytes: &[u8]) -> String {
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {}\n", bytes.len())
}

fn tiny_nemo() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engine/tests/data/tiny.nemo")).unwrap()
}

fn pull(dir: &Path, url: &str) -> Output {
    let dir = dir.to_str().unwrap();
    linnet(&["models", "pull", NAME, "--dir", dir, "--mirror", url])
}

fn linnet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_linnet")).args(arguments).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn pulls_checks_and_converts_a_model() {
    let bytes = tiny_nemo();
    let server = Server::start(bytes.clone(), pointer(&bytes), 0, 0);
    let dir = tempfile::tempdir().unwrap();
    let output = pull(dir.path(), &server.url);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("CC-BY-4.0"), "the licence is told: {}", errors(&output));
    assert_eq!(files(dir.path()), [format!("{NAME}.LICENCE.txt"), format!("{NAME}.linnet")]);
    let model: PathBuf = dir.path().join(format!("{NAME}.linnet"));
    let info = linnet(&["info", "--model", model.to_str().unwrap()]);
    assert!(info.status.success(), "{}", errors(&info));
    // It is not fetched twice.
    let again = pull(dir.path(), "http://127.0.0.1:9");
    assert!(again.status.success() && String::from_utf8_lossy(&again.stdout).contains("already"));
}

#[test]
fn goes_on_where_it_was_cut_off() {
    let bytes = tiny_nemo();
    let server = Server::start(bytes.clone(), pointer(&bytes), 1000, 2);
    let dir = tempfile::tempdir().unwrap();
    for expected in [1000, 2000] {
        let output = pull(dir.path(), &server.url);
        assert_eq!(output.status.code(), Some(1));
        let told = format!("cut off after {expected} of {}", bytes.len());
        assert!(errors(&output).contains(&told), "{}", errors(&output));
    }
    let output = pull(dir.path(), &server.url);
    assert!(output.status.success(), "{}", errors(&output));
    let ranges: Vec<_> = server.seen.lock().unwrap().iter().filter(|r| r.contains("/resolve/")).cloned().collect();
    assert!(ranges[0].ends_with(' ') && ranges[1].ends_with(" 1000") && ranges[2].ends_with(" 2000"), "{ranges:?}");
}

#[test]
fn refuses_what_is_not_what_was_announced() {
    let bytes = tiny_nemo();
    let mut other = bytes.clone();
    other[500] ^= 1;
    let server = Server::start(other, pointer(&bytes), 0, 0);
    let dir = tempfile::tempdir().unwrap();
    let output = pull(dir.path(), &server.url);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("SHA-256"), "{}", errors(&output));
    assert!(files(dir.path()).is_empty(), "{:?}", files(dir.path()));
    let server = Server::start(bytes, "<html>".into(), 0, 0);
    let output = pull(dir.path(), &server.url);
    assert!(errors(&output).contains("pointer"), "{}", errors(&output));
}

#[test]
fn says_what_to_do_without_a_network_or_with_a_wrong_name() {
    let dir = tempfile::tempdir().unwrap();
    let output = pull(dir.path(), "http://127.0.0.1:9");
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("linnet-en"), "{}", errors(&output));
    let output = linnet(&["models", "pull", "whisper"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains(NAME), "{}", errors(&output));
    let output = linnet(&["info", "--model", "fastconformer-en-114m"]);
    assert!(errors(&output).contains("linnet models pull fastconformer-en-114m"), "{}", errors(&output));
    let output = linnet(&["models", "list"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("fastconformer-en-114m"));
}
