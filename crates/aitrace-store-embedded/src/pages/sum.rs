//! CRC-32 of a page and of its place, in the page's last bytes; and which bit is flipped, if it is one.
//!
//! Sums are linear: a flipped bit changes the sum by a number that depends on nothing but how far the bit is from the
//! end. Within a page no two bits have the same number, nor do any two bits together have the number of a third
//! (CRC-32 tells up to three wrong bits in 91 607 apart from none). Random damage has such a number once in 130 000 times.

/// Bytes of a sum.
pub(super) const LENGTH: usize = 4;

/// The polynomial of CRC-32, its bits in the order of their coming.
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// What a page is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// As it was written.
    Good,
    /// As it was written, but for a bit that was flipped and is set right.
    Mended,
    /// Something else.
    Bad,
}

/// Writes the sum of a page.
pub(super) fn put(page: &mut [u8], offset: i64) {
    let sum = of(page, offset).to_le_bytes();
    let at = page.len() - LENGTH;
    page[at..].copy_from_slice(&sum);
}

/// Compares a page with its sum, and sets a flipped bit right.
pub(super) fn check(page: &mut [u8], offset: i64) -> Page {
    let at = page.len() - LENGTH;
    let mut kept = [0; LENGTH];
    kept.copy_from_slice(&page[at..]);
    let expected = of(page, offset);
    let difference = u32::from_le_bytes(kept) ^ expected;
    if difference == 0 {
        return Page::Good;
    }
    if difference.is_power_of_two() {
        page[at..].copy_from_slice(&expected.to_le_bytes());
        return Page::Mended;
    }
    // The number of a bit that comes so many steps before the end.
    let mut number = 1;
    for steps in 1..=8 * at {
        number = if number & 1 == 1 { (number >> 1) ^ POLYNOMIAL } else { number >> 1 };
        if number == difference {
            let byte = steps.div_ceil(8);
            page[at - byte] ^= 1 << (8 * byte - steps);
            return Page::Mended;
        }
    }
    Page::Bad
}

fn of(page: &[u8], offset: i64) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&offset.to_le_bytes());
    sum.update(&page[..page.len() - LENGTH]);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Vec<u8> {
        let mut page: Vec<u8> = (0..4096_u32).map(|number| (number * 31 % 251) as u8).collect();
        put(&mut page, 8192);
        page
    }

    #[test]
    fn every_single_bit_is_found_and_set_right() {
        let good = page();
        assert_eq!(check(&mut good.clone(), 8192), Page::Good);
        for bit in (0..8 * good.len()).step_by(3) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check(&mut bad, 8192), Page::Mended, "bit {bit}");
            assert!(bad == good, "bit {bit}");
        }
    }

    #[test]
    fn what_is_more_than_a_bit_is_not_touched() {
        let good = page();
        for place in (0..good.len() - 40).step_by(7) {
            for (first, second) in [(0, 1), (3, 40), (0, 9)] {
                let mut bad = good.clone();
                bad[place + first / 8] ^= 1 << (first % 8);
                bad[place + second / 8] ^= 1 << (second % 8);
                let damaged = bad.clone();
                assert_eq!(check(&mut bad, 8192), Page::Bad, "{place}: {first}, {second}");
                assert!(bad == damaged);
            }
        }
        assert_eq!(check(&mut good.clone(), 4096), Page::Bad, "another page's place");
        assert_eq!(check(&mut vec![0; 4096], 8192), Page::Bad);
    }
}
