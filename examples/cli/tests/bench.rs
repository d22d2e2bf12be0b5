//! `linnet bench` from the outside.

mod common;

use common::{clips, code, run, stderr, stdout};

#[test]
fn latencies_are_those_of_the_clock() {
    let clip = clips()[0].display().to_string();
    let output = run(["bench", "--realtime", "--json", &clip]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let document: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(document["realtime"], true);
    let matched = document["matched"].as_u64().unwrap();
    assert!(matched > 0 && matched <= document["words"].as_u64().unwrap(), "{document}");
    // Bounds that a machine under load keeps too.
    let interim = document["interim_ms"]["p50"].as_f64().unwrap();
    assert!((-500.0..5_000.0).contains(&interim), "{document}");
    let last = document["final_ms"]["p50"].as_f64();
    assert!(last.is_none_or(|last| last >= interim), "{document}");
}

#[test]
fn alignments_must_know_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("words.tsv");
    std::fs::write(&table, "file\tword\tend\nother.wav\tone\t1.0\n").unwrap();
    let clip = clips()[0].display().to_string();
    let output = run(["bench", "--alignments", &table.display().to_string(), &clip]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("no words"), "{}", stderr(&output));
    std::fs::write(&table, "file\tword\n").unwrap();
    assert!(stderr(&run(["bench", "--alignments", &table.display().to_string(), &clip])).contains("\"end\""));
}
