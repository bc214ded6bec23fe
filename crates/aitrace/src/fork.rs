//! Knows when this process is a fork of the one that made a value.
//!
//! A child has one thread: the parent's workers are gone and any lock they held stays locked. So
//! whatever is guarded by such a lock belongs to an epoch, and is made anew when the epoch has changed.

use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static EPOCH: AtomicU32 = AtomicU32::new(0);
static INSTALL: Once = Once::new();

/// How many forks lie between the first process and this one.
#[inline]
pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Relaxed)
}

/// Runs `before` in the parent before each fork and `after` in parent and child after it. Once.
pub(crate) fn install(before: extern "C" fn(), after: extern "C" fn()) {
    INSTALL.call_once(|| register(before, after));
}

static AFTER: std::sync::OnceLock<extern "C" fn()> = std::sync::OnceLock::new();

extern "C" fn child() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
    if let Some(after) = AFTER.get() {
        after();
    }
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "the only way to learn of a fork made by others")]
fn register(before: extern "C" fn(), after: extern "C" fn()) {
    AFTER.get_or_init(|| after);
    // SAFETY: the three functions live as long as the process and do not unwind. `before` and `after`
    // only lock and unlock; the child's handler adds to an atomic, which is safe after a fork. A failure
    // (no memory) leaves forks undetected, which costs the child its spans and nothing else.
    unsafe {
        libc::pthread_atfork(Some(before), Some(after), Some(child));
    }
}

#[cfg(not(unix))]
fn register(_before: extern "C" fn(), after: extern "C" fn()) {
    // No fork, no handler. Mentioned so that the code above is not dead there.
    AFTER.get_or_init(|| after);
    let _child: extern "C" fn() = child;
}

/// Starts a thread that nobody joins.
///
/// The standard library takes a lock of its own at the start of each thread (for the guard pages by which it
/// knows an overflown stack, where it was the one to start the program). If another thread of the parent was
/// just starting or ending when it forked, the child finds that lock locked for ever; so a child asks the system
/// for its threads.
pub(crate) fn thread(name: &'static std::ffi::CStr, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    if epoch() == 0 || !cfg!(unix) {
        let name = name.to_string_lossy().into_owned();
        return std::thread::Builder::new().name(name).spawn(work).map(drop);
    }
    bare::thread(name, Box::new(work))
}

#[cfg(unix)]
mod bare {
    use std::ffi::{CStr, c_void};
    use std::io;
    use std::mem::MaybeUninit;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// As large as the standard library's.
    const STACK: libc::size_t = 2 << 20;

    struct Start {
        name: &'static CStr,
        work: Box<dyn FnOnce() + Send>,
    }

    #[expect(unsafe_code, reason = "the standard library's threads do not start in every child")]
    pub(super) fn thread(name: &'static CStr, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let start = Box::into_raw(Box::new(Start { name, work }));
        let mut attributes = MaybeUninit::uninit();
        let mut thread = MaybeUninit::uninit();
        // SAFETY: the attributes are initialised before use and destroyed once. `run` has the type that is asked
        // for and takes over `start`, which is `Send`; where there is no thread, nobody else has it.
        unsafe {
            libc::pthread_attr_init(attributes.as_mut_ptr());
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
            libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
            let failed =
                libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), run, start.cast::<c_void>());
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            if failed != 0 {
                drop(Box::from_raw(start));
                return Err(io::Error::from_raw_os_error(failed));
            }
        }
        Ok(())
    }

    #[expect(unsafe_code, reason = "takes over what `thread` handed out")]
    extern "C" fn run(start: *mut c_void) -> *mut c_void {
        // SAFETY: `thread` made it from a box of this type and gave it away to this call alone.
        let start = unsafe { Box::from_raw(start.cast::<Start>()) };
        #[cfg(target_os = "linux")]
        // SAFETY: names the calling thread; the name ends with a null.
        unsafe {
            libc::pthread_setname_np(libc::pthread_self(), start.name.as_ptr());
        }
        #[cfg(not(target_os = "linux"))]
        let _unnamed = start.name;
        // A panic that left this function would end the process; it has been reported by now.
        catch_unwind(AssertUnwindSafe(start.work)).unwrap_or_default();
        std::ptr::null_mut()
    }
}

#[cfg(not(unix))]
mod bare {
    pub(super) fn thread(_: &std::ffi::CStr, _: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
        // There is no child.
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_bare_thread_runs_and_its_panic_stays_with_it() {
        let (say, said) = sync_channel(1);
        super::bare::thread(c"bare", Box::new(move || say.send(7).expect("heard"))).expect("a thread");
        assert_eq!(said.recv(), Ok(7));
        let (say, said) = sync_channel::<u8>(1);
        let panics = move || {
            let _say = say;
            std::panic::resume_unwind(Box::new("stays"));
        };
        super::bare::thread(c"bare", Box::new(panics)).expect("a thread");
        assert!(said.recv().is_err(), "it has ended, and we have not");
    }
}
