"""The official Python client, unmodified, against a running server.

    python -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python deepgram_python.py 127.0.0.1:8080 speech.wav

Sends a 16 kHz mono 16-bit WAV file live and as a recording, and prints one JSON object with what came back.
"""

import json
import sys
import threading
import wave

from deepgram import DeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment

MESSAGE_BYTES = 3200


def main():
    address, path = sys.argv[1:3]
    environment = DeepgramClientEnvironment(
        base=f"http://{address}",
        production=f"ws://{address}",
        agent=f"ws://{address}",
        agent_rest=f"http://{address}",
    )
    client = DeepgramClient(api_key="unused", environment=environment)
    print(json.dumps({"live": live(client, path), "recording": recording(client, path)}))


def live(client, path):
    events = []
    with client.listen.v1.connect(
        model="nova-3",
        encoding="linear16",
        sample_rate=16000,
        interim_results="true",
        utterance_end_ms="1000",
        vad_events="true",
        punctuate="true",
    ) as connection:
        connection.on(EventType.MESSAGE, events.append)
        connection.on(EventType.ERROR, lambda error: events.append(error))
        listener = threading.Thread(target=connection.start_listening)
        listener.start()
        connection.send_keep_alive()
        with wave.open(path, "rb") as audio:
            assert (audio.getframerate(), audio.getnchannels(), audio.getsampwidth()) == (16000, 1, 2)
            while block := audio.readframes(MESSAGE_BYTES // 2):
                connection.send_media(block)
        connection.send_finalize()
        connection.send_close_stream()
        listener.join(60)
        assert not listener.is_alive(), "the server closes the connection"
    kinds = [type(event).__name__ for event in events]
    results = [event for event in events if type(event).__name__ == "ListenV1Results"]
    finals = [event for event in results if event.is_final]
    texts = [event.channel.alternatives[0].transcript for event in finals]
    return {
        "kinds": sorted(set(kinds)),
        "text": " ".join(text for text in texts if text),
        "interims": len(results) - len(finals),
        "from_finalize": any(event.from_finalize for event in finals),
        "words": sum(len(event.channel.alternatives[0].words) for event in finals),
        "request_id": finals[0].metadata.request_id,
        "duration": next(event.duration for event in events if type(event).__name__ == "ListenV1Metadata"),
    }


def recording(client, path):
    with open(path, "rb") as audio:
        answer = client.listen.v1.media.transcribe_file(
            request=audio.read(), model="nova-3", utterances=True, paragraphs=True, smart_format=True
        )
    alternative = answer.results.channels[0].alternatives[0]
    return {
        "text": alternative.transcript,
        "words": len(alternative.words),
        "utterances": len(answer.results.utterances),
        "paragraphs": len(alternative.paragraphs.paragraphs),
        "duration": answer.metadata.duration,
    }


if __name__ == "__main__":
    main()
