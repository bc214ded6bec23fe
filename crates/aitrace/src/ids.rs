//! New trace and span ids.

use aitrace_model::{SpanId, TraceId};

/// A source of ids. Tests bring their own; production uses random ones.
pub trait IdGenerator: Send + Sync + std::fmt::Debug + 'static {
    /// The id of a new trace.
    fn trace_id(&self) -> TraceId;
    /// The id of a new span.
    fn span_id(&self) -> SpanId;
}

/// Random numbers of one thread: xoshiro256++, seeded by the operating system.
///
/// Not for secrets: ids have to be distinct, not unguessable.
#[derive(Debug, Clone)]
pub(crate) struct Random([u64; 4]);

impl Random {
    /// Freshly seeded. Where the system has no randomness to give, address and clock have to do.
    pub(crate) fn seeded() -> Self {
        let mut seed = [0_u8; 32];
        if getrandom::fill(&mut seed).is_err() {
            let wall = aitrace_model::Clock::now(&aitrace_model::SystemClock).nanos().cast_unsigned();
            let place = std::ptr::from_ref(&seed) as u64;
            for (chunk, salt) in seed.chunks_exact_mut(8).zip(1_u64..) {
                let mixed =
                    (wall ^ place.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt);
                chunk.copy_from_slice(&(mixed ^ mixed >> 29).to_le_bytes());
            }
        }
        let mut state = [1_u64; 4];
        for (word, chunk) in state.iter_mut().zip(seed.chunks_exact(8)) {
            *word ^= u64::from_le_bytes(chunk.try_into().expect("chunks of 8"));
        }
        Self(state)
    }

    /// The next 64 bits.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// The words of a trace id, never zero.
    #[inline]
    pub(crate) fn trace(&mut self) -> [u64; 2] {
        [self.next(), self.next().max(1)]
    }

    /// The word of a span id, never zero.
    #[inline]
    pub(crate) fn span(&mut self) -> u64 {
        self.next().max(1)
    }

    /// A random UUID (version 4) as text.
    pub(crate) fn uuid(&mut self) -> String {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        let bits = bits & !(0xF << 76) & !(0x3 << 62) | 4 << 76 | 2 << 62;
        let hex = format!("{bits:032x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_uuids_say_their_version() {
        let (mut one, mut two) = (Random::seeded(), Random::seeded());
        let ids: std::collections::BTreeSet<_> = (0..1000).flat_map(|_| [one.span(), two.span()]).collect();
        assert_eq!(ids.len(), 2000);
        let uuid = one.uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"), "{uuid}");
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
    }
}
