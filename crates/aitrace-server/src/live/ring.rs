//! The last events, numbered.

use std::collections::VecDeque;

use super::event::Event;

/// The events that are kept, and how many there were in all. A reader's place is the number of events before it.
///
/// Invariant: the kept events are those with the numbers `end - kept.len() .. end`.
#[derive(Debug)]
pub(crate) struct Ring {
    kept: VecDeque<(Event, usize)>,
    end: u64,
    bytes: usize,
    most_events: usize,
    most_bytes: usize,
}

/// What a reader finds at its place.
#[derive(Debug)]
pub(crate) enum Read {
    /// The events from there on, as many as were asked for. None where nothing happened since.
    Events(Vec<Event>),
    /// What stood there is gone, or nothing ever stood there: go on here.
    Gone(u64),
}

impl Ring {
    /// An empty ring with its bounds. The newest event is kept even where it is beyond the bound in bytes alone.
    pub(crate) fn new(most_events: usize, most_bytes: usize) -> Self {
        Self { kept: VecDeque::new(), end: 0, bytes: 0, most_events: most_events.max(1), most_bytes }
    }

    /// The place after the newest event.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Whether one can read on from a place.
    pub(crate) fn has(&self, place: u64) -> bool {
        (self.end - self.kept.len() as u64..=self.end).contains(&place)
    }

    /// Adds an event; the oldest make room.
    pub(crate) fn push(&mut self, event: Event) {
        let weight = event.weight();
        self.bytes += weight;
        self.end += 1;
        self.kept.push_back((event, weight));
        while self.kept.len() > self.most_events || self.bytes > self.most_bytes && self.kept.len() > 1 {
            let (_, weight) = self.kept.pop_front().expect("there is more than one");
            self.bytes -= weight;
        }
    }

    /// Notes that events are missing here: nobody reads on over this place unawares.
    pub(crate) fn tear(&mut self, missing: u64) {
        self.clear();
        self.end += missing.max(1);
    }

    /// Forgets the events, not their number.
    pub(crate) fn clear(&mut self) {
        self.kept = VecDeque::new();
        self.bytes = 0;
    }

    /// What stands at `place`: events of about `bytes`, one at least.
    pub(crate) fn read(&self, place: u64, bytes: usize) -> Read {
        if !self.has(place) {
            return Read::Gone(self.end);
        }
        let skip = self.kept.len() - usize::try_from(self.end - place).expect("a length of the ring");
        let mut left = bytes;
        let mut events = Vec::new();
        for (event, weight) in self.kept.range(skip..) {
            if !events.is_empty() && *weight > left {
                break;
            }
            left = left.saturating_sub(*weight);
            events.push(event.clone());
        }
        Read::Events(events)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aitrace_model::{Json, Level, LogRecord, Timestamp};
    use proptest::prelude::*;

    use super::super::event::What;
    use super::*;

    fn event(number: u64, bytes: usize) -> Event {
        let log = LogRecord {
            project: "p".to_owned(),
            id: number.to_string(),
            trace_id: None,
            span_id: None,
            time: Timestamp::from_nanos(0),
            event: "e".repeat(bytes),
            level: Level::Info,
            logger: None,
            code: None,
            session_id: None,
            attrs: Json::from_trusted("{}"),
            received: Timestamp::from_nanos(0),
        };
        Event { name: "log", what: What::Log(Arc::new(log)) }
    }

    fn number(event: &Event) -> u64 {
        match &event.what {
            What::Log(log) => log.id.parse().unwrap(),
            _ => unreachable!("only log records"),
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Tear(u64),
        Read(usize, usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..3000_usize).prop_map(Step::Push),
            1 => (0..3_u64).prop_map(Step::Tear),
            6 => (0..3_usize, 0..9000_usize).prop_map(|(reader, bytes)| Step::Read(reader, bytes)),
        ];
        proptest::collection::vec(step, 1..200)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whoever reads on from its place gets every event once and in order, or is told that some are gone.
        #[test]
        fn readers_miss_nothing_unawares(steps in steps()) {
            let mut ring = Ring::new(8, 9000);
            // The places of three readers; events carry their numbers.
            let mut places = [0_u64; 3];
            for step in steps {
                match step {
                    Step::Push(bytes) => ring.push(event(ring.end(), bytes)),
                    Step::Tear(missing) => ring.tear(missing),
                    Step::Read(reader, bytes) => match ring.read(places[reader], bytes) {
                        Read::Events(events) => {
                            prop_assert_eq!(events.is_empty(), places[reader] == ring.end());
                            for event in events {
                                prop_assert_eq!(number(&event), places[reader]);
                                places[reader] += 1;
                            }
                        }
                        Read::Gone(next) => {
                            prop_assert!(places[reader] < next);
                            prop_assert_eq!(next, ring.end());
                            places[reader] = next;
                        }
                    },
                }
                prop_assert!(ring.kept.len() <= 8);
                prop_assert!(ring.bytes <= 9000 || ring.kept.len() == 1);
                prop_assert_eq!(ring.bytes, ring.kept.iter().map(|(event, _)| event.weight()).sum::<usize>());
            }
        }
    }

    #[test]
    fn places_that_never_were_are_told() {
        let mut ring = Ring::new(2, 1 << 20);
        (0..3).for_each(|index| ring.push(event(index, 0)));
        for (place, found) in [(0, None), (1, Some(2)), (3, Some(0)), (4, None), (u64::MAX, None)] {
            let read = match ring.read(place, usize::MAX) {
                Read::Events(events) => Some(events.len()),
                Read::Gone(next) => {
                    assert_eq!(next, 3);
                    None
                }
            };
            assert_eq!(read, found, "{place}");
        }
    }

    #[test]
    fn an_event_beyond_the_bound_is_kept_alone() {
        let mut ring = Ring::new(8, 1000);
        ring.push(event(0, 0));
        ring.push(event(1, 5000));
        assert!(matches!(ring.read(1, 10), Read::Events(events) if events.len() == 1));
        assert!(matches!(ring.read(0, 10), Read::Gone(2)));
    }
}
