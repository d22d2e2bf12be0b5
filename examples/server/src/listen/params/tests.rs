use linnet::Engine;

use super::*;

fn parse(query: &str, kind: Kind) -> Result<Params, ParamError> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/linnet-en.linnet");
    Params::parse(query, kind, Engine::open(path).unwrap().info())
}

fn live(query: &str) -> Params {
    parse(query, Kind::Live).unwrap()
}

fn refused(query: &str) -> String {
    parse(query, Kind::Live).unwrap_err().to_string()
}

#[test]
fn defaults_are_those_of_the_protocol() {
    let params = live("model=nova-3");
    assert!(!params.interim_results && !params.vad_events && params.utterances.is_none());
    assert!(params.settings.raw.is_none() && !params.settings.multichannel);
    assert_eq!(params.settings.stream.endpointing, Some(SHORTEST_PAUSE));
    assert!(params.warnings.is_empty());
}

#[test]
fn raw_audio_is_described() {
    let params = live("encoding=mulaw&sample_rate=8000&channels=2&multichannel=TRUE&interim_results=True");
    let format = AudioFormat { rate_hz: 8000, channels: 2 };
    assert_eq!(params.settings.raw, Some((RawEncoding::MuLaw, format)));
    assert!(params.settings.multichannel && params.settings.stream.interim_results);
}

#[cfg(feature = "opus")]
#[test]
fn opus_comes_in_packets_or_in_files() {
    let raw = |query, kind| parse(query, kind).unwrap().settings.raw;
    let at = |rate_hz, channels| Some((RawEncoding::Opus, AudioFormat { rate_hz, channels }));
    assert_eq!(raw("encoding=opus&sample_rate=16000", Kind::Live), at(16_000, 1));
    assert_eq!(raw("encoding=opus&channels=2", Kind::Live), at(48_000, 2));
    assert_eq!(raw("encoding=ogg-opus&sample_rate=16000", Kind::Live), None);
    assert_eq!(raw("encoding=opus&sample_rate=16000", Kind::Recording), None);
}

#[test]
fn pauses_can_be_set_and_turned_off() {
    let endpointing = |query| live(query).settings.stream.endpointing;
    assert_eq!(endpointing("endpointing=500"), Some(Duration::from_millis(500)));
    assert_eq!(endpointing("endpointing=10"), Some(SHORTEST_PAUSE));
    assert_eq!(endpointing("endpointing=false"), None);
    let params = live("interim_results=true&utterance_end_ms=1000");
    assert_eq!(params.settings.utterance_end, Some(Duration::from_secs(1)));
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    for (query, name) in [
        ("encoding=speex", "encoding"),
        #[cfg(feature = "opus")]
        ("encoding=opus&sample_rate=44100", "sample_rate"),
        #[cfg(feature = "opus")]
        ("encoding=opus&channels=3", "channels"),
        #[cfg(not(feature = "opus"))]
        ("encoding=opus", "encoding"),
        ("encoding=linear16", "sample_rate"),
        ("encoding=linear16&sample_rate=100", "sample_rate"),
        ("encoding=linear16&sample_rate=1e9", "sample_rate"),
        ("channels=0", "channels"),
        ("channels=21", "channels"),
        ("language=fr", "language"),
        ("utterance_end_ms=1000", "interim_results"),
        ("interim_results=yes", "interim_results"),
        ("endpointing=soon", "endpointing"),
        ("callback=http%3A%2F%2Fx", "callback"),
        ("summarize=v2", "summarize"),
        ("utt_split=-1", "utt_split"),
        ("alternatives=3", "alternatives"),
        ("redact=names", "redact"),
        ("replace=:x", "replace"),
        (&"search=x&".repeat(51), "search"),
        (&"replace=x:y&".repeat(201), "replace"),
    ] {
        let message = refused(query);
        assert!(message.contains(name), "{query}: {message}");
    }
    let long = format!("encoding={}%0d%0ax", "y".repeat(1000));
    let message = refused(&long);
    assert!(message.len() < 300 && !message.contains('\n'));
}

#[test]
fn speakers_are_told_apart_where_the_model_can() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/linnet-en.linnet");
    let mut model = Engine::open(path).unwrap().info().clone();
    model.speakers = true;
    let config =
        |query, model: &_| Params::parse(query, Kind::Live, model).map(|params| params.settings.stream.speakers);
    assert_eq!(config("diarize=true", &model), Ok(Some(SpeakerConfig::default())));
    assert_eq!(config("diarize=false", &model), Ok(None));
    model.speakers = false;
    assert_eq!(config("diarize=true", &model), Err(ParamError::Unsupported { name: "diarize".into() }));
}

#[test]
fn what_is_left_out_is_told() {
    let named = |query: &str| live(query).warnings.into_iter().map(|w| w.parameter).collect::<Vec<_>>();
    assert_eq!(named("measurements=true&diarize=false&wonder=1&keyterm=a"), ["measurements", "wonder"]);
    assert_eq!(named("keywords=tea:-1"), ["keywords"]);
    assert!(named("punctuate=false&language=en-GB&version=latest&tag=a").is_empty());
}

#[test]
fn phrases_are_boosted() {
    let hotwords = live("keyterm=flat%20white&keywords=tea:3&keywords=mocha").settings.stream.hotwords;
    let told: Vec<_> = hotwords.iter().map(|hotword| (hotword.phrase.as_str(), hotword.boost)).collect();
    assert_eq!(told, [("flat white", 0.8), ("tea", 3.0), ("mocha", 0.8)]);
    assert!(refused("keywords=tea:much").contains("keywords"));
    assert!(refused(&"keyterm=a&".repeat(501)).contains("keyterm"));
    assert!(refused(&format!("keyterm={}", "a".repeat(201))).contains("keyterm"));
    assert_eq!(keyterm_hotwords(&["oat milk".into(), " ".into()]).unwrap().len(), 1);
    assert!(keyterm_hotwords(&vec!["a".into(); 501]).is_err());
}

#[test]
fn recordings_are_read_in_long_chunks() {
    let params = parse("utterances=true&utt_split=1.5&extra=a:b&extra=c", Kind::Recording).unwrap();
    assert_eq!(params.utterances, Some(Duration::from_millis(1500)));
    assert_eq!(params.settings.stream.endpointing, None);
    assert_eq!(params.extra, [("a".into(), "b".into()), ("c".into(), String::new())]);
}

#[test]
fn formatting_is_set_and_changed() {
    let query = "smart_format=true&redact=pci&redact=ssn&replace=foo%20bar:Baz&replace=um&search=one&search=two";
    let params = live(query);
    let mut format = params.settings.stream.format;
    assert!(format.smart && format.punctuate && !format.numerals && format.redact.cards && format.redact.ssn);
    assert_eq!(format.replace, [("foo bar".into(), "Baz".into()), ("um".into(), String::new())]);
    assert_eq!(params.settings.search.len(), 2);
    assert!(params.warnings.is_empty());

    change_format(&mut format, [("smart_format", Some(false)), ("numerals", Some(true))].into_iter()).unwrap();
    assert!(!format.smart && format.numerals && format.punctuate);
    let before = format.clone();
    assert_eq!(
        change_format(&mut format, [("numerals", Some(false)), ("diarize", Some(true))].into_iter()),
        Err("diarize")
    );
    assert_eq!(change_format(&mut format, [("numerals", None)].into_iter()), Err("numerals"));
    assert_eq!(format, before);
}
