//! Recordings with transcripts: a folder with a `transcripts.tsv`.

use std::path::{Path, PathBuf};

/// A recording and what is said in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// The audio file.
    pub path: PathBuf,
    /// What is said.
    pub text: String,
}

/// Reads `transcripts.tsv` of a folder.
///
/// # Errors
/// A message that names the file when it can't be read or lacks a column.
pub fn read(folder: &Path) -> Result<Vec<Clip>, String> {
    let path = folder.join("transcripts.tsv");
    let table = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(folder, &table).map_err(|why| format!("{}: {why}", path.display()))
}

/// The rows of a table whose header names the columns `file` and `text`; others are passed over.
fn parse(folder: &Path, table: &str) -> Result<Vec<Clip>, String> {
    let mut lines = table.trim_start_matches('\u{feff}').lines().enumerate();
    let header: Vec<&str> = lines.next().map(|(_, line)| line.split('\t').map(str::trim).collect()).unwrap_or_default();
    let column = |name: &str| header.iter().position(|&column| column == name);
    let file = column("file").ok_or("the header names no column `file`")?;
    let text = match (column("text"), column("labels")) {
        (Some(text), _) => text,
        (None, Some(_)) => return Err("it has labels and no transcripts; eval needs a column `text`".into()),
        (None, None) => return Err("the header names no column `text`".into()),
    };
    let mut clips = Vec::new();
    for (i, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let row: Vec<&str> = line.split('\t').collect();
        let (Some(&file), Some(&text)) = (row.get(file), row.get(text)) else {
            return Err(format!("line {} has {} columns, the header {}", i + 1, row.len(), header.len()));
        };
        clips.push(Clip { path: folder.join(file), text: text.to_owned() });
    }
    if clips.is_empty() {
        return Err("it lists no recordings".into());
    }
    Ok(clips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let clips = parse(Path::new("d"), "speaker\ttext\tseconds\tfile\r\nx\thello there\t1.0\ta.wav\r\n\n").unwrap();
        assert_eq!(clips, [Clip { path: Path::new("d").join("a.wav"), text: "hello there".into() }]);
        let silent = parse(Path::new("d"), "file\ttext\nb.wav\t\n").unwrap();
        assert_eq!(silent[0].text, "");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (table, word) in [
            ("", "`file`"),
            ("file\tseconds\n", "`text`"),
            ("file\tseconds\tlabels\na\t1\t{}\n", "labels"),
            ("file\ttext\n", "no recordings"),
            ("file\tseconds\ttext\na.wav\t1.0\n", "line 2"),
        ] {
            let error = parse(Path::new("d"), table).unwrap_err();
            assert!(error.contains(word), "{table:?}: {error}");
        }
    }
}
