"""Checks of going on from shipped weights: python -m unittest (in this folder)."""

import unittest

import torch

from model import export_state, only_for_training
from shipped import BLANK_BIAS, heads_of, joined
from test_model import small_model

TOKENS = ["a", "b"]


class ShippedTest(unittest.TestCase):
    def setUp(self):
        model = small_model(input_mean=-12.5, input_scale=0.3, teacher_parts=4)
        self.state = {"average": model.state_dict(), "step": 7, "hours": 1.5, "config": model.config.to_dict(), "tokens": TOKENS}
        self.exported = {name: value for name, value in export_state(model.state_dict(), model.config).items() if not only_for_training(name)}

    def test_weights_and_heads_make_the_checkpoint_again(self):
        self.exported[BLANK_BIAS][-1] -= 0.8
        again = joined(self.exported, TOKENS, heads_of(self.state, 0.8))
        self.assertEqual({**again, "average": None}, {**self.state, "average": None})
        self.assertEqual(set(again["average"]), set(self.state["average"]))
        for name, value in self.state["average"].items():
            torch.testing.assert_close(again["average"][name].float(), value.float(), atol=2e-3, rtol=2e-3, msg=name)

    def test_weights_of_another_model_are_refused(self):
        with self.assertRaisesRegex(ValueError, "other tokens"):
            joined(self.exported, ["a", "c"], heads_of(self.state, 0.0))


if __name__ == "__main__":
    unittest.main()
