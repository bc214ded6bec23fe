/// # Safety
///
/// The pointer is valid.
#[aitrace::trace]
unsafe fn read(pointer: *const u8) -> u8 {
    // SAFETY: the caller promises it.
    unsafe { *pointer }
}

fn main() {
    // SAFETY: of a reference.
    unsafe { read(&1) };
}
