"""Where the teacher's output goes: every recording in one window, every encoder frame beside what it has just heard."""

import random
import unittest

import numpy as np

import teacher
from data import IGNORE, NO_ROW, TEACHER_DELAY, UNKNOWN, Item, collate, teacher_targets


class TeacherTest(unittest.TestCase):
    def test_windows_hold_every_recording_once_and_apart(self):
        pick = random.Random(4)
        index = [{"frames": pick.randint(30, 1790 - 64)} for _ in range(300)]
        windows = teacher.plan_windows(index)
        self.assertEqual(sorted(number for window in windows for number, _ in window), list(range(300)))
        for window in windows:
            end = 0
            for number, row in window:
                self.assertGreaterEqual(row - end, teacher.GAP_S * 100 // teacher.ROW_FRAMES)
                end = row + teacher.rows_of(index[number]["frames"])
            self.assertLessEqual(end * teacher.ROW_FRAMES, teacher.WINDOW_S * 100)

    def test_components_are_uncorrelated_and_of_unit_variance_in_the_mean(self):
        rng = np.random.default_rng(1)
        rows = rng.normal(size=(4000, 512)) @ rng.normal(size=(512, 512)) + 3
        found = teacher.components(rows)
        parts = (rows - found["mean"]) / found["scale"] @ found["rotation"]
        covariance = np.cov(parts.T)
        self.assertAlmostEqual(float(np.diag(covariance).mean()), 1, delta=0.02)
        self.assertLess(np.abs(covariance - np.diag(np.diag(covariance))).max(), 0.01)

    def test_splits_are_read_as_one(self):
        one, two = np.arange(12.0).reshape(4, 3), np.arange(12.0, 24).reshape(4, 3)
        joined = teacher.Joined([one.astype(np.float16), two.astype(np.float16)])
        rows = np.array([[0, 7], [4, 3]])
        self.assertTrue((joined[rows] == np.concatenate([one, two])[rows]).all())

    def test_a_frame_is_told_what_ended_the_delay_before_it(self):
        outputs = np.repeat(np.arange(1.0, 41, dtype=np.float16)[:, None], 2, 1)  # row n holds n + 1
        rows = np.arange(160) // teacher.ROW_FRAMES
        rows[96:104] = NO_ROW
        outputs[5] = 0  # not computed
        targets = teacher_targets(rows, 21, outputs)
        at = 8 * np.arange(21) - TEACHER_DELAY  # mel frame up to which a frame is told
        for frame in range(21):
            first, last = at[frame] - 8, at[frame]
            unknown = first < 0 or last > 160 or (rows[max(first, 0) : last] == NO_ROW).any() or first <= 5 * 4 + 3 and last > 5 * 4
            expected = 0 if unknown else np.mean([outputs[row, 0] for row in rows[first:last]])
            self.assertAlmostEqual(float(targets[frame, 0]), expected, places=3, msg=str(frame))

    def test_only_the_teacher_speaks_of_what_is_not_transcribed(self):
        outputs = np.ones((40, 3), np.float16)
        frames, tokens, ends = 160, np.array([4, 2]), np.array([40.0, 90.0])

        def item(told):
            mel, rows = np.zeros((frames, 80), np.float32), np.arange(frames) // teacher.ROW_FRAMES
            said = (tokens, ends) if told else (tokens[:0], ends[:0])
            return Item(mel, *said, np.full(frames, UNKNOWN, np.uint8), rows, told)

        batch = collate([item(True), item(False)], 9, np.random.default_rng(1), outputs)
        self.assertEqual(batch.told.tolist(), [True, False])
        self.assertTrue((batch.ctc[1] == IGNORE).all() and (batch.ctc[0] != IGNORE).all())
        self.assertEqual(set(batch.path[0].tolist()), {0})
        self.assertTrue((batch.teacher[0] == batch.teacher[1]).all() and batch.teacher.any())
        alone = collate([item(False)], 9, np.random.default_rng(1), outputs)
        self.assertEqual([len(part) for part in (*alone.path, alone.path_labels)], [0] * 4)


if __name__ == "__main__":
    unittest.main()
