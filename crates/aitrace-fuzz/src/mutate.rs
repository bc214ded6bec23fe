//! One input of another, by the changes that find most: bits, bytes, cuts, copies, splices, numbers at the edges.

/// Bytes that mean something to one of the formats.
const TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"\\u",
    b"\\ud800",
    b"null",
    b"1e400",
    b"-0",
    b"9223372036854775808",
    b"18446744073709551616",
    b"\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"__tracer_meta__",
    b"__proto__",
    b".start",
    b".end",
    b"NaN",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff\xff\xff\xff\x07",
    b"\x80\x80\x80\x80\x10",
    b"\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\x0a\x00",
    b"\x12\x00",
    b"\x4a\x00",
    b"\xed\xa0\x80",
    b"\xc0\x80",
];

/// Longest input that is made.
const LONGEST: usize = 256 << 10;

/// Makes inputs of seeds.
#[derive(Debug)]
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    state: u64,
}

impl Mutator {
    /// The inputs that `number` begins.
    ///
    /// # Panics
    ///
    /// Without seeds.
    pub fn new(seeds: Vec<Vec<u8>>, number: u64) -> Self {
        assert!(!seeds.is_empty(), "seeds are what inputs are made of");
        Self { seeds, state: number }
    }

    /// The next input: a seed with one to eight changes.
    pub fn input(&mut self) -> Vec<u8> {
        let mut input = self.seed();
        for _ in 0..=self.below(8) {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn seed(&mut self) -> Vec<u8> {
        let at = self.below(self.seeds.len());
        self.seeds[at].clone()
    }

    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        // Mostly short ones: what is long says little of where it broke.
        let most = if self.below(4) == 0 { length } else { 16 };
        let to = from + self.below((length - from).min(most) + 1);
        from..to
    }

    pub(crate) fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(9) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.next() as u8,
            2 => input.truncate(at),
            3 => {
                let range = self.range(input.len());
                drop(input.drain(range));
            }
            4 => {
                let range = self.range(input.len());
                let copy = input[range].to_vec();
                let times = if self.below(8) == 0 { self.below(512) } else { self.below(3) };
                let many = copy.repeat(times);
                drop(input.splice(at..at, many));
            }
            5 | 6 => {
                let token = TOKENS[self.below(TOKENS.len())];
                let end = if self.below(2) == 0 { at } else { (at + token.len()).min(input.len()) };
                drop(input.splice(at..end, token.iter().copied()));
            }
            7 => {
                let other = self.seed();
                let range = self.range(other.len());
                drop(input.splice(at..at, other[range].to_vec()));
            }
            _ => input.insert(at, self.next() as u8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_makes_the_same_inputs_and_they_differ() {
        let made = |number| {
            let mut mutator = Mutator::new(vec![b"{\"a\":1}".to_vec(), vec![0; 40]], number);
            std::iter::repeat_with(|| mutator.input()).take(200).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        let distinct: std::collections::BTreeSet<_> = made(1).into_iter().collect();
        assert!(distinct.len() > 150, "{}", distinct.len());
    }
}
