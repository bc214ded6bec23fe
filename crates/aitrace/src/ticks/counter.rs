//! The processor's time stamp counter.

/// Cycles since some fixed moment.
#[inline]
#[expect(unsafe_code, reason = "the standard library offers the instruction as an unsafe function only")]
pub(super) fn read() -> u64 {
    // SAFETY: the instruction reads a register and touches no memory; every x86-64 processor has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}
