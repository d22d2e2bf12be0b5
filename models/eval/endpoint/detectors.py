"""The voice activity detectors and turn models that are compared. Each takes samples and gives a probability of speech
for each of its steps; ours also gives the probability that the turn is over."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch

TRAIN = Path(__file__).resolve().parents[2] / "train"
sys.path[:0] = [str(TRAIN), str(TRAIN / "endpoint")]

from features import log_mel  # noqa: E402
from network import Endpointer  # noqa: E402


class Linnet:
    hop = 640

    def __init__(self, path):
        self.network = Endpointer.load(path)
        self.hop = 160 * self.network.stack

    def __call__(self, samples):
        with torch.no_grad():
            logits = self.network(log_mel(torch.from_numpy(samples))[None])
        both = torch.sigmoid(logits[0]).numpy()
        return both[:, 0], both[:, 1]


class Energy:
    """Level over the quietest of the last three seconds: 0.5 at 9 dB."""

    hop = 160

    def __call__(self, samples):
        frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
        level = 10 * np.log10(np.mean(frames**2, 1) + 1e-9)
        level = np.convolve(level, np.ones(3) / 3)[: len(level)]
        floor = np.array([level[max(0, i - 300) : i + 1].min() for i in range(len(level))])
        return 1 / (1 + np.exp(-(level - floor - 9) / 2)), None


class Silero:
    hop = 512

    def __init__(self):
        from silero_vad import load_silero_vad

        self.model = load_silero_vad(onnx=True)

    def __call__(self, samples):
        self.model.reset_states()
        steps = samples[: len(samples) // 512 * 512].reshape(-1, 512)
        return np.array([self.model(torch.from_numpy(step), 16_000).item() for step in steps]), None


class Ten:
    hop = 256

    def __init__(self):
        from ten_vad import TenVad

        self.make = TenVad

    def __call__(self, samples):
        vad = self.make(hop_size=256)
        steps = (samples[: len(samples) // 256 * 256] * 32767).astype(np.int16).reshape(-1, 256)
        return np.array([vad.process(step)[0] for step in steps]), None


class SmartTurn:
    """Smart Turn v3.2, asked about the last 8 s."""

    def __init__(self):
        import onnxruntime

        # Importing the package would ask for all that pipecat depends on.
        package = importlib.util.find_spec("pipecat")
        if package is None:
            raise ImportError("pipecat-ai is not installed")
        folder = Path(package.submodule_search_locations[0]) / "audio/turn/smart_turn"
        spec = importlib.util.spec_from_file_location("whisper_features", folder / "_whisper_features.py")
        features = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(features)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        path = str(folder / "data/smart-turn-v3.2-cpu.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.features = features.compute_whisper_log_mel_features

    def __call__(self, samples):
        samples = samples[-128_000:]
        samples = np.pad(samples, (128_000 - len(samples), 0))
        features = self.features(samples, do_normalize=True)[None]
        return float(self.session.run(None, {"input_features": features})[0][0].item())
