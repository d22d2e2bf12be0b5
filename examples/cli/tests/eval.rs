//! `linnet eval`, `info` and `convert` from the outside.

mod common;

use common::{clips, code, run, speech, stderr, stdout, tone, wav};
use serde_json::Value;

fn json(args: &[&str]) -> Value {
    let output = run(args);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// A folder with a speech clip, a tone, and a transcripts.tsv with these files and texts.
fn folder_with(rows: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let clip = &clips()[0];
    std::fs::copy(clip, folder.path().join("speech.ogg")).unwrap();
    std::fs::write(folder.path().join("tone.wav"), wav(&tone(1.0))).unwrap();
    let mut table = String::from("file\tseconds\ttext\tspeaker\n");
    for (file, text) in rows {
        table += &format!("{file}\t1.0\t{text}\tsomeone\n");
    }
    std::fs::write(folder.path().join("transcripts.tsv"), table).unwrap();
    folder
}

#[test]
fn errors_are_counted_against_the_transcripts() {
    let heard = stdout(&run(["transcribe".as_ref(), clips()[0].as_os_str()])).replace('\n', " ");
    let words = heard.split_whitespace().count();
    assert!(words >= 3, "{heard}");

    let exact = folder_with(&[("speech.ogg", &heard.to_uppercase())]);
    let report = json(&["eval", "--json", exact.path().to_str().unwrap()]);
    let total = &report["totals"][0];
    assert_eq!((&total["wer"], &total["ser"]), (&0.0.into(), &0.0.into()));
    assert_eq!(total["words"], words);
    assert!(total["rtf"].as_f64().unwrap() > 0.0);
    assert!(total["step_ms"]["p50"].as_f64().unwrap() <= total["step_ms"]["p99"].as_f64().unwrap());
    assert_eq!(total["emission_ms"]["count"], words);

    // One more word was said than heard, and the first one was another.
    let (_, rest) = heard.trim().split_once(' ').unwrap();
    let wrong = folder_with(&[("speech.ogg", &format!("zzz {rest} zzz"))]);
    let report = json(&["eval", "--json", wrong.path().to_str().unwrap()]);
    let row = &report["results"][0];
    assert_eq!((&row["substitutions"], &row["insertions"], &row["deletions"]), (&1.into(), &0.into(), &1.into()));
    assert_eq!(row["words"], words + 1);
    assert!((row["wer"].as_f64().unwrap() - 200.0 / (words + 1) as f64).abs() < 1e-9);
    assert_eq!(row["ser"], 100.0);
}

#[test]
fn totals_are_over_all_folders_and_out_lists_every_recording() {
    let heard = stdout(&run(["transcribe".as_ref(), clips()[0].as_os_str()])).replace('\n', " ");
    let a = folder_with(&[("speech.ogg", &heard)]);
    let b = folder_with(&[("speech.ogg", &heard), ("speech.ogg", "zzz"), ("missing.ogg", "never read")]);
    let texts = a.path().join("texts.tsv");
    let (a, b) = (a.path().to_str().unwrap(), b.path().to_str().unwrap());
    let report = json(&["eval", "--json", "--limit", "2", "--jobs", "2", "--out", texts.to_str().unwrap(), a, b]);
    assert_eq!(report["results"].as_array().unwrap().len(), 2);
    assert_eq!(report["results"][0]["sentences"], 1);
    assert_eq!(report["results"][1]["sentences"], 2);
    assert_eq!(report["totals"][0]["sentences"], 3);
    assert_eq!(report["totals"][0]["wrong_sentences"], 1);
    let table = std::fs::read_to_string(&texts).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows[0], ["file", "ref", "hyp", "chunk_ms"]);
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.len() == 4));
    assert_eq!(rows[1][2], heard.trim());
    assert_eq!(rows[3][1], "zzz");
}

#[test]
fn every_chunk_of_the_model_is_measured_once() {
    let folder = folder_with(&[("tone.wav", "")]);
    let folder = folder.path().to_str().unwrap();
    let info = json(&["info", "--json"]);
    let chunks = |report: &Value| -> Vec<Value> {
        report["totals"].as_array().unwrap().iter().map(|row| row["chunk_ms"].clone()).collect()
    };
    let all = json(&["eval", "--json", "--all-chunks", folder]);
    assert_eq!(Value::from(chunks(&all)), info["chunks_ms"]);
    let twice = json(&["eval", "--json", "--chunk-ms", "1", "--chunk-ms", "2", folder]);
    assert_eq!(chunks(&twice), [info["chunks_ms"][0].clone()]);
    let default = json(&["eval", "--json", folder]);
    assert_eq!(chunks(&default), [info["default_chunk_ms"].clone()]);
}

#[test]
fn the_table_has_a_line_per_set_and_a_total() {
    let output = run(["eval", "--limit", "1", speech().to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.lines().next().unwrap().contains("WER %"));
    assert!(text.lines().any(|line| line.starts_with("total ")));
}

#[test]
fn unreadable_recordings_are_left_out_and_told() {
    let folder = folder_with(&[("tone.wav", ""), ("missing.ogg", "never read")]);
    let output = run(["eval", "--json", folder.path().to_str().unwrap()]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("missing.ogg"));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["totals"][0]["sentences"], 1);
}

#[test]
fn sets_without_transcripts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().to_str().unwrap();
    let output = run(["eval", name]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("transcripts.tsv"));
    std::fs::write(folder.path().join("transcripts.tsv"), "file\tseconds\tlabels\na.ogg\t1\t{}\n").unwrap();
    let output = run(["eval", name]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("labels"), "{}", stderr(&output));
    assert_eq!(code(&run(["eval"])), 2);
    assert_eq!(code(&run(["eval", "--jobs", "0", name])), 2);
    assert_eq!(code(&run(["eval", "--all-chunks", "--chunk-ms", "80", name])), 2);
}

#[test]
fn info_tells_what_the_model_is() {
    let info = json(&["info", "--json"]);
    assert!(info["parameters"].as_u64().unwrap() > 0);
    assert!(info["size_bytes"].as_u64().unwrap() > 0);
    let available = info["available_instruction_sets"].as_array().unwrap();
    assert!(available.contains(&info["instruction_set"]));
    let text = stdout(&run(["info"]));
    assert!(text.contains(info["name"].as_str().unwrap()));
    assert!(text.contains("left context"));
}

#[test]
fn a_damaged_model_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.linnet");
    let mut bytes = std::fs::read(speech().join("../../../../models/linnet-en.linnet")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let output = run(["info".as_ref(), "--model".as_ref(), path.as_os_str()]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("damaged.linnet"), "{}", stderr(&output));
}

#[test]
fn convert_reports_what_it_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.safetensors"), folder.path().join("out.linnet"));
    std::fs::write(&input, b"nothing").unwrap();
    let result = run(["convert".as_ref(), input.as_os_str(), output.as_os_str()]);
    assert_eq!(code(&result), 1);
    assert!(stderr(&result).contains("in.safetensors"), "{}", stderr(&result));
    assert!(!output.exists());
    assert_eq!(code(&run(["convert", "only-one"])), 2);
}
