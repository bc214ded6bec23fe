//! A memory barrier of which one side pays all: `light` costs an instruction or nothing, `heavy` makes every
//! running thread of the process pass a full barrier.
//!
//! Linux does that by `membarrier(2)`. Where it is not to be had, both sides are full barriers.

use std::sync::atomic::{Ordering, compiler_fence, fence};

/// Which barriers the two sides use: the same for all uses of one lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barrier {
    /// The kernel has the other threads pass a barrier.
    Asymmetric,
    /// Each side passes its own.
    Symmetric,
}

impl Barrier {
    /// The better kind that this process can have.
    pub(super) fn choose() -> Self {
        if kernel::register() { Self::Asymmetric } else { Self::Symmetric }
    }

    /// Between a store and a load of the side that comes often.
    #[inline]
    pub(super) fn light(self) {
        match self {
            Self::Asymmetric => compiler_fence(Ordering::SeqCst),
            Self::Symmetric => fence(Ordering::SeqCst),
        }
    }

    /// Between a store and a load of the side that comes rarely.
    #[cold]
    pub(super) fn heavy(self) {
        fence(Ordering::SeqCst);
        if self == Self::Asymmetric && !kernel::barrier() {
            // Forbidden since it was registered (a sandbox was entered). No processor keeps a store to
            // itself for so long.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        fence(Ordering::SeqCst);
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    /// Announces that this process will ask for barriers; a forked child has to announce it anew.
    pub(super) fn register() -> bool {
        membarrier(REGISTER_PRIVATE_EXPEDITED)
    }

    pub(super) fn barrier() -> bool {
        membarrier(PRIVATE_EXPEDITED)
    }

    #[expect(unsafe_code, reason = "a system call that the standard library does not offer")]
    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: the call takes numbers only, touches no memory of ours and answers an error where the kernel
        // does not know it.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn barrier() -> bool {
        false
    }
}
