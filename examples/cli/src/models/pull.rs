//! `linnet models pull`: download with resume, check, convert.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use ureq::{Agent, Body, http::Response};

use super::{
    cache,
    catalogue::{CATALOGUE, Entry, find},
    lfs::Pointer,
    packed,
};
use crate::{args::Pull, convert, failure::Failure};

const DEFAULT_MIRROR: &str = "https://huggingface.co";

/// Runs the command.
pub fn run(args: &Pull) -> Result<(), Failure> {
    let entry = find(&args.name).ok_or_else(|| unknown(&args.name))?;
    let dir = args
        .dir
        .clone()
        .or_else(cache)
        .ok_or_else(|| Failure::Usage("no cache directory: give one with --dir".into()))?;
    fs::create_dir_all(&dir).map_err(|error| Failure::on(dir.display(), error))?;
    let target = packed(&dir, entry.name);
    if target.exists() {
        return Ok(writeln!(io::stdout(), "{} is here already: {}", entry.name, target.display())?);
    }
    eprintln!("{}: weights by {}, licence {} ({})", entry.name, entry.attribution, entry.licence, entry.licence_url);
    let download = Download {
        entry,
        mirror: args.mirror.as_deref().unwrap_or(DEFAULT_MIRROR).trim_end_matches('/'),
        agent: Agent::config_builder().timeout_connect(Some(Duration::from_secs(10))).build().into(),
    };
    let checkpoint = dir.join(entry.file);
    let pointer = download.pointer()?;
    download.fetch(&pointer, &checkpoint)?;
    eprintln!("converting {}", checkpoint.display());
    convert::convert(&checkpoint, convert::Parts::default(), &target)?;
    let notice = format!(
        "{} is converted from https://huggingface.co/{} (revision {}).\nWeights by {}, licence {}: {}\n",
        entry.name, entry.repository, entry.revision, entry.attribution, entry.licence, entry.licence_url
    );
    let notice_path = dir.join(format!("{}.LICENCE.txt", entry.name));
    fs::write(&notice_path, notice).map_err(|error| Failure::on(notice_path.display(), error))?;
    fs::remove_file(&checkpoint).map_err(|error| Failure::on(checkpoint.display(), error))?;
    Ok(writeln!(io::stdout(), "{}\nrun it: linnet transcribe --model {} FILE", target.display(), entry.name)?)
}

fn unknown(name: &str) -> Failure {
    let names: Vec<_> = CATALOGUE.iter().map(|entry| entry.name).collect();
    Failure::Usage(format!("no model {name:?} in the catalogue; it has {}", names.join(", ")))
}

/// One file of one repository.
struct Download<'a> {
    entry: &'static Entry,
    mirror: &'a str,
    agent: Agent,
}

impl Download<'_> {
    fn url(&self, kind: &str) -> String {
        let Entry { repository, revision, file, .. } = self.entry;
        format!("{}/{repository}/{kind}/{revision}/{file}", self.mirror)
    }

    /// Size and SHA-256 of the checkpoint, as the repository records them.
    fn pointer(&self) -> Result<Pointer, Failure> {
        let url = self.url("raw");
        let mut response = self.agent.get(&url).call().map_err(|error| self.unreachable(&url, &error))?;
        // A pointer is a few lines; a mirror that answers with something big is not one.
        let text = response.body_mut().with_config().limit(4096).read_to_string();
        let text = text.map_err(|error| self.unreachable(&url, &error))?;
        Pointer::parse(&text)
            .ok_or_else(|| Failure::on(url, "this is no Git LFS pointer, so the download could not be checked"))
    }

    /// Downloads to `path`, going on where an earlier attempt was cut off, and checks it.
    fn fetch(&self, pointer: &Pointer, path: &Path) -> Result<(), Failure> {
        let partial = with_suffix(path, ".partial");
        let on_partial = |error: io::Error| Failure::on(partial.display(), error);
        let mut have = fs::metadata(&partial).map_or(0, |meta| meta.len());
        if have > pointer.size {
            fs::remove_file(&partial).map_err(on_partial)?;
            have = 0;
        }
        if have < pointer.size {
            let url = self.url("resolve");
            let mut response = self.request(&url, have)?;
            let resumed = response.status() == 206;
            let mut file = OpenOptions::new()
                .create(true)
                .append(resumed)
                .write(true)
                .truncate(!resumed)
                .open(&partial)
                .map_err(on_partial)?;
            self.copy(&mut response, &mut file, if resumed { have } else { 0 }, pointer.size)?;
        }
        let digest = sha256(&partial).map_err(on_partial)?;
        if digest != pointer.sha256 {
            fs::remove_file(&partial).map_err(on_partial)?;
            return Err(Failure::on(
                path.display(),
                format!("the download is damaged and was removed: SHA-256 {digest}, not {}", pointer.sha256),
            ));
        }
        fs::rename(&partial, path).map_err(on_partial)
    }

    fn request(&self, url: &str, have: u64) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        request.call().map_err(|error| self.unreachable(url, &error))
    }

    fn copy(&self, response: &mut Response<Body>, file: &mut File, have: u64, size: u64) -> Result<(), Failure> {
        let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        let bar = ProgressBar::new(size).with_message(self.entry.name).with_position(have);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        // One byte more than announced shows that the answer is too long without reading on for ever.
        let mut body = response.body_mut().as_reader().take(size - have + 1);
        let mut block = vec![0; 1 << 16];
        let mut written = have;
        loop {
            let length = match body.read(&mut block) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.cut(written, size, &error.to_string())),
            };
            file.write_all(&block[..length]).map_err(|error| Failure::on(self.entry.file, error))?;
            written += length as u64;
            bar.set_position(written);
        }
        bar.finish_and_clear();
        match written.cmp(&size) {
            std::cmp::Ordering::Less => Err(self.cut(written, size, "the server closed the connection")),
            _ => Ok(()),
        }
    }

    fn cut(&self, written: u64, size: u64, why: &str) -> Failure {
        Failure::on(
            self.entry.name,
            format!("cut off after {written} of {size} bytes ({why}); the same command goes on from there"),
        )
    }

    fn unreachable(&self, url: &str, error: &ureq::Error) -> Failure {
        match error {
            ureq::Error::StatusCode(status) => Failure::on(url, format!("the server answers with status {status}")),
            _ => Failure::on(
                url,
                format!(
                    "not reachable ({error}). Without a network the built-in model linnet-en is there: leave out --model"
                ),
            ),
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut block = vec![0; 1 << 16];
    loop {
        match file.read(&mut block)? {
            0 => break,
            length => hasher.update(&block[..length]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
