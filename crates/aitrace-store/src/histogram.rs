//! Durations of many spans in little space.

use std::collections::BTreeMap;

/// Durations in buckets that grow by less than 1 %: quantiles are right to half a per cent, sums of parts are exact.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    // A few buckets by their numbers; once there are many, those between the least and the greatest one after the other.
    sparse: BTreeMap<u16, u64>,
    dense: Vec<u64>,
    // The number of the first of them.
    first: usize,
}

/// So many buckets are kept by number.
const SPARSE: usize = 256;
/// Buckets that there are.
const ALL: usize = (64 - 6) << 7;
/// Those that stand one after the other grow by so many: a power of two.
const STEP: usize = 128;

impl Histogram {
    /// Adds a duration.
    pub fn add(&mut self, nanos: u64) {
        self.add_to(Self::bucket(nanos), 1);
    }

    /// Adds so many durations of a bucket; none where there is no such bucket.
    pub fn add_to(&mut self, bucket: u16, count: u64) {
        if usize::from(bucket) >= ALL {
            return;
        }
        if !self.dense.is_empty() {
            *self.cell(usize::from(bucket)) += count;
            return;
        }
        *self.sparse.entry(bucket).or_default() += count;
        if self.sparse.len() > SPARSE {
            for (bucket, count) in std::mem::take(&mut self.sparse) {
                *self.cell(usize::from(bucket)) = count;
            }
        }
    }

    /// The count of a bucket of those that stand one after the other.
    fn cell(&mut self, bucket: usize) -> &mut u64 {
        let begins = bucket / STEP * STEP;
        if self.dense.is_empty() {
            self.first = begins;
        }
        if begins < self.first {
            self.dense.splice(..0, std::iter::repeat_n(0, self.first - begins));
            self.first = begins;
        }
        let least = begins + STEP - self.first;
        if self.dense.len() < least {
            self.dense.resize(least, 0);
        }
        &mut self.dense[bucket - self.first]
    }

    /// Bytes beside itself, estimated.
    pub(crate) fn bytes(&self) -> usize {
        /// The least that a tree takes.
        const TREE: usize = 112;
        let tree = if self.sparse.is_empty() { 0 } else { TREE };
        tree + self.sparse.len() * 24 + self.dense.capacity() * size_of::<u64>()
    }

    /// Buckets that are not empty, ascending, with how many durations are in them.
    pub fn buckets(&self) -> impl Iterator<Item = (u16, u64)> {
        let dense = self.dense.iter().enumerate();
        let dense = dense.map(|(index, count)| ((self.first + index) as u16, *count));
        let all = self.sparse.iter().map(|(index, count)| (*index, *count)).chain(dense);
        all.filter(|(_, count)| *count > 0)
    }

    /// Adds another part.
    pub fn merge(&mut self, other: &Self) {
        other.buckets().for_each(|(index, count)| self.add_to(index, count));
    }

    /// The smallest value that at least this share of all is not above; `None` if there is none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let total: u64 = self.buckets().map(|(_, count)| count).sum();
        let rank = ((total as f64 * share).ceil() as u64).clamp(1, total.max(1));
        let mut below = 0;
        self.buckets().find_map(|(index, count)| {
            below += count;
            (below >= rank).then(|| Self::middle(index))
        })
    }

    /// The number of the bucket of a duration. There are 128 for each power of two.
    pub fn bucket(nanos: u64) -> u16 {
        if nanos < 256 {
            return nanos as u16;
        }
        let shift = nanos.ilog2() - 7;
        ((shift << 7) + (nanos >> shift) as u32) as u16
    }

    fn middle(index: u16) -> u64 {
        if index < 256 {
            return u64::from(index);
        }
        let shift = u32::from(index >> 7) - 1;
        let low = (u64::from(index & 127) + 128) << shift;
        low + ((1 << shift) >> 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_bucket_keeps_its_count(adds in proptest::collection::vec((0..2 * ALL as u16, 1..9_u64), 1..2000)) {
            let (mut histogram, mut counts) = (Histogram::default(), BTreeMap::new());
            for (bucket, count) in adds.into_iter().filter(|(bucket, _)| usize::from(*bucket) < ALL) {
                histogram.add_to(bucket, count);
                *counts.entry(bucket).or_default() += count;
            }
            prop_assert_eq!(histogram.buckets().collect::<Vec<_>>(), counts.into_iter().collect::<Vec<_>>());
            prop_assert!(histogram.bytes() <= 2 * ALL * size_of::<u64>());
        }

        #[test]
        fn quantiles_are_within_a_hundredth(mut values in proptest::collection::vec(any::<u64>(), 1..600)) {
            let mut histogram = Histogram::default();
            for value in &values {
                histogram.add(*value);
            }
            values.sort_unstable();
            for share in [0.0, 0.5, 0.95, 0.99, 1.0] {
                let rank = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len());
                let (exact, seen) = (values[rank - 1], histogram.quantile(share).expect("not empty"));
                prop_assert!(seen.abs_diff(exact) as f64 <= exact as f64 * 0.005, "{share}: {seen} of {exact}");
            }
        }
    }
}
