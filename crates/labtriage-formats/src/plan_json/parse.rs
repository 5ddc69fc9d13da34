//! How do the lists of a plan file turn into packed words? One reader per shape, no tree between.

use std::fmt;

use labtriage_core::backlog::{TextPool, TextRef};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::read::{
    Body, LineName, OverrideName, RawDecision, RawDiscard, RawHold, RawImpossible, RawRun, RawSample, RawStep,
    RawVisit, Word, Words,
};
use super::words::{CANCELS, DECISIONS, DISCARDS, HOLDS, STEPS};

/// Shorthand for the error when a list is too short.
fn need<T, E: Error>(value: Option<T>, what: &'static str) -> Result<T, E> {
    value.ok_or_else(|| E::custom(format_args!("the list ends too early: expected {what}")))
}

/// Something that reads itself once per item of a list.
pub(super) trait Item {
    fn item<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error>;
}

/// A list of items.
pub(super) struct List<T>(pub(super) T);

impl<'de, T: Item> DeserializeSeed<'de> for List<T> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Item> Visitor<'de> for List<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while self.0.item(&mut seq)? {}
        Ok(())
    }
}

/// One of a few known words, as its position among them.
pub(super) struct OneOf(pub(super) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for OneOf {
    type Value = usize;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for OneOf {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of {}", self.0.join(", "))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        let known = self.0.iter().position(|word| *word == text);
        known.ok_or_else(|| E::custom(format_args!("unknown word, expected one of {}", self.0.join(", "))))
    }
}

/// A shared word.
struct WordSeed<'a>(&'a mut Words);

impl<'de> DeserializeSeed<'de> for WordSeed<'_> {
    type Value = Word;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Word, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for WordSeed<'_> {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
        Ok(self.0.learn(text))
    }
}

/// A text of its own: an accession or a pseudonym.
struct TextSeed<'a>(&'a mut TextPool);

impl<'de> DeserializeSeed<'de> for TextSeed<'_> {
    type Value = TextRef;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<TextRef, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for TextSeed<'_> {
    type Value = TextRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<TextRef, E> {
        Ok(self.0.push(text))
    }
}

/// A list or map read by a function; `null` where that is allowed gives `None`.
macro_rules! reader {
    ($name:ident, $value:ty, $expecting:literal, $visit:ident, $access:ident, $begin:ident, $read:path) => {
        struct $name<'a>(&'a mut Body);

        impl<'de> DeserializeSeed<'de> for $name<'_> {
            type Value = $value;

            fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<$value, D::Error> {
                deserializer.$begin(self)
            }
        }

        impl<'de> Visitor<'de> for $name<'_> {
            type Value = $value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($expecting)
            }

            fn $visit<A: $access<'de>>(self, access: A) -> Result<$value, A::Error> {
                $read(self.0, access)
            }
        }
    };
}

reader!(StepSeed, RawStep, "a step", visit_seq, SeqAccess, deserialize_seq, read_step);
reader!(LineSeed, (Word, RawDecision), "a line", visit_seq, SeqAccess, deserialize_seq, read_line);
reader!(OverrideSeed, OverrideName, "an override", visit_seq, SeqAccess, deserialize_seq, read_override);
reader!(LineNameSeed, LineName, "accession and test", visit_seq, SeqAccess, deserialize_seq, read_line_name);
reader!(PlaceSeed, (Word, u16), "site and slot", visit_seq, SeqAccess, deserialize_seq, read_place);
reader!(SampleSeed, (), "a sample", visit_map, MapAccess, deserialize_map, read_sample);
reader!(VisitSeed, (), "a visit", visit_map, MapAccess, deserialize_map, read_visit);
reader!(ImpossibleSeed, (), "an override not kept", visit_map, MapAccess, deserialize_map, read_impossible);

/// A list whose items one seed reads and one statement keeps.
macro_rules! items {
    ($name:ident, $seed:ident, |$body:ident, $value:ident| $keep:expr) => {
        pub(super) struct $name<'a>(pub(super) &'a mut Body);

        impl Item for $name<'_> {
            fn item<'de, A: SeqAccess<'de>>(&mut self, seq: &mut A) -> Result<bool, A::Error> {
                let read = seq.next_element_seed($seed(self.0))?;
                let more = read.is_some();
                if let Some($value) = read {
                    let $body = &mut *self.0;
                    $keep
                }
                Ok(more)
            }
        }
    };
}

items!(StepItem, StepSeed, |body, step| body.steps.push(step));
items!(LineItem, LineSeed, |body, line| body.lines.push(line));
items!(SampleItem, SampleSeed, |_body, unit| unit);
items!(VisitItem, VisitSeed, |_body, unit| unit);
items!(ImpossibleItem, ImpossibleSeed, |_body, unit| unit);

fn read_step<'de, A: SeqAccess<'de>>(body: &mut Body, mut seq: A) -> Result<RawStep, A::Error> {
    let kind = need(seq.next_element_seed(OneOf(&STEPS))?, "a step")?;
    if kind == 1 {
        return Ok(RawStep::Refrigerate);
    }
    if kind == 4 {
        let courier = need(seq.next_element_seed(WordSeed(&mut body.words))?, "a courier")?;
        let leaves = need(seq.next_element_seed(WordSeed(&mut body.words))?, "the time it leaves")?;
        return Ok(RawStep::Send(courier, leaves));
    }
    let slot = need(seq.next_element()?, "a slot")?;
    Ok(match kind {
        0 => RawStep::Spin(slot),
        2 => RawStep::Freeze(slot),
        3 => RawStep::Thaw(slot),
        5 => RawStep::BookIn(slot),
        _ => RawStep::Aliquot(slot),
    })
}

fn read_override<'de, A: SeqAccess<'de>>(_: &mut Body, mut seq: A) -> Result<OverrideName, A::Error> {
    Ok((need(seq.next_element()?, "the line of an override")?, seq.next_element()?.unwrap_or(0)))
}

fn read_line_name<'de, A: SeqAccess<'de>>(body: &mut Body, mut seq: A) -> Result<LineName, A::Error> {
    line_name(body, &mut seq)
}

fn line_name<'de, A: SeqAccess<'de>>(body: &mut Body, seq: &mut A) -> Result<LineName, A::Error> {
    let accession = need(seq.next_element_seed(TextSeed(&mut body.texts))?, "an accession")?;
    let test = need(seq.next_element_seed(WordSeed(&mut body.words))?, "a test")?;
    Ok(LineName { accession, test, before: seq.next_element()?.unwrap_or(0) })
}

fn read_place<'de, A: SeqAccess<'de>>(body: &mut Body, mut seq: A) -> Result<(Word, u16), A::Error> {
    let site = need(seq.next_element_seed(WordSeed(&mut body.words))?, "a site")?;
    Ok((site, need(seq.next_element()?, "a slot")?))
}

fn read_line<'de, A: SeqAccess<'de>>(body: &mut Body, mut seq: A) -> Result<(Word, RawDecision), A::Error> {
    let test = need(seq.next_element_seed(WordSeed(&mut body.words))?, "a test")?;
    let decision = match need(seq.next_element_seed(OneOf(&DECISIONS))?, "a decision")? {
        0 => {
            let run = need(seq.next_element_seed(RunSeed(&mut body.words))?, "a run")?;
            RawDecision::Run(run.ok_or_else(|| A::Error::custom("a run is missing where the decision is `run`"))?)
        }
        1 => RawDecision::Recall(need(seq.next_element_seed(RunSeed(&mut body.words))?, "a re-test or null")?),
        2 => match need(seq.next_element_seed(OneOf(&CANCELS))?, "why it is cancelled")? {
            0 => RawDecision::Duplicate(line_name(body, &mut seq)?),
            _ => RawDecision::Superseded,
        },
        _ => {
            let hold = need(seq.next_element_seed(OneOf(&HOLDS))?, "why it is held")?;
            RawDecision::Hold(match hold {
                2 => {
                    let line = need(seq.next_element()?, "the line of an override")?;
                    RawHold::Override((line, seq.next_element()?.unwrap_or(0)))
                }
                plain => RawHold::Plain(u8::try_from(plain).unwrap_or(0)),
            })
        }
    };
    Ok((test, decision))
}

/// A run, or `null`.
struct RunSeed<'a>(&'a mut Words);

impl<'de> DeserializeSeed<'de> for RunSeed<'_> {
    type Value = Option<RawRun>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RunSeed<'_> {
    type Value = Option<RawRun>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("analyser, slot and reporting slot")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let analyser = need(seq.next_element_seed(WordOrNull(self.0))?, "an analyser or null")?;
        let slot = need(seq.next_element()?, "a slot")?;
        let reported = need(seq.next_element()?, "a reporting slot")?;
        Ok(Some(RawRun { analyser, slot, reported }))
    }
}

/// A shared word, or `null`.
struct WordOrNull<'a>(&'a mut Words);

impl<'de> DeserializeSeed<'de> for WordOrNull<'_> {
    type Value = Option<Word>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for WordOrNull<'_> {
    type Value = Option<Word>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a code or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(self.0.learn(text)))
    }
}

/// A discard: a code of HL7 table 0490, or an override.
struct DiscardSeed;

impl<'de> DeserializeSeed<'de> for DiscardSeed {
    type Value = RawDiscard;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<RawDiscard, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DiscardSeed {
    type Value = RawDiscard;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EX, RR or an override")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RawDiscard, E> {
        match OneOf(&DISCARDS[..2]).visit_str(text)? {
            0 => Ok(RawDiscard::Expired),
            _ => Ok(RawDiscard::ImproperStorage),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawDiscard, A::Error> {
        need(seq.next_element_seed(OneOf(&DISCARDS[2..]))?, "an override")?;
        let line = need(seq.next_element()?, "the line of an override")?;
        Ok(RawDiscard::Override((line, seq.next_element()?.unwrap_or(0))))
    }
}

const SAMPLE_KEYS: [&str; 5] = ["sample", "steps", "discard", "recollection", "lines"];

fn read_sample<'de, A: MapAccess<'de>>(body: &mut Body, mut map: A) -> Result<(), A::Error> {
    let (mut accession, mut discard, mut recollection) = (None, None, None);
    let mut seen = [false; SAMPLE_KEYS.len()];
    while let Some(key) = map.next_key_seed(OneOf(&SAMPLE_KEYS))? {
        if std::mem::replace(&mut seen[key], true) {
            return Err(A::Error::duplicate_field(SAMPLE_KEYS[key]));
        }
        match key {
            0 => accession = Some(map.next_value_seed(TextSeed(&mut body.texts))?),
            1 => map.next_value_seed(List(StepItem(body)))?,
            2 => discard = Some(map.next_value_seed(DiscardSeed)?),
            3 => recollection = Some(map.next_value_seed(PlaceSeed(body))?),
            _ => map.next_value_seed(List(LineItem(body)))?,
        }
    }
    let end = |len: usize| u32::try_from(len).map_err(|_| A::Error::custom("the plan has too many lines or steps"));
    let accession = accession.ok_or_else(|| A::Error::missing_field("sample"))?;
    let (steps_end, lines_end) = (end(body.steps.len())?, end(body.lines.len())?);
    body.samples.push(RawSample { accession, steps_end, lines_end, discard, recollection });
    Ok(())
}

const VISIT_KEYS: [&str; 3] = ["patient", "point", "day"];

fn read_visit<'de, A: MapAccess<'de>>(body: &mut Body, mut map: A) -> Result<(), A::Error> {
    let (mut patient, mut point, mut day) = (None, None, None);
    while let Some(key) = map.next_key_seed(OneOf(&VISIT_KEYS))? {
        match key {
            0 if patient.is_none() => patient = Some(map.next_value_seed(TextSeed(&mut body.texts))?),
            1 if point.is_none() => point = Some(map.next_value_seed(WordSeed(&mut body.words))?),
            2 if day.is_none() => day = Some(map.next_value_seed(WordSeed(&mut body.words))?),
            _ => return Err(A::Error::duplicate_field(VISIT_KEYS[key])),
        }
    }
    let patient = patient.ok_or_else(|| A::Error::missing_field("patient"))?;
    let point = point.ok_or_else(|| A::Error::missing_field("point"))?;
    let day = day.ok_or_else(|| A::Error::missing_field("day"))?;
    body.visits.push(RawVisit { patient, point, day });
    Ok(())
}

const IMPOSSIBLE_KEYS: [&str; 3] = ["override", "line", "reason"];

fn read_impossible<'de, A: MapAccess<'de>>(body: &mut Body, mut map: A) -> Result<(), A::Error> {
    let (mut override_, mut line, mut reason) = (None, None, None);
    while let Some(key) = map.next_key_seed(OneOf(&IMPOSSIBLE_KEYS))? {
        match key {
            0 if override_.is_none() => override_ = Some(map.next_value_seed(OverrideSeed(body))?),
            1 if line.is_none() => line = Some(map.next_value_seed(LineNameSeed(body))?),
            2 if reason.is_none() => reason = Some(map.next_value::<String>()?),
            _ => return Err(A::Error::duplicate_field(IMPOSSIBLE_KEYS[key])),
        }
    }
    let override_ = override_.ok_or_else(|| A::Error::missing_field("override"))?;
    let line = line.ok_or_else(|| A::Error::missing_field("line"))?;
    let reason = reason.ok_or_else(|| A::Error::missing_field("reason"))?;
    body.impossible.push(RawImpossible { override_, line, reason });
    Ok(())
}
