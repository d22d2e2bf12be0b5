"""Checks of the network and its loss: python -m unittest (in this folder)."""

import itertools
import unittest
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import torch

import fused
from grow import grow
from loss import banded_transducer_loss
from model import Config, Transducer, export_state

torch.set_num_threads(1)


def small_model(**changes):
    torch.manual_seed(0)
    config = Config(d_model=32, n_layers=2, n_heads=2, d_ff=64, subsampling_channels=16, pred_hidden=16, joint_hidden=16,
                    vocab_size=16, left_context=8, **changes)
    return Transducer(config).eval()


class EncoderTest(unittest.TestCase):
    @torch.no_grad()
    def test_padded_batch_equals_single_utterances(self):
        model = small_model()
        lengths = torch.tensor([300, 211, 96])
        features = torch.randn(3, 300, 80) * 3 - 8
        for look_ahead in (0, 3, 13):
            batch, frames = model.encoder(features, lengths, look_ahead)
            for row, length in enumerate(lengths):
                single, _ = model.encoder(features[row : row + 1, :length], lengths[row : row + 1], look_ahead)
                self.assertEqual(single.shape[1], frames[row])
                torch.testing.assert_close(batch[row, : frames[row]], single[0], atol=1e-4, rtol=1e-4)

    @torch.no_grad()
    def test_output_depends_on_its_chunk_and_left_context_only(self):
        model = small_model()
        features = torch.randn(1, 400, 80) * 3 - 8
        length = torch.tensor([400])
        for look_ahead in (0, 1, 6):
            chunk = look_ahead + 1
            last = 3 * chunk - 1  # last frame of the third chunk; it sees mel frames up to 8 * last
            before, _ = model.encoder(features, length, look_ahead)
            changed = features.clone()
            changed[:, 8 * last + 1 :] += 1
            after, _ = model.encoder(changed, length, look_ahead)
            difference = (before - after).abs().amax((0, 2))
            self.assertLess(difference[: last + 1].max(), 1e-5)
            self.assertGreater(difference[last + 1], 1e-3)

    @torch.no_grad()
    def test_export_folds_the_input_normalisation(self):
        model = small_model(input_mean=-12.5, input_scale=0.3)
        plain = small_model(input_mean=0.0, input_scale=1.0)
        plain.load_state_dict(export_state(model.state_dict(), model.config), strict=False)
        features, length = torch.randn(1, 80, 80) * 3 - 8, torch.tensor([80])
        torch.testing.assert_close(
            plain.encoder(features, length, 3)[0], model.encoder(features, length, 3)[0], atol=1e-3, rtol=1e-3
        )

    @torch.no_grad()
    def test_a_deeper_model_starts_close_to_the_shallower(self):
        model = small_model()
        state = model.state_dict()
        for name, tensor in state.items():
            if "norm_out" in name:
                tensor.add_(0.1 * torch.randn(tensor.shape))
        model.load_state_dict(state)
        deeper = Transducer(replace(model.config, n_layers=4)).eval()
        deeper.load_state_dict(grow(state, 2, {0, 1}))
        features, length = torch.randn(1, 200, 80) * 3 - 8, torch.tensor([200])
        before, after = (m.encoder(features, length, 3)[0] for m in (model, deeper))
        self.assertLess((after - before).norm(), 0.1 * before.norm())
        copied = Transducer(deeper.config).eval()  # layers merely repeated are far off
        copied.load_state_dict(grow(state, 2, set()) | {
            f"encoder.layers.{to}.{name}": tensor
            for to, of in ((1, 0), (2, 1), (3, 1)) for name, tensor in model.encoder.layers[of].state_dict().items()
        })
        self.assertGreater((copied.encoder(features, length, 3)[0] - before).norm(), 0.3 * before.norm())


@unittest.skipUnless(fused.AVAILABLE, "the fused kernels could not be built here")
class FusedTest(unittest.TestCase):
    def test_fused_kernels_equal_the_plain_operators(self):
        for channels in (16, 20):
            torch.manual_seed(1)
            config = Config(d_model=36, n_layers=2, n_heads=2, d_ff=64, subsampling_channels=channels, pred_hidden=16, joint_hidden=16,
                            vocab_size=16, left_context=8)
            model = Transducer(config).train()
            features, lengths = torch.randn(3, 171, 80) * 3 - 12, torch.tensor([171, 171, 171])
            seen = []
            for available in (True, False):
                with mock.patch.object(fused, "AVAILABLE", available):
                    model.zero_grad()
                    encoded, frames = model.encoder(features, lengths, 3)
                    (encoded * torch.linspace(-1, 1, encoded.numel()).view(encoded.shape)).sum().backward()
                seen.append((encoded.detach(), frames, {n: p.grad for n, p in model.encoder.named_parameters() if p.grad is not None}))
            fast, plain = seen
            torch.testing.assert_close(fast[0], plain[0], atol=1e-4, rtol=1e-4)
            self.assertTrue(torch.equal(fast[1], plain[1]))
            for name, gradient in plain[2].items():
                scale = gradient.abs().max() + 1e-3
                torch.testing.assert_close(fast[2][name] / scale, gradient / scale, atol=1e-3, rtol=0, msg=name)


class LossTest(unittest.TestCase):
    def test_band_equals_the_sum_over_all_its_paths(self):
        torch.manual_seed(0)
        blank, joint_size = 6, 8
        output = torch.nn.Linear(joint_size, blank + 1)

        def joint(encoded, predicted):
            return output(torch.relu(encoded + predicted))

        encoded, predicted = torch.randn(2, 5, joint_size), torch.randn(2, 4, joint_size)
        tokens, counts = torch.tensor([[1, 2, 3], [4, 0, 0]]), torch.tensor([3, 1])
        emissions, frames = torch.tensor([[1, 1, 3], [2, 0, 0]]), torch.tensor([5, 4])
        batch = SimpleNamespace(tokens=tokens, token_lengths=counts, emissions=emissions, told=torch.tensor([True, True]))
        for before, after in ((9, 9), (1, 1), (0, 0)):
            expected = 0.0
            for row in range(2):
                scores = []
                for times in itertools.combinations_with_replacement(range(int(frames[row])), int(counts[row])):
                    if all(e - before <= t <= e + after for t, e in zip(times, emissions[row].tolist())):
                        scores.append(self.path_score(joint, encoded[row], predicted[row], tokens[row], times, frames[row], blank))
                expected = expected - torch.logsumexp(torch.stack(scores), 0)
                first = expected if row == 0 else first
            got = banded_transducer_loss(joint, encoded, predicted, frames, batch, blank, before, after)
            self.assertAlmostEqual(float(got), float(expected / counts.sum()), places=4)
            batch.told[1] = False
            got = banded_transducer_loss(joint, encoded, predicted, frames, batch, blank, before, after)
            batch.told[1] = True
            self.assertAlmostEqual(float(got), float(first / counts[0]), places=4)

    @staticmethod
    def path_score(joint, encoded, predicted, tokens, times, frames, blank):
        score, emitted = 0.0, 0
        for frame in range(int(frames)):
            while emitted < len(times) and times[emitted] == frame:
                score = score + joint(encoded[frame], predicted[emitted]).log_softmax(-1)[tokens[emitted]]
                emitted += 1
            score = score + joint(encoded[frame], predicted[emitted]).log_softmax(-1)[blank]
        return score


if __name__ == "__main__":
    unittest.main()
