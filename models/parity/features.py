"""Write the log-mel features that the engine's front end is tested against.

    python models/parity/features.py                        # writes the fixture
    python models/parity/features.py --nemo SITE_PACKAGES   # also compares it with NeMo's own front end

The fixture engine/tests/data/features/speech.f32 holds the features of engine/tests/data/speech/formats/speech.wav,
frame after frame, 80 little-endian f32 each. They are computed here with torch from the definition: pre-emphasis 0.97
that keeps the first sample, frames centred on multiples of 160 samples with zeros around the clip, a symmetric Hann
window of 400 samples in an FFT of 512, the power spectrum, 80 triangular filters from 0 to 8000 Hz on Slaney's scale
with area normalization, and ln(x + 2^-24). A clip of n samples has floor(n / 160) frames.

With --nemo, FilterbankFeatures of nemo_toolkit (3.0.0 was used; `pip install --no-deps nemo_toolkit`, and librosa with
its dependencies) computes the same clip, without dither and normalization as its streaming models ask for. Only its
module features.py is loaded: the rest of the package is not needed for the computation.

Needs torch, numpy and soundfile. Check: cargo test -p linnet --test features
"""

import argparse
import importlib.util
import pathlib
import sys
import types

import numpy as np
import soundfile
import torch

DATA = pathlib.Path(__file__).resolve().parents[2] / "engine" / "tests" / "data"
CLIP = DATA / "speech" / "formats" / "speech.wav"
FIXTURE = DATA / "features" / "speech.f32"

RATE_HZ, FFT, WINDOW, HOP, BANDS = 16000, 512, 400, 160, 80


def slaney_mel(hz):
    linear = hz / (200 / 3)
    return np.where(hz < 1000, linear, 15 + np.log(np.maximum(hz, 1000) / 1000) * 27 / np.log(6.4))


def slaney_hz(mel):
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def mel_filters():
    """[BANDS, FFT // 2 + 1]"""
    bins = np.arange(FFT // 2 + 1) * RATE_HZ / FFT
    edges = slaney_hz(np.linspace(slaney_mel(np.array(0.0)), slaney_mel(np.array(8000.0)), BANDS + 2))
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)).clip(0)
    return torch.from_numpy(triangles * 2 / (right - left))


def log_mel(samples):
    """samples [n] -> [n // HOP, BANDS], in f64"""
    samples = samples.double()
    emphasized = torch.cat([samples[:1], samples[1:] - 0.97 * samples[:-1]])
    window = torch.hann_window(WINDOW, periodic=False, dtype=torch.float64)
    spectrum = torch.stft(
        emphasized, FFT, HOP, WINDOW, window, center=True, pad_mode="constant", return_complex=True
    )
    energies = mel_filters() @ spectrum.abs().square()
    return torch.log(energies + 2**-24).T[: len(samples) // HOP]


def nemo_log_mel(site_packages, samples):
    sys.path.insert(0, str(site_packages))
    base = "nemo.collections.asr.parts.preprocessing"
    for name, attribute in [
        (f"{base}.perturb", "AudioAugmentor"),
        (f"{base}.segment", "AudioSegment"),
        ("nemo.utils", "logging"),
    ]:
        sys.modules[name] = types.ModuleType(name)
        setattr(sys.modules[name], attribute, types.SimpleNamespace(debug=print, info=print, warning=print))
    path = pathlib.Path(site_packages) / (base.replace(".", "/") + "/features.py")
    spec = importlib.util.spec_from_file_location("nemo_features", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    front_end = module.FilterbankFeatures(
        sample_rate=RATE_HZ,
        n_window_size=WINDOW,
        n_window_stride=HOP,
        n_fft=FFT,
        nfilt=BANDS,
        normalize="NA",
        dither=0.0,
        pad_to=0,
    ).eval()
    features, lengths = front_end(samples[None].float(), torch.tensor([len(samples)]))
    return features[0, :, : lengths[0]].T


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nemo", type=pathlib.Path, help="folder that holds the packages nemo and librosa")
    arguments = parser.parse_args()
    samples, rate_hz = soundfile.read(CLIP, dtype="float32")
    assert rate_hz == RATE_HZ
    samples = torch.from_numpy(samples)
    features = log_mel(samples)
    if arguments.nemo:
        theirs = nemo_log_mel(arguments.nemo, samples)
        assert theirs.shape == features.shape, (theirs.shape, features.shape)
        difference = (theirs - features).abs().max().item()
        print(f"largest difference from NeMo: {difference:.2e}")
        assert difference < 1e-3
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    features.numpy().astype("<f4").tofile(FIXTURE)
    print(f"{FIXTURE}: {features.shape[0]} frames of {features.shape[1]}")


if __name__ == "__main__":
    main()
