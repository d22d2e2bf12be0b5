//! `linnet listen` and `linnet devices` on ALSA devices that need no hardware: a recording through the file plugin, and
//! the null device. They deliver as fast as they are read, and the null device's buffer of a few frames makes the file
//! plugin skip every third sample: there are words, but not the speaker's.
#![cfg(target_os = "linux")]

mod common;

use std::{
    path::Path,
    process::{Command, Output},
};

use common::{clips, code, json_lines, linnet, stderr, stdout};
use linnet::audio::AudioFile;

/// A folder with a clip of speech and a configuration of ALSA around it.
fn sound_system() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut file = AudioFile::open(&clips()[0]).unwrap();
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        samples.extend(block.iter().flat_map(|&sample| ((sample * 32_767.0) as i16).to_le_bytes()));
    }
    let speech = folder.path().join("speech.raw");
    std::fs::write(&speech, samples).unwrap();
    let config = format!(
        r#"
pcm.silence {{ type null hint {{ show on description "Nothing at all" }} }}
pcm.recorded {{ type file slave.pcm silence file "/dev/null" infile "{}" format "raw" }}
pcm.speech {{
  type plug
  slave {{ pcm recorded format S16_LE rate 16000 channels 1 }}
  hint {{ show on description "A clip of speech" }}
}}
pcm.!default silence
ctl.!default {{ type hw card 0 }}
"#,
        speech.display()
    );
    std::fs::write(folder.path().join("asound.conf"), config).unwrap();
    folder
}

fn with_sound(folder: &Path, args: &[&str]) -> Output {
    let mut command: Command = linnet(args);
    command.env("ALSA_CONFIG_PATH", folder.join("asound.conf")).output().unwrap()
}

#[test]
fn devices_are_listed() {
    let folder = sound_system();
    let output = with_sound(folder.path(), &["devices"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("A clip of speech"), "{}", stdout(&output));
    let output = with_sound(folder.path(), &["devices", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let ids: Vec<_> = list.as_array().unwrap().iter().map(|device| device["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"speech") && ids.contains(&"silence"), "{ids:?}");
}

#[test]
fn a_recording_through_alsa_becomes_words_and_a_file() {
    let folder = sound_system();
    let saved = folder.path().join("saved.wav");
    let saved_name = saved.display().to_string();
    let args = ["listen", "--device", "clip of speech", "--json", "--stats", "--for", "3", "--save", &saved_name];
    let output = with_sound(folder.path(), &args);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let lines = json_lines(&stdout(&output));
    let of_type = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert!(of_type("final") > 0, "{}", stdout(&output));
    assert!(lines.iter().any(|line| line["state"] == "live"));
    assert_eq!(lines.last().unwrap()["state"], "stopped");
    assert!(stderr(&output).contains("capture to event"), "{}", stderr(&output));
    let mut wav = AudioFile::open(&saved).unwrap();
    assert_eq!((wav.rate_hz(), wav.channels()), (16_000, 1));
    let mut loudest = 0.0f32;
    while let Some(block) = wav.next_block().unwrap() {
        loudest = block.iter().fold(loudest, |loudest, sample| loudest.max(sample.abs()));
    }
    assert!(loudest > 0.01, "the file holds the speech");
}

#[test]
fn a_dead_microphone_is_told() {
    let folder = sound_system();
    let output = with_sound(folder.path(), &["listen", "--for", "1"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("is it muted"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_microphone_that_is_not_there_ends_it_with_advice() {
    let folder = sound_system();
    let output = with_sound(folder.path(), &["listen", "--device", "theremin"]);
    assert_eq!(code(&output), 1);
    let text = stderr(&output);
    assert!(text.contains("theremin") && text.contains("speech") && text.contains("linnet devices"), "{text}");
    // With --wait it goes on trying.
    let output = with_sound(folder.path(), &["listen", "--device", "theremin", "--wait", "--for", "2"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("next try"), "{}", stderr(&output));
}
