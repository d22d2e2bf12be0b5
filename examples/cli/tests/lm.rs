//! `linnet lm` from the outside: what it makes is used by `--lm` and by `convert`.

mod common;

use std::{fs, path::PathBuf};

use common::{clips, code, run, stderr, stdout};

fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lm");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn transcribed(arguments: &[&str]) -> String {
    let clip = clips()[0].display().to_string();
    let output = run(["transcribe"].iter().chain(arguments).copied().chain([clip.as_str()]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn a_model_is_estimated_and_used() {
    let folder = folder();
    let [text, known, arpa, compact] =
        ["text.txt", "known.txt", "model.arpa", "model.lm"].map(|name| folder.join(name).display().to_string());
    fs::write(&text, "the quick brown fox\njumps over the lazy dog\n\n12 is no word\n").unwrap();
    fs::write(&known, "the lazy fox\n").unwrap();
    for output in [&arpa, &compact] {
        let weights = ["--weight", "3", "--reward", "0", "--internal-weight", "0.5"];
        let made = run(["lm", &text, &format!("{text}=2"), "--known", &known, "-o", output].into_iter().chain(weights));
        assert_eq!(code(&made), 0, "{}", stderr(&made));
        assert!(stderr(&made).contains("2 lines that the model can't write"), "{}", stderr(&made));
    }
    assert!(fs::read_to_string(&arpa).unwrap().starts_with("\\data\\"));
    let none = transcribed(&["--no-lm"]);
    let nothing = ["--lm-weight", "0", "--lm-reward", "0", "--lm-network-weight", "0", "--lm-internal-weight", "0"];
    assert_eq!(transcribed(&nothing), none);
    let heard = transcribed(&["--lm", &compact]);
    assert_ne!(heard, none);
    let as_compact = ["--lm", &arpa, "--lm-weight", "3", "--lm-reward", "0", "--lm-internal-weight", "0.5"];
    assert_eq!(transcribed(&as_compact), heard);
}

#[test]
fn what_is_no_model_is_refused_by_name() {
    let path = folder().join("none.lm").display().to_string();
    fs::write(&path, "no model").unwrap();
    let clip = clips()[0].display().to_string();
    let output = run(["transcribe", "--lm", &path, &clip]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("none.lm: line 1 of the language model"), "{}", stderr(&output));
    assert_eq!(code(&run(["transcribe", "--lm", &path, "--no-lm", &clip])), 2);
}
