//! Times as OTLP writes them.

use aitrace_model::Timestamp;

/// Nanoseconds since 1970; 0 before it.
pub(crate) fn unix_nanos(time: Timestamp) -> u64 {
    u64::try_from(time.nanos()).unwrap_or(0)
}

/// An end: 0 where the span is not over, and never 0 where it is.
pub(crate) fn end_nanos(end: Option<Timestamp>) -> u64 {
    end.map_or(0, |end| unix_nanos(end).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_never_taken_for_none() {
        let end = |nanos| end_nanos(Some(Timestamp::from_nanos(nanos)));
        assert_eq!((end(-5), end(0), end(7), end_nanos(None)), (1, 1, 7, 0));
        assert_eq!(unix_nanos(Timestamp::from_nanos(-5)), 0);
    }
}
