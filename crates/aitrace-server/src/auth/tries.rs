//! Wrong keys, counted by address: whoever shows too many of them is refused for a while without being looked at.
//!
//! Keys are random enough not to be guessed at any speed; this keeps the noise of trying out of the server and its log.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aitrace_model::Timestamp;

/// For how long failures are counted, and for how long the address is refused from the first one on.
const WINDOW_NS: i64 = 60_000_000_000;
/// Addresses that are remembered; beyond, the one whose time ends first is forgotten.
const ADDRESSES: usize = 4096;
/// Keys that are remembered for an address as good ones.
const GOOD: usize = 32;

/// What an address did lately.
#[derive(Debug, Default)]
struct Lately {
    since: Timestamp,
    failed: u32,
    // Ids of keys that were shown rightly: their holders are not made to wait for what others at their address do.
    good: Vec<String>,
}

/// The failures of all addresses.
#[derive(Debug)]
pub(crate) struct Tries {
    most: u32,
    /// Whether any address is remembered: most servers see no wrong key for months.
    any: AtomicBool,
    addresses: Mutex<HashMap<IpAddr, Lately>>,
}

impl Tries {
    /// `most` failures are allowed in a minute.
    pub(crate) fn new(most: u32) -> Self {
        Self { most, any: AtomicBool::new(false), addresses: Mutex::default() }
    }

    /// Whether an address may show a key at all, of this id where it has one.
    pub(crate) fn may(&self, address: Option<IpAddr>, id: Option<&str>, now: Timestamp) -> bool {
        let Some(address) = address.filter(|_| self.any.load(Ordering::Relaxed)) else { return true };
        let addresses = self.lock();
        let Some(lately) = addresses.get(&block(address)).filter(|lately| !lately.is_over(now)) else {
            return true;
        };
        lately.failed < self.most || id.is_some_and(|id| lately.good.iter().any(|good| good == id))
    }

    /// Notes that an address showed a key that is good.
    pub(crate) fn succeeded(&self, address: Option<IpAddr>, id: &str) {
        let Some(address) = address.filter(|_| self.any.load(Ordering::Relaxed)) else { return };
        if let Some(lately) = self.lock().get_mut(&block(address))
            && lately.good.len() < GOOD
            && !lately.good.iter().any(|good| good == id)
        {
            lately.good.push(id.to_owned());
        }
    }

    /// Notes that an address showed one that is not. Whether it is refused from now on, and was not before.
    pub(crate) fn failed(&self, address: Option<IpAddr>, id: Option<&str>, now: Timestamp) -> bool {
        let Some(address) = address.map(block) else { return false };
        let mut addresses = self.lock();
        if addresses.len() >= ADDRESSES && !addresses.contains_key(&address) {
            addresses.retain(|_, lately| !lately.is_over(now));
            if addresses.len() >= ADDRESSES {
                let first =
                    addresses.iter().min_by_key(|(_, lately)| lately.since).map(|(address, _)| *address);
                first.and_then(|first| addresses.remove(&first));
            }
        }
        self.any.store(true, Ordering::Relaxed);
        let lately = addresses.entry(address).or_default();
        if lately.failed == 0 || lately.is_over(now) {
            *lately = Lately { since: now, ..Lately::default() };
        }
        lately.failed = lately.failed.saturating_add(1);
        lately.good.retain(|good| Some(&**good) != id);
        lately.failed == self.most
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Lately>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lately {
    fn is_over(&self, now: Timestamp) -> bool {
        // A clock that was set back ends it as well.
        !(0..WINDOW_NS).contains(&now.nanos().saturating_sub(self.since.nanos()))
    }
}

/// The address, of IPv6 the network of 64 bits that one customer has.
fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000_000 + seconds * 1_000_000_000)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as it is asked for")]
    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_waits_after_too_many_failures_and_others_do_not() {
        let tries = Tries::new(3);
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        assert!(tries.may(one, None, at(0)));
        assert_eq!(
            [0, 1, 2, 3].map(|second| tries.failed(one, None, at(second))),
            [false, false, true, false]
        );
        assert!(!tries.may(one, None, at(4)) && !tries.may(one, Some("k"), at(4)));
        assert!(tries.may(other, None, at(4)) && tries.may(None, None, at(4)));
        assert!(!tries.may(one, None, at(59)));
        assert!(tries.may(one, None, at(60)), "a minute from the first one on");
        assert!(!tries.failed(one, None, at(61)), "it begins anew");
        assert!(tries.may(one, None, at(61)));
        assert!(tries.may(one, None, at(-5)), "clocks are set back");
    }

    #[test]
    fn keys_that_were_good_at_this_address_go_on_until_one_of_them_is_tried_wrongly() {
        let tries = Tries::new(2);
        let one = address("192.0.2.1");
        tries.failed(one, Some("x"), at(0));
        tries.succeeded(one, "good");
        tries.succeeded(one, "better");
        tries.failed(one, Some("x"), at(0));
        assert!(tries.may(one, Some("good"), at(1)) && !tries.may(one, Some("x"), at(1)));
        tries.failed(one, Some("good"), at(1));
        assert!(!tries.may(one, Some("good"), at(1)) && tries.may(one, Some("better"), at(1)));
        for number in 0..100 {
            tries.succeeded(one, &number.to_string());
        }
        assert!(tries.may(one, Some("5"), at(1)) && !tries.may(one, Some("99"), at(1)), "bounded");
    }

    #[test]
    fn the_table_is_bounded_and_neighbours_of_ipv6_count_as_one() {
        let tries = Tries::new(1);
        for number in 0..3 * ADDRESSES as u32 {
            let address = IpAddr::V4((0x0A00_0000 + number).into());
            assert!(tries.failed(Some(address), None, at(i64::from(number) / 1000)));
        }
        assert_eq!(tries.lock().len(), ADDRESSES);
        assert!(tries.failed(address("2001:db8::1"), None, at(12)));
        assert!(!tries.may(address("2001:db8::ffff:1"), None, at(12)));
        assert!(tries.may(address("2001:db8:0:1::1"), None, at(12)));
        assert!(tries.failed(address("192.0.2.7"), None, at(12)));
        assert!(!tries.may(address("::ffff:192.0.2.7"), None, at(12)), "the same address in other words");
    }
}
