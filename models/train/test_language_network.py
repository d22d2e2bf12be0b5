"""Checks of the language network's examples and file."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import safetensors
import sentencepiece
import torch

sys.path.insert(0, str(Path(__file__).parent / "lm"))

import network  # noqa: E402

TOKENS = str(Path(__file__).parent / "checkpoint/tokens.model")


class LanguageNetwork(unittest.TestCase):
    def setUp(self):
        self.tokenizer = sentencepiece.SentencePieceProcessor(model_file=TOKENS)
        self.end = self.tokenizer.vocab_size()

    def test_examples_begin_with_an_end_and_a_word(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "some.txt"
            path.write_text("a large latte please\nthe quilter's manner\n" * 400)
            text = network.Text(path, self.tokenizer, 0.5, seed=1)
            chance = np.random.default_rng(1)
            for at_end in (False, True) * 20:
                window = text.window(12, chance, at_end)
                self.assertEqual((len(window), window[0]), (13, self.end))
                self.assertTrue(self.tokenizer.id_to_piece(int(window[1])).startswith("\u2581"))
                if at_end:
                    pieces = [int(piece) for piece in window[1:] if piece != self.end]
                    self.assertIn(self.tokenizer.decode(pieces).split()[0], ("a", "the"))

    def test_a_window_is_what_the_text_says(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "some.txt"
            path.write_text("one two three four\n" * 300)
            text = network.Text(path, self.tokenizer, 1.0, seed=1)
            window = text.window(30, np.random.default_rng(2), at_end=True)
            line = self.tokenizer.encode("one two three four") + [self.end]
            self.assertEqual(window[1:].tolist(), (line * 30)[:30])

    def test_the_file_is_what_the_engine_reads(self):
        model = network.Network(self.end, 6, 10)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "network.safetensors")
            network.save(model, self.tokenizer, path, 0.25)
            with safetensors.safe_open(path, "pt") as file:
                metadata = file.metadata()
                shapes = {name: list(file.get_tensor(name).shape) for name in file.keys()}
            again = network.Network(self.end, 6, 10)
            network.load_into(again, path)
        self.assertEqual(metadata["format"], "linnet-language-network")
        self.assertEqual(json.loads(metadata["config"]), {"embedding": 6, "hidden": 10, "weight": 0.25})
        self.assertEqual(len(json.loads(metadata["tokens"])), self.end)
        self.assertEqual(shapes["language_network.lstm.weight_hh_l0"], [40, 10])
        self.assertEqual(shapes["language_network.output.weight"], [self.end + 1, 10])
        pieces = torch.tensor([[self.end], [3]])
        self.assertTrue(torch.allclose(again(pieces), model(pieces), atol=2e-3))


if __name__ == "__main__":
    unittest.main()
