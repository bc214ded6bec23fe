//! What the attributes of one span say, collected in one pass over them.

use aitrace_model::{AnyValue, EventType, SpanKind};

use crate::embed::opened;

/// Which of two sources counts: the dialect's place, then the row's place in its table. Smaller wins.
pub(crate) type Rank = u16;

/// What a row of a dialect's table does with the value of its key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Take {
    /// The kind, where the function knows the word.
    Kind(fn(&str) -> Option<SpanKind>),
    /// Our own event type.
    EventType,
    /// A text that is not empty.
    Word(Word),
    /// The same within the quotes of JSON.
    Quoted(Word),
    /// A whole number, also as text.
    Count(Count),
    /// Cost in US dollars.
    Cost,
    /// Numbers within an object, also as JSON text, by their paths (`a.b`).
    Within(&'static [(&'static str, Number)]),
    /// An object, also as JSON text.
    Object(Object),
    /// A value, or JSON text, or plain text.
    Content(Side),
    /// A content; of a model call its messages, if it is recognised as such.
    Chat(Side),
    /// A list of contents, each JSON text or plain text.
    Items(Side),
    /// The media type of a content.
    Mime(Side),
    /// A list of messages as OpenTelemetry writes them, also as JSON text.
    Messages(Side),
    /// OpenTelemetry's system instructions: a list of parts, also as JSON text.
    System,
    /// The events of a model call in one list, also as JSON text: each with its name in `event.name`.
    Happened,
}

/// A number that stands within an object.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    /// A whole number.
    Count(Count),
    /// Cost in US dollars.
    Cost,
}

/// What a prefix in a dialect's table does with the rest of the key and the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gather {
    /// `{index}.{member}` of a message.
    Messages(Side),
    /// `{index}.{member}` of a list of objects.
    List(Side),
    /// A member of an object.
    Member(Object),
    /// The same; a value that is JSON text is opened.
    Opened(Object),
    /// A path in an object: dots nest, numbers from 0 on make a list.
    Nested(Object),
    /// A path in a content.
    Tree(Side),
    /// `text`, `toolCalls`, … of one message.
    Reply(Side),
}

macro_rules! slots {
    ($(#[$doc:meta])* $name:ident { $($variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),+ }

        impl $name {
            const COUNT: usize = [$(Self::$variant),+].len();
        }
    };
}

slots! {
    /// Texts.
    Word {
        Project, Source, Session, User, RunId, DatasetId, DatapointId, Provider, ModelServed, ModelAsked,
        CodeFile, CodeNamespace, CodeFunction, ErrorType, ErrorMessage, Lifecycle,
    }
}
slots! {
    /// Whole numbers.
    Count { Input, Output, CacheRead, CacheWrite, Reasoning, CodeLine }
}
slots! {
    /// Objects.
    Object { Metadata, Metrics, Feedback, Config, UserProperties }
}
slots! {
    /// Which way a content goes.
    Side { Input, Output }
}

/// One key of many that make up a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) gather: Gather,
    pub(crate) rank: Rank,
    /// The key without the prefix.
    pub(crate) rest: &'a str,
    pub(crate) value: &'a AnyValue,
}

/// What a content may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Chat,
    Items,
}

type Ranked<T> = Option<(Rank, T)>;

/// What was found; of several sources the one that counts.
#[derive(Debug, Default)]
pub(crate) struct Draft<'a> {
    pub(crate) kind: Ranked<SpanKind>,
    pub(crate) event_type: Ranked<EventType>,
    words: [Ranked<&'a str>; Word::COUNT],
    counts: [Ranked<u64>; Count::COUNT],
    cost: Ranked<f64>,
    objects: [Ranked<&'a AnyValue>; Object::COUNT],
    contents: [Ranked<(&'a AnyValue, Form)>; Side::COUNT],
    mimes: [Ranked<&'a str>; Side::COUNT],
    messages: [Ranked<&'a AnyValue>; Side::COUNT],
    system: Ranked<&'a AnyValue>,
    happened: Ranked<&'a AnyValue>,
    pub(crate) pieces: Vec<Piece<'a>>,
}

impl<'a> Draft<'a> {
    /// Takes it for a call of a model, whatever was told.
    pub(crate) fn model_call(&mut self) {
        self.kind = Some((0, SpanKind::Llm));
    }

    /// Applies one row to one value. A value that the row cannot use leaves its place to others.
    pub(crate) fn take(&mut self, rank: Rank, take: Take, value: &'a AnyValue) {
        match take {
            Take::Kind(read) => keep(&mut self.kind, rank, word(value).and_then(read)),
            Take::EventType => keep(&mut self.event_type, rank, word(value).and_then(EventType::from_word)),
            Take::Word(slot) => keep(&mut self.words[slot as usize], rank, word(value)),
            Take::Quoted(slot) => keep(&mut self.words[slot as usize], rank, word(value).map(unquoted)),
            Take::Count(slot) => keep(&mut self.counts[slot as usize], rank, count(value)),
            Take::Cost => keep(&mut self.cost, rank, number(value).filter(|cost| *cost >= 0.0)),
            Take::Object(slot) => keep(&mut self.objects[slot as usize], rank, present(value)),
            Take::Within(paths) => self.within(rank, paths, value),
            Take::Content(side) => self.content_of(rank, side, Form::Plain, value),
            Take::Chat(side) => self.content_of(rank, side, Form::Chat, value),
            Take::Items(side) => self.content_of(rank, side, Form::Items, value),
            Take::Mime(side) => keep(&mut self.mimes[side as usize], rank, word(value)),
            Take::Messages(side) => keep(&mut self.messages[side as usize], rank, present(value)),
            Take::System => keep(&mut self.system, rank, present(value)),
            Take::Happened => keep(&mut self.happened, rank, present(value)),
        }
    }

    fn content_of(&mut self, rank: Rank, side: Side, form: Form, value: &'a AnyValue) {
        keep(&mut self.contents[side as usize], rank, present(value).map(|value| (value, form)));
    }

    fn within(&mut self, rank: Rank, paths: &[(&str, Number)], value: &AnyValue) {
        let object = opened(value);
        for (path, slot) in paths {
            let mut found = Some(object.clone());
            for step in path.split('.') {
                let members = found.and_then(|object| object.members());
                found = members.and_then(|members| {
                    members.into_iter().find_map(|(key, value)| (key == step).then_some(value))
                });
            }
            let Some(found) = found.and_then(|json| json.to_value()).map(|value| AnyValue::from(&value))
            else {
                continue;
            };
            match slot {
                Number::Count(slot) => keep(&mut self.counts[*slot as usize], rank, count(&found)),
                Number::Cost => keep(&mut self.cost, rank, number(&found).filter(|cost| *cost >= 0.0)),
            }
        }
    }

    pub(crate) fn word(&self, slot: Word) -> Option<&'a str> {
        self.words[slot as usize].map(|(_, word)| word)
    }

    /// A text as the model holds it.
    pub(crate) fn text(&self, slot: Word) -> Option<String> {
        self.word(slot).map(str::to_owned)
    }

    pub(crate) fn count(&self, slot: Count) -> Option<u64> {
        self.counts[slot as usize].map(|(_, count)| count)
    }

    pub(crate) fn cost(&self) -> Option<f64> {
        self.cost.map(|(_, cost)| cost)
    }

    pub(crate) fn object(&self, slot: Object) -> Option<&'a AnyValue> {
        self.objects[slot as usize].map(|(_, value)| value)
    }

    pub(crate) fn content(&self, side: Side) -> Option<(&'a AnyValue, Form)> {
        self.contents[side as usize].map(|(_, content)| content)
    }

    pub(crate) fn happened(&self) -> Option<&'a AnyValue> {
        self.happened.map(|(_, value)| value)
    }

    pub(crate) fn mime(&self, side: Side) -> Option<&'a str> {
        self.mimes[side as usize].map(|(_, mime)| mime)
    }

    pub(crate) fn messages(&self, side: Side) -> Ranked<&'a AnyValue> {
        self.messages[side as usize]
    }

    pub(crate) fn system(&self) -> Option<&'a AnyValue> {
        self.system.map(|(_, value)| value)
    }

    /// The pieces of one value, from the dialect that counts, in the order received; empty if none.
    pub(crate) fn gathered(&self, gather: Gather) -> Option<(Rank, Vec<(&'a str, &'a AnyValue)>)> {
        let rank = self.pieces.iter().filter(|piece| piece.gather == gather).map(|piece| piece.rank).min()?;
        let own = self.pieces.iter().filter(|piece| (piece.gather, piece.rank) == (gather, rank));
        Some((rank, own.map(|piece| (piece.rest, piece.value)).collect()))
    }
}

fn keep<T>(slot: &mut Ranked<T>, rank: Rank, value: Option<T>) {
    // Of the same key sent twice the last one counts.
    if let Some(value) = value
        && slot.as_ref().is_none_or(|(known, _)| rank <= *known)
    {
        *slot = Some((rank, value));
    }
}

fn present(value: &AnyValue) -> Option<&AnyValue> {
    (*value != AnyValue::Null).then_some(value)
}

/// A text; what Python writes for nothing is none.
fn word(value: &AnyValue) -> Option<&str> {
    value.as_str().filter(|word| !word.is_empty() && *word != "None")
}

/// A text without the quotes of JSON around it. One with escapes stays as it is.
pub(crate) fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.filter(|text| !text.contains('\\')).unwrap_or(text)
}

fn count(value: &AnyValue) -> Option<u64> {
    match value {
        AnyValue::Int(count) => u64::try_from(*count).ok(),
        AnyValue::Double(count) if *count >= 0.0 && *count < 9e15 && count.fract() == 0.0 => {
            Some(*count as u64)
        }
        AnyValue::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn number(value: &AnyValue) -> Option<f64> {
    let number = match value {
        AnyValue::Int(number) => *number as f64,
        AnyValue::Double(number) => *number,
        AnyValue::String(text) => text.parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}
