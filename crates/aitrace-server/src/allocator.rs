//! The system's allocator, told to give large blocks back.

/// Bytes of a block from which on it is given back as soon as it is freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 256 << 10;

/// Makes blocks of more than 256 KiB the system's own. The C library of GNU raises that threshold up to 32 MiB with
/// each large block that is freed, and keeps what is smaller: bodies and contents of some MiB, sent at once by several
/// clients, would leave twice as much memory in use as they need.
#[cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "there is no other way to set it from within")
)]
pub(crate) fn give_large_blocks_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes two numbers by value and locks what it changes; where it does not know the first, nothing happens.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}
