//! Microphones through cpal.

use std::time::Duration;

use cpal::{
    Data, Device, ErrorKind, FromSample, Host, InputCallbackInfo, Sample, SampleFormat, SizedSample, StreamConfig,
    SupportedStreamConfig,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

use super::{Clock, Connection, Input, Opening, Source, SourceError};
use crate::{
    AudioFormat,
    audio::{PcmSample, resample},
};

/// How long the sound system may take to open a device.
const PATIENCE: Duration = Duration::from_secs(5);

/// Samples that are converted at once, on the stack of the audio callback.
const CONVERTED: usize = 256;

/// A microphone, or another input of the system's sound service. It is opened in its native rate, channels and sample
/// format.
#[derive(Clone, Debug, Default)]
pub struct Microphone {
    name: Option<String>,
}

/// An input that can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MicrophoneInfo {
    /// What the system calls it, and what [`Microphone::named`] takes.
    pub id: String,
    /// A name for people.
    pub name: String,
}

impl Microphone {
    /// The system's default input, whichever that is when it is opened.
    pub fn default_input() -> Self {
        Self::default()
    }

    /// The input with this id, or else the first whose id or name contains this, in capitals or not.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()) }
    }

    /// The inputs of the system. They are not opened to find out whether they work.
    ///
    /// # Errors
    /// [`SourceError::NoSoundSystem`] when there is none.
    pub fn list() -> Result<Vec<MicrophoneInfo>, SourceError> {
        Ok(inputs(&host()?)?.iter().map(info).collect())
    }

    fn find(&self) -> Result<Device, SourceError> {
        let host = host()?;
        let Some(wanted) = &self.name else {
            return host
                .default_input_device()
                .ok_or_else(|| SourceError::NotFound { name: "default".into(), available: Vec::new() });
        };
        let inputs = inputs(&host)?;
        let infos: Vec<_> = inputs.iter().map(info).collect();
        let lower = wanted.to_lowercase();
        let found = infos.iter().position(|info| info.id == *wanted).or_else(|| {
            infos
                .iter()
                .position(|info| info.id.to_lowercase().contains(&lower) || info.name.to_lowercase().contains(&lower))
        });
        match found.and_then(|index| inputs.into_iter().nth(index)) {
            Some(device) => Ok(device),
            None => Err(SourceError::NotFound {
                name: wanted.clone(),
                available: infos.into_iter().map(|info| info.id).collect(),
            }),
        }
    }
}

fn host() -> Result<Host, SourceError> {
    // The default host panics where there is no sound system; this does not.
    cpal::available_hosts()
        .first()
        .ok_or_else(|| SourceError::NoSoundSystem { why: "none is there".into() })
        .and_then(|&id| cpal::host_from_id(id).map_err(|error| SourceError::NoSoundSystem { why: error.to_string() }))
}

fn inputs(host: &Host) -> Result<Vec<Device>, SourceError> {
    let inputs = host.input_devices().map_err(|error| SourceError::NoSoundSystem { why: error.to_string() })?;
    Ok(inputs.collect())
}

fn info(device: &Device) -> MicrophoneInfo {
    let id = device.id().map(|id| id.id().to_owned()).unwrap_or_default();
    let name = device.description().map_or_else(|_| id.clone(), |description| description.name().to_owned());
    MicrophoneInfo { id, name }
}

impl Source for Microphone {
    fn open(&mut self, opening: &Opening) -> Result<Connection, SourceError> {
        let device = self.find()?;
        let MicrophoneInfo { id, name } = info(&device);
        let name = if name == id { id } else { format!("{name} ({id})") };
        // What can't be opened was never there.
        let missing = |error| match error {
            SourceError::Lost { name } => {
                let available = Self::list().unwrap_or_default().into_iter().map(|info| info.id).collect();
                SourceError::NotFound { name, available }
            }
            other => other,
        };
        let explain = |error: cpal::Error| missing(explain(&name, &error));
        let config = choose(&device, &name).map_err(missing)?;
        let format = AudioFormat { rate_hz: config.sample_rate(), channels: config.channels() };
        let (input, connection) = opening.connect(format, name.clone());
        let stream = start(&device, &config, input, opening, &name).map_err(explain)?;
        stream.play().map_err(explain)?;
        Ok(connection.keeping(stream))
    }
}

/// The device's own format where it can be converted, else the nearest that can: few channels, at a usual rate.
fn choose(device: &Device, name: &str) -> Result<SupportedStreamConfig, SourceError> {
    let usable = |config: &SupportedStreamConfig| {
        is_known(config.sample_format())
            && resample::RATES_HZ.contains(&config.sample_rate())
            && (1..=resample::MAX_CHANNELS).contains(&usize::from(config.channels()))
    };
    let native = device.default_input_config().map_err(|error| explain(name, &error))?;
    if usable(&native) {
        return Ok(native);
    }
    let ranges = device.supported_input_configs().map_err(|error| explain(name, &error))?;
    let mut others: Vec<_> = ranges
        .flat_map(|range| [48_000, 44_100, 16_000].map(|rate| range.try_with_sample_rate(rate)))
        .flatten()
        .filter(usable)
        .collect();
    others.sort_by_key(|config| (config.channels(), config.sample_rate().abs_diff(48_000)));
    others.into_iter().next().ok_or_else(|| SourceError::Unsupported {
        name: name.to_owned(),
        why: format!("{} channels of {} at {} Hz", native.channels(), native.sample_format(), native.sample_rate()),
    })
}

fn is_known(format: SampleFormat) -> bool {
    use SampleFormat::{F32, F64, I8, I16, I24, I32, U8, U16, U32};
    matches!(format, F32 | F64 | I8 | I16 | I24 | I32 | U8 | U16 | U32)
}

/// Builds the stream whose callbacks fill the input.
fn start(
    device: &Device,
    config: &SupportedStreamConfig,
    input: Input,
    opening: &Opening,
    name: &str,
) -> Result<cpal::Stream, cpal::Error> {
    use SampleFormat::{F32, F64, I8, I16, I24, I32, U8, U16, U32};
    let mut capture = Capture { input, clock: opening.clock.clone(), rate: u64::from(config.sample_rate()) };
    let channels = u64::from(config.channels());
    let status = capture.input.status();
    let name = name.to_owned();
    let on_error = move |error: cpal::Error| match error.kind() {
        ErrorKind::Xrun => status.glitch(),
        ErrorKind::DeviceChanged => status.rerouted(),
        ErrorKind::RealtimeDenied => {}
        _ => status.lost(explain(&name, &error)),
    };
    let format = config.sample_format();
    let on_data = move |data: &Data, info: &InputCallbackInfo| match format {
        F32 => capture.take::<f32>(data, info, channels),
        I16 => capture.take::<i16>(data, info, channels),
        I32 => capture.take::<i32>(data, info, channels),
        F64 => capture.convert::<f64>(data, info, channels),
        I8 => capture.convert::<i8>(data, info, channels),
        U8 => capture.convert::<u8>(data, info, channels),
        U16 => capture.convert::<u16>(data, info, channels),
        I24 => capture.convert::<cpal::I24>(data, info, channels),
        U32 => capture.convert::<u32>(data, info, channels),
        _ => {}
    };
    let config: StreamConfig = config.config();
    device.build_input_stream_raw(config, format, on_data, on_error, Some(PATIENCE))
}

/// The audio callback's side: it runs on the sound system's thread, and calls nothing that might wait. Reading the
/// monotonic clock is no system call where the kernel maps it into the process, as Linux, macOS and Windows do.
struct Capture {
    input: Input,
    clock: Clock,
    /// Frames per second.
    rate: u64,
}

impl Capture {
    /// When the first frame of a callback was captured, on the session's clock.
    fn captured(&self, info: &InputCallbackInfo, frames: u64) -> Duration {
        let timestamp = info.timestamp();
        // Some systems give the time of the callback as that of the capture: the frames took at least their length.
        let age = timestamp.callback.saturating_duration_since(timestamp.capture).max(self.length(frames));
        self.clock.now().saturating_sub(age)
    }

    fn length(&self, frames: u64) -> Duration {
        Duration::from_nanos(frames * 1_000_000_000 / self.rate.max(1))
    }

    fn take<T: SizedSample + PcmSample>(&mut self, data: &Data, info: &InputCallbackInfo, channels: u64) {
        let Some(samples) = data.as_slice::<T>() else { return };
        let captured = self.captured(info, samples.len() as u64 / channels);
        self.input.push(samples, captured);
    }

    fn convert<T: SizedSample>(&mut self, data: &Data, info: &InputCallbackInfo, channels: u64)
    where
        f32: FromSample<T>,
    {
        let Some(samples) = data.as_slice::<T>() else { return };
        let captured = self.captured(info, samples.len() as u64 / channels);
        let mut converted = [0.0f32; CONVERTED];
        for (index, part) in samples.chunks(CONVERTED).enumerate() {
            for (to, &from) in converted.iter_mut().zip(part) {
                *to = f32::from_sample(from);
            }
            let before = self.length((index * CONVERTED) as u64 / channels);
            self.input.push(&converted[..part.len()], captured + before);
        }
    }
}

fn explain(name: &str, error: &cpal::Error) -> SourceError {
    let (name, why) = (name.to_owned(), error.to_string());
    match error.kind() {
        ErrorKind::DeviceBusy => SourceError::Busy { name },
        ErrorKind::PermissionDenied => SourceError::Denied { name },
        ErrorKind::DeviceNotAvailable | ErrorKind::StreamInvalidated => SourceError::Lost { name },
        ErrorKind::HostUnavailable => SourceError::NoSoundSystem { why },
        ErrorKind::UnsupportedConfig | ErrorKind::InvalidInput | ErrorKind::UnsupportedOperation => {
            SourceError::Unsupported { name, why }
        }
        _ => SourceError::Backend { name, why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_sound_system_become_advice() {
        for (kind, expected) in [
            (ErrorKind::DeviceBusy, SourceError::Busy { name: "mic".into() }),
            (ErrorKind::PermissionDenied, SourceError::Denied { name: "mic".into() }),
            (ErrorKind::DeviceNotAvailable, SourceError::Lost { name: "mic".into() }),
        ] {
            assert_eq!(explain("mic", &cpal::Error::new(kind)), expected);
        }
        assert!(explain("mic", &cpal::Error::with_message(ErrorKind::Other, "odd")).to_string().contains("odd"));
    }
}
