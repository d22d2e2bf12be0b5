"""Run from the root of the repository: python3 -m unittest discover -s examples/python/tests"""

import array
import sys
import threading
import unittest
import wave
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "examples/python"))

import linnet  # noqa: E402

MODEL = ROOT / "models/linnet-en.linnet"
CLIP = ROOT / "engine/tests/data/speech/formats/speech.wav"


def pcm() -> bytes:
    with wave.open(str(CLIP)) as file:
        return file.readframes(file.getnframes())


class LinnetTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.engine = linnet.Engine(MODEL)
        cls.expected = cls.engine.transcribe_file(CLIP)

    def test_the_engine_tells_about_its_model(self) -> None:
        info = self.engine.info
        self.assertGreater(info.parameters, 0)
        self.assertIn(info.default_chunk_ms, info.chunks_ms)
        self.assertEqual(linnet.Engine(MODEL.read_bytes()).info, info)

    def test_all_sample_types_give_the_transcript_of_the_file(self) -> None:
        samples = array.array("h", pcm())
        floats = array.array("f", (sample / 32768 for sample in samples))
        for given in (samples, floats, pcm(), bytearray(pcm()), memoryview(samples)):
            self.assertEqual(self.engine.transcribe(given).text, self.expected.text)
        stereo = array.array("h", (sample for sample in samples for _ in range(2)))
        self.assertEqual(self.engine.transcribe(stereo, channels=2).text, self.expected.text)

    def test_words_make_up_the_text_in_order(self) -> None:
        self.assertTrue(self.expected.text)
        self.assertEqual(" ".join(word.text for word in self.expected.words), self.expected.text)
        starts = [word.start for word in self.expected.words]
        self.assertEqual(starts, sorted(starts))

    def test_a_stream_gives_events(self) -> None:
        with self.engine.stream(chunk_ms=2**32 - 1, endpoint_ms=0) as stream:
            events = []
            data = pcm()
            for at in range(0, len(data), 3200):
                stream.push(data[at : at + 3200])
                events.extend(stream)
            stream.finish()
            events.extend(stream)
            self.assertAlmostEqual(stream.position, len(data) / 32000, places=2)
            self.assertGreater(stream.real_time_factor, 0)
            self.assertEqual(stream.chunk_ms, max(self.engine.info.chunks_ms))
            with self.assertRaises(linnet.Error) as caught:
                stream.push(data)
            self.assertIn("ended", str(caught.exception))
        finals = [event for event in events if isinstance(event, linnet.Final)]
        self.assertEqual([final.text for final in finals], [self.expected.text])
        self.assertTrue(finals[0].from_finalize)
        self.assertIsInstance(events[0], linnet.SpeechStarted)
        self.assertIsInstance(events[-1], linnet.UtteranceEnd)

    def test_threads_transcribe_side_by_side(self) -> None:
        texts = []
        threads = [
            threading.Thread(target=lambda: texts.append(self.engine.transcribe(pcm()).text)) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(texts, [self.expected.text] * 3)

    def test_mistakes_raise(self) -> None:
        with self.assertRaisesRegex(linnet.Error, "model error"):
            linnet.Engine("no-such-model")
        with self.assertRaisesRegex(linnet.Error, "finite"):
            self.engine.transcribe(array.array("f", [0.0, float("nan")]))
        with self.assertRaisesRegex(TypeError, "format"):
            self.engine.transcribe(array.array("d", [0.0]))
        with self.assertRaisesRegex(ValueError, "whole"):
            self.engine.transcribe(b"odd")
        with self.assertRaisesRegex(TypeError, "no setting"):
            self.engine.stream(no_such_setting=1)
        stream = self.engine.stream()
        stream.close()
        stream.close()
        with self.assertRaisesRegex(linnet.Error, "invalid handle"):
            stream.push(b"")


if __name__ == "__main__":
    unittest.main()
