//! `linnet transcribe` from the outside.

mod common;

use std::{io::Read, process::Stdio};

use common::{clips, code, json_lines, linnet, run, run_with_input, stderr, stdout, tone, wav};

#[test]
fn text_has_a_line_per_utterance() {
    let clips = clips();
    let output = run(["transcribe".as_ref(), clips[0].as_os_str()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let lines = json_lines(&stdout(&run(["transcribe".as_ref(), "--format=json".as_ref(), clips[0].as_os_str()])));
    let texts: Vec<&str> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert!(!texts.is_empty());
    assert_eq!(stdout(&output).lines().collect::<Vec<_>>(), texts);
}

#[test]
#[cfg(feature = "opus")]
fn opus_is_read_from_files_and_pipes() {
    let folder = clips()[0].parent().unwrap().join("formats");
    for name in ["speech.opus", "speech.webm"] {
        let path = folder.join(name);
        let output = run(["transcribe".as_ref(), path.as_os_str()]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(!stdout(&output).trim().is_empty(), "{name} has words in it");
        let from_pipe = run_with_input(["transcribe", "-"], &std::fs::read(&path).unwrap());
        assert_eq!(stdout(&from_pipe), stdout(&output), "{name}");
    }
}

#[test]
fn several_files_are_named() {
    let clips = clips();
    let (a, b) = (clips[0].display().to_string(), clips[1].display().to_string());
    let output = run(["transcribe", &a, &b]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for name in [&a, &b] {
        assert!(stdout(&output).lines().any(|line| line.starts_with(&format!("{name}: "))), "{}", stdout(&output));
    }
}

#[test]
fn json_has_words_in_order_within_the_recording() {
    let clip = clips()[0].display().to_string();
    let lines = json_lines(&stdout(&run(["transcribe", "--format", "json", &clip])));
    assert!(!lines.is_empty());
    let mut last = 0.0;
    for line in &lines {
        assert_eq!(line["type"], "final");
        assert_eq!(line["file"], clip.as_str());
        let words = line["words"].as_array().unwrap();
        let texts: Vec<&str> = words.iter().map(|word| word["word"].as_str().unwrap()).collect();
        assert_eq!(texts.join(" "), line["text"]);
        for word in words {
            let (start, end) = (word["start"].as_f64().unwrap(), word["end"].as_f64().unwrap());
            assert!(last <= start && start <= end, "{word}");
            assert!((0.0..=1.0).contains(&word["confidence"].as_f64().unwrap()), "{word}");
            last = start;
        }
    }
}

#[test]
fn interims_lead_to_the_finals() {
    let clip = clips()[0].display().to_string();
    let lines = json_lines(&stdout(&run(["transcribe", "--format", "json", "--interim", &clip])));
    let finals: Vec<_> = lines.iter().filter(|line| line["type"] == "final").collect();
    let without = json_lines(&stdout(&run(["transcribe", "--format", "json", &clip])));
    assert_eq!(finals.len(), without.len());
    for (a, b) in finals.iter().zip(&without) {
        assert_eq!(a["words"], b["words"]);
    }
    assert!(lines.iter().any(|line| line["type"] == "interim"));
    assert_eq!(lines.last().unwrap()["type"], "final");
    let piped = stdout(&run(["transcribe", "--interim", &clip]));
    assert!(piped.lines().any(|line| line.starts_with("~ ")) && !piped.contains('\r'));
}

#[test]
fn subtitles_are_well_formed() {
    let clip = clips()[0].display().to_string();
    let srt = stdout(&run(["transcribe", "--format", "srt", &clip]));
    for (i, cue) in srt.trim_end().split("\n\n").enumerate() {
        let mut lines = cue.lines();
        assert_eq!(lines.next(), Some((i + 1).to_string().as_str()));
        let (from, to) = lines.next().unwrap().split_once(" --> ").unwrap();
        assert!(from.len() == 12 && to.len() == 12 && from < to, "{cue}");
        assert!((1..=2).contains(&lines.count()), "{cue}");
    }
    let vtt = stdout(&run(["transcribe", "--format", "vtt", &clip]));
    assert!(vtt.starts_with("WEBVTT\n\n00:"), "{vtt}");
    assert_eq!(vtt.matches(" --> ").count(), srt.matches(" --> ").count());
}

#[test]
fn standard_input_is_read_as_the_file_is() {
    let clip = &clips()[0];
    let from_file = run(["transcribe".as_ref(), clip.as_os_str()]);
    let from_pipe = run_with_input(["transcribe", "-"], &std::fs::read(clip).unwrap());
    assert_eq!(code(&from_pipe), 0, "{}", stderr(&from_pipe));
    assert_eq!(stdout(&from_pipe), stdout(&from_file));
}

#[test]
fn raw_samples_are_read() {
    let output = run_with_input(["transcribe", "--raw", "16000:1:s16le", "-"], &tone(1.0));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn realtime_takes_as_long_as_the_audio() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tone.wav");
    std::fs::write(&path, wav(&tone(0.5))).unwrap();
    let began = std::time::Instant::now();
    let output = run(["transcribe".as_ref(), "--realtime".as_ref(), path.as_os_str()]);
    assert!(began.elapsed().as_secs_f64() >= 0.5);
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains("interim latency") && stderr(&output).contains("final latency"));
}

#[test]
fn a_bad_file_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let good = clips()[0].display().to_string();
    std::fs::write(path("empty.wav"), b"").unwrap();
    std::fs::write(path("text.wav"), b"this is not audio, whatever its name says").unwrap();
    let whole = wav(&tone(1.0));
    std::fs::write(path("cut.wav"), &whole[..whole.len() / 2]).unwrap();
    let bad = [path("missing.wav"), path("empty.wav"), path("text.wav"), path("cut.wav")];
    for bad in &bad {
        let output = run(["transcribe", bad, &good]);
        assert_eq!(code(&output), 1, "{bad}");
        assert!(stderr(&output).contains(bad.as_str()), "{}", stderr(&output));
        assert!(stdout(&output).contains(&good), "{}", stdout(&output));
    }
}

#[test]
fn wrong_arguments_are_told_apart_from_failed_work() {
    for args in [
        &["transcribe"][..],
        &["transcribe", "--format", "srt", "a.wav", "b.wav"],
        &["transcribe", "--format", "vtt", "--interim", "a.wav"],
        &["transcribe", "-", "-"],
        &["transcribe", "--chunk-ms", "0", "a.wav"],
        &["transcribe", "--raw", "16000:1", "a.raw"],
        &["transcribe", "--reference", "a.wav"],
        &["transcribe", "--format", "doc", "a.wav"],
        &["sing"],
        &[],
    ] {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(stdout(&output).is_empty() && !stderr(&output).is_empty(), "{args:?}");
    }
    let output = run(["transcribe", "--model", "/nowhere/model.linnet", "a.wav"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("/nowhere/model.linnet"), "{}", stderr(&output));
}

#[test]
fn a_closed_pipe_is_quiet() {
    let clips = clips();
    let mut args = vec!["transcribe".into(), "--interim".into()];
    args.extend(clips.iter().cycle().take(20).map(|clip| clip.display().to_string()));
    let mut child = linnet(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut first).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(stderr(&output), "");
}
