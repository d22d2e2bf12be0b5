"""Run from the root of the repository: python3 -m unittest discover -s examples/python/tests"""

import array
import sys
import tempfile
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

    def test_hotwords_grammars_formats_and_policies_change_in_mid_stream(self) -> None:
        surest = max(self.expected.words, key=lambda word: word.confidence).text
        hotwords = self.engine.hotwords(["tea", linnet.Hotword("zebra", 3, [surest]), linnet.Hotword("mocha", 99)])
        self.assertEqual([(bad.phrase, bad.spelling) for bad in hotwords.rejected], [("mocha", "mocha")])
        self.assertIn("99", hotwords.rejected[0].reason)
        menu = "#JSGF V1.0;\npublic <ask> = (will | can){verb} you help (me | us);"
        grammar = self.engine.grammar(menu, rejection=-1e9, letter_reward=3)
        with self.engine.stream(hotwords=hotwords, endpoint_ms=0, chunk_ms=1120) as stream:

            def say() -> linnet.Final:
                stream.push(pcm())
                stream.finalize()
                return next(event for event in list(stream) if isinstance(event, linnet.Final))

            self.assertIn("zebra", say().text)
            stream.set_hotwords(None)
            stream.set_format(linnet.Format(punctuate=True, redact=["cards"], replace=[(surest, "zounds")]))
            final = say()
            self.assertTrue("zounds" in final.written.lower() and surest in final.text, final)
            self.assertIn("zounds", [word.text.lower() for word in final.written_words])
            self.assertIsNone(final.interpretation)
            stream.set_grammar(grammar)
            meaning = say().interpretation
            self.assertTrue(meaning and meaning.accepted and meaning.intent == "ask")
            self.assertEqual(meaning.slots[0].name, "verb")
            self.assertIn(meaning.slots[0].value, ("will", "can"))
            stream.policy = linnet.Policy.preset("dictation")
            self.assertEqual(stream.policy.endpoint_ms, 1500)
        with_beam = self.engine.transcribe(pcm(), beam_width=4, alternatives=3)
        self.assertEqual(with_beam.alternatives[0].text, with_beam.text)
        with self.assertRaisesRegex(linnet.Error, "line 1"):
            self.engine.grammar("no grammar")

    def test_a_session_recognizes_on_its_own_thread(self) -> None:
        grammar = self.engine.grammar("#JSGF V1.0;\npublic <any> = <GARBAGE>;")
        with self.engine.live(grammar=grammar, buffer_ms=60_000, realtime_priority=False, endpoint_ms=0) as session:
            data = pcm()
            for at in range(0, len(data), 320):
                session.push(data[at : at + 320])
            session.stop()
            events = list(session)
            self.assertEqual(events[-1], linnet.State("stopped"))
            finals = [event for event in events if isinstance(event, linnet.Final)]
            self.assertEqual([final.interpretation.intent for final in finals], ["any"])
            self.assertEqual(session.state, "stopped")
            metrics = session.metrics()
            self.assertGreater(metrics["queue"]["count"], 0)
            self.assertEqual(metrics["gaps"], 0)

    def test_devices_are_listed_or_refused_and_messages_arrive(self) -> None:
        messages = []
        linnet.log(lambda *message: messages.append(message), "debug")
        try:
            for device in linnet.devices():
                self.assertTrue(device.id)
        except linnet.Error as error:
            self.assertRegex(str(error), "capture|sound")
        linnet.Engine(MODEL).close()
        linnet.log(None)
        count = len(messages)
        linnet.Engine(MODEL).close()
        self.assertEqual(len(messages), count)
        self.assertIn("info", [level for level, _, _ in messages])

    def test_a_language_model_counts(self) -> None:
        letter = b"\\data\\\n\\1-grams:\n-99\t<s>\n-1\t</s>\n-0.1\te\n\\end\\\n"
        plain = self.engine.transcribe(pcm(), beam_width=4, language_model=False).text
        mute = self.engine.language_model(letter, weight=0, token_reward=0)
        self.assertEqual(self.engine.transcribe(pcm(), beam_width=4, language_model=mute).text, plain)
        with tempfile.NamedTemporaryFile() as file:
            file.write(letter)
            file.flush()
            strong = self.engine.language_model(Path(file.name), weight=5)
        self.assertNotEqual(self.engine.transcribe(pcm(), beam_width=4, language_model=strong).text, plain)
        with self.assertRaisesRegex(linnet.Error, "no-such-model"):
            self.engine.language_model("no-such-model.arpa")

    def test_speakers_are_told_apart_when_asked_for(self) -> None:
        self.assertTrue(self.engine.info.speakers)
        self.assertEqual({word.speaker for word in self.expected.words}, {None})
        final = self.engine.transcribe(pcm(), speakers=1, speaker_threshold=0.5)
        self.assertIn(1, {word.speaker for word in final.words})
        with self.assertRaisesRegex(linnet.Error, "speaker_threshold"):
            self.engine.stream(speakers=2, speaker_threshold=2.0)

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
