//! The allocator of a program that uses this crate, and how it gives memory back.
//!
//! On Linux it is jemalloc, elsewhere the system's.
//!
//! Settings: <https://jemalloc.net/jemalloc.3.html#tuning>; `MALLOC_CONF` in the environment overrides them.

/// What makes the allocator give free memory back; where it is the system's, it does so by itself.
pub const GIVE_BACK: Option<fn()> = ours::GIVE_BACK;

#[cfg(target_os = "linux")]
mod ours {
    pub(super) const GIVE_BACK: Option<fn()> = Some(give_back);

    #[global_allocator]
    static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

    /// Few heaps, since each keeps what was freed in it for itself; threads have caches of their own before them. What is
    /// free goes back to the system within five seconds, as long as something happens, large blocks at once; a thread for it
    /// would do the latter late.
    const SETTINGS: &[u8; 47] = b"narenas:4,dirty_decay_ms:5000,muzzy_decay_ms:0\0";

    /// Read by the allocator before `main`.
    // SAFETY: nothing else has this name, and it is what the allocator expects of it: a pointer to bytes that end with a null.
    #[unsafe(export_name = "malloc_conf")]
    #[expect(unsafe_code, reason = "the allocator finds its settings by the name of a variable")]
    static READ_BEFORE_MAIN: &[u8; SETTINGS.len()] = SETTINGS;

    /// All heaps at once.
    const PURGE: &std::ffi::CStr = c"arena.4096.purge";

    /// Gives what is free back to the system at once.
    #[expect(unsafe_code, reason = "the allocator is asked by a function of C")]
    fn give_back() {
        use std::ptr::null_mut;
        // SAFETY: the name ends with a null; the command neither takes nor returns a value. Where it fails, nothing happened.
        unsafe {
            tikv_jemalloc_sys::mallctl(PURGE.as_ptr(), null_mut(), null_mut(), null_mut(), 0);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod ours {
    pub(super) const GIVE_BACK: Option<fn()> = None;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::mem::size_of;
    use std::ptr::{from_mut, null_mut};

    #[test]
    #[expect(unsafe_code, reason = "the allocator is asked by a function of C")]
    fn the_settings_are_read_and_memory_goes_back() {
        let (mut heaps, mut length) = (0_u32, size_of::<u32>());
        // SAFETY: the name ends with a null, the value is an `unsigned`, and its length says so.
        let failed = unsafe {
            let name = c"opt.narenas".as_ptr();
            tikv_jemalloc_sys::mallctl(name, from_mut(&mut heaps).cast(), &raw mut length, null_mut(), 0)
        };
        assert_eq!((failed, heaps), (0, 4));
        let give_back = super::GIVE_BACK.expect("there is a way");
        let resident = || {
            let pages = std::fs::read_to_string("/proc/self/statm").expect("reads");
            pages.split(' ').nth(1).expect("is there").parse::<usize>().expect("a number") << 12
        };
        let small: Vec<Box<[u8; 4096]>> = (0..16 << 10).map(|_| Box::new([1; 4096])).collect();
        let full = resident();
        drop(small);
        // Its own thread may just be at it, and then nobody else is.
        let went = (0..1000).any(|_| {
            give_back();
            resident() + (48 << 20) < full
        });
        assert!(went, "{} of {full} bytes are still there", resident());
    }
}
