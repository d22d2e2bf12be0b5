//! The program itself: its log, its signals and its exit.

#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

#[test]
fn the_log_is_json_and_holds_no_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut program = Command::new(env!("CARGO_BIN_EXE_linnet-server"))
        .args(["--listen", "127.0.0.1:0", "--log-json", "--max-streams", "2", "--canary-s", "1", "--drain-s", "1"])
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(program.stderr.take().unwrap());
    let mut lines = Vec::new();
    let address = loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "it starts: {lines:?}");
        let entry: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        lines.push(line);
        if let Some(address) = entry["fields"]["address"].as_str() {
            break address.to_owned();
        }
    };

    let audio = std::fs::read(root.join("engine/tests/data/speech/1272-128104-0000.ogg")).unwrap();
    let mut socket = TcpStream::connect(&address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "POST /v1/listen?tag=secretlabel HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        audio.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&audio).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let transcript = body["results"]["channels"][0]["alternatives"][0]["transcript"].as_str().unwrap();
    let longest = transcript.split(' ').max_by_key(|word| word.len()).unwrap();
    assert!(longest.len() > 4, "{transcript}");

    let ended = Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap();
    assert!(ended.success());
    assert!(program.wait().unwrap().success());
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    lines.extend(rest.lines().map(str::to_owned));
    for line in &lines {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
        assert!(!line.contains(longest) && !line.contains("secretlabel"), "{line}");
    }
    let all = lines.concat();
    assert!(all.contains("recognized") && all.contains("stopped"), "{all}");
}
