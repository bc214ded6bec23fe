//! Sums of the database's pages: SQLite has none, and reads a flipped bit as if it had been written so.
//!
//! SQLite leaves the last bytes of each page to others if it is asked to. A layer between SQLite and its own layer of
//! files keeps CRC-32 of the page and of its place there: written whenever a page goes to the database's file, compared
//! whenever one is read from it. Where a single bit is flipped the sum says which (see `sum`): it is read as it was, and
//! noted. Any other page that is not what was written is `SQLITE_CORRUPT`. SQLite's log has sums of its own (see `wal`).
//! Everything else, locks above all, is done by SQLite's layer, untouched.
//!
//! A database that another program changes, without this layer, has wrong sums from then on.

#![expect(unsafe_code, reason = "SQLite's layers are C functions over raw memory")]

mod sum;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, c_int, c_void};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OpenFlags, ffi};

use self::sum::Page;

/// Name of the layer, as SQLite knows it.
pub(crate) const LAYER: &CStr = c"aitrace";
/// Bytes of a page that are ours.
const OURS: u8 = sum::LENGTH as u8;
/// Where the first page says how many bytes of a page are not SQLite's
/// (<https://www.sqlite.org/fileformat2.html#the_database_header>).
const OURS_AT: usize = 20;
/// Where it says how large a page is.
const SIZE_AT: usize = 16;
/// Sizes of pages: the least, and what SQLite takes by itself.
const LEAST: usize = 512;
const USUAL: usize = 4096;

/// SQLite's layer, and where in its files ours has its own state.
static INNER: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(std::ptr::null_mut());
static PLACE: AtomicUsize = AtomicUsize::new(0);

/// What stands behind SQLite's state of an open database.
#[repr(C)]
struct State {
    /// SQLite's ways of this file, but for reading and writing.
    methods: ffi::sqlite3_io_methods,
    inner: *const ffi::sqlite3_io_methods,
    /// Its path; null where it has none. SQLite keeps it as long as the file is open.
    name: ffi::sqlite3_filename,
    /// Whether its pages have sums.
    summed: bool,
}

/// Opens a database through the layer.
pub(crate) fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    match *REGISTERED.get_or_init(register) {
        ffi::SQLITE_OK => Connection::open_with_flags_and_vfs(path, flags, LAYER),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)),
    }
}

/// Asks for room for sums: in a database that is still empty, or by the next `VACUUM`, and in what it copies to.
pub(crate) fn make_room(connection: &Connection) -> rusqlite::Result<()> {
    let mut ours = c_int::from(OURS);
    let value: *mut c_void = (&raw mut ours).cast();
    let (name, what) = (c"main".as_ptr(), ffi::SQLITE_FCNTL_RESERVE_BYTES);
    // SAFETY: the handle lives as long as the borrowed connection; the name ends with zero; for this call the value is
    // a C int, which is changed before it returns.
    let code = unsafe { ffi::sqlite3_file_control(connection.handle(), name, what, value) };
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }
}

/// Whether the pages of a database that [`open`] opened have sums.
///
/// It is not read from the file here: closing a file again gives up the locks that this process has on it.
pub(crate) fn have_sums(connection: &Connection) -> bool {
    let mut file: *mut ffi::sqlite3_file = std::ptr::null_mut();
    let value: *mut c_void = (&raw mut file).cast();
    let (name, what) = (c"main".as_ptr(), ffi::SQLITE_FCNTL_FILE_POINTER);
    // SAFETY: as in `make_room`; for this call the value is a pointer, which is set before it returns.
    let code = unsafe { ffi::sqlite3_file_control(connection.handle(), name, what, value) };
    // SAFETY: the file is open as long as the connection, and was opened by this layer.
    code == ffi::SQLITE_OK && !file.is_null() && unsafe { (*state(file)).summed }
}

/// Pages of a database of which a flipped bit was read since this process began.
pub(crate) fn flipped(database: &Path) -> BTreeSet<u64> {
    let path = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    noted().get(&path).cloned().unwrap_or_default()
}

/// Sets flipped bits right in the file itself: in its first page, or in all. Nobody may have it open. Returns how many.
pub(crate) fn mend(database: &Path, all: bool) -> std::io::Result<u64> {
    let mut file = File::options().read(true).write(true).open(database)?;
    let (mut page, mut offset, mut mended) = (vec![0; page_size(&mut file)?], 0, 0);
    while file.read_exact(&mut page).is_ok() && (all || offset == 0) {
        let summed = offset > 0 || page[OURS_AT] == OURS;
        if sum::check(&mut page, offset) == Page::Mended && (summed || page[OURS_AT] == OURS) {
            file.seek(SeekFrom::Start(offset as u64))?;
            file.write_all(&page)?;
            mended += 1;
        } else if offset == 0 && !summed {
            return Ok(0);
        }
        offset += page.len() as i64;
    }
    if mended > 0 {
        file.sync_all()?;
        noted().remove(&database.canonicalize()?);
    }
    Ok(mended)
}

fn page_size(file: &mut File) -> std::io::Result<usize> {
    let mut header = [0; SIZE_AT + 2];
    let read = file.read_exact(&mut header);
    file.seek(SeekFrom::Start(0))?;
    read?;
    let said = usize::from(header[SIZE_AT]) << 8 | usize::from(header[SIZE_AT + 1]);
    // Where it does not say what it can say, it is what we write.
    Ok(if said >= LEAST && said.is_power_of_two() { said } else { USUAL })
}

type Noted = BTreeMap<PathBuf, BTreeSet<u64>>;

fn noted() -> MutexGuard<'static, Noted> {
    static NOTED: Mutex<Noted> = Mutex::new(BTreeMap::new());
    NOTED.lock()
}

fn register() -> c_int {
    // SAFETY: asks for the default layer, which SQLite never frees; null asks for no particular name.
    let inner = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
    if inner.is_null() {
        return ffi::SQLITE_ERROR;
    }
    // SAFETY: not null, from SQLite, and only copied.
    let mut layer = unsafe { *inner };
    let place = usize::try_from(layer.szOsFile).unwrap_or(0).next_multiple_of(align_of::<State>());
    let Ok(size) = c_int::try_from(place + size_of::<State>()) else { return ffi::SQLITE_ERROR };
    PLACE.store(place, Ordering::Release);
    INNER.store(inner, Ordering::Release);
    layer.szOsFile = size;
    layer.pNext = std::ptr::null_mut();
    layer.zName = LAYER.as_ptr();
    layer.xOpen = Some(open_file);
    // SAFETY: the layer is complete and never freed, as SQLite demands; it is not made the default.
    unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(layer)), 0) }
}

/// Our state of a file that this layer opened as a database.
///
/// # Safety
///
/// `file` must be the memory of such a file: SQLite gives as many bytes as the layer's `szOsFile`, aligned to 8.
unsafe fn state(file: *mut ffi::sqlite3_file) -> *mut State {
    // SAFETY: by the contract above the place is within the file's memory, and a multiple of the state's alignment.
    unsafe { file.cast::<u8>().add(PLACE.load(Ordering::Acquire)).cast() }
}

/// Opens a file by SQLite's layer, and stands before it where it is a database.
///
/// # Safety
///
/// Called by SQLite, as `xOpen` of the layer that was registered.
unsafe extern "C" fn open_file(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let inner = INNER.load(Ordering::Acquire);
    // SAFETY: set before the layer was registered, and never freed.
    let Some(open) = (unsafe { (*inner).xOpen }) else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: the arguments are SQLite's own; the memory of the file is larger than this layer needs.
    let code = unsafe { open(inner, name, file, flags, out) };
    if code != ffi::SQLITE_OK || flags & ffi::SQLITE_OPEN_MAIN_DB == 0 {
        return code;
    }
    // SAFETY: a file that was opened has methods, which outlive it. The state behind it is ours alone and written
    // before anything reads it; the file points to methods that live as long as itself.
    unsafe {
        let inner = (*file).pMethods;
        let mut methods = *inner;
        // Without ways to map pages into memory, past the comparison.
        methods.iVersion = methods.iVersion.min(2);
        methods.xRead = Some(read);
        methods.xWrite = Some(write);
        let state = state(file);
        state.write(State { methods, inner, name, summed: has_sums(file, &*inner) });
        (*file).pMethods = &raw const (*state).methods;
    }
    code
}

/// Whether the pages of a file that was just opened have sums.
///
/// # Safety
///
/// `file` must be open, and `inner` its methods.
unsafe fn has_sums(file: *mut ffi::sqlite3_file, inner: &ffi::sqlite3_io_methods) -> bool {
    let (Some(ask), Some(read)) = (inner.xFileSize, inner.xRead) else { return false };
    let mut size = 0;
    // SAFETY: the file is open, by the contract above.
    if unsafe { ask(file, &raw mut size) } != ffi::SQLITE_OK || size == 0 {
        // Whoever makes a database through this layer asks for sums; the first page may not be the first that is written.
        return size == 0;
    }
    let mut page = vec![0_u8; USUAL];
    // SAFETY: as above; the buffer has as many bytes.
    if unsafe { read(file, page.as_mut_ptr().cast(), USUAL as c_int, 0) } != ffi::SQLITE_OK {
        return false;
    }
    // A flipped bit may be the one that says it.
    let said = page[OURS_AT] == OURS;
    said || sum::check(&mut page, 0) == Page::Mended && page[OURS_AT] == OURS
}

/// Reads, and compares the sum of a page.
///
/// # Safety
///
/// Called by SQLite, as `xRead` of a file that [`open_file`] opened.
unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: `open_file` wrote the state, and one connection uses a file at a time.
    let state = unsafe { &mut *state(file) };
    // SAFETY: as above.
    let Some(inner) = (unsafe { (*state.inner).xRead }) else { return ffi::SQLITE_IOERR_READ };
    // SAFETY: the arguments are passed on as they are.
    let code = unsafe { inner(file, buffer, amount, offset) };
    // A page of which the file has only a part, or nothing: SQLite would take it to be of zeros.
    let cut = code == ffi::SQLITE_IOERR_SHORT_READ && state.summed && amount as usize >= LEAST;
    let (ffi::SQLITE_OK, Ok(length)) = (code, usize::try_from(amount)) else {
        return if cut { ffi::SQLITE_CORRUPT } else { code };
    };
    // SAFETY: the buffer holds `amount` bytes, which were just written, and is SQLite's to change.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    if !state.summed {
        state.summed = says_sums(bytes, offset) == Some(true);
    }
    if !state.summed {
        return code;
    }
    if is_page(length, offset) {
        return match sum::check(bytes, offset) {
            Page::Good => code,
            Page::Bad => ffi::SQLITE_CORRUPT,
            Page::Mended => {
                note(state, offset);
                code
            }
        };
    }
    // SQLite looks at the beginning of the first page before it knows how large a page is.
    let Some(place) = usize::try_from(offset).ok().filter(|at| at + length <= LEAST) else { return code };
    let mut page = vec![0_u8; USUAL];
    // SAFETY: as above; the buffer has as many bytes.
    let whole = unsafe { inner(file, page.as_mut_ptr().cast(), USUAL as c_int, 0) };
    if whole == ffi::SQLITE_OK && sum::check(&mut page, 0) == Page::Mended {
        bytes.copy_from_slice(&page[place..place + length]);
        note(state, 0);
    }
    code
}

/// Notes that a page was read with a flipped bit.
fn note(state: &State, offset: i64) {
    if state.name.is_null() {
        return;
    }
    // SAFETY: SQLite keeps the name, which ends with zero, as long as the file is open.
    let name = unsafe { CStr::from_ptr(state.name) };
    let pages = |mut noted: MutexGuard<'_, Noted>| {
        noted.entry(PathBuf::from(&*name.to_string_lossy())).or_default().insert(offset as u64)
    };
    pages(noted());
}

/// Writes, a page with its sum.
///
/// # Safety
///
/// Called by SQLite, as `xWrite` of a file that [`open_file`] opened.
unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: `open_file` wrote the state, and one connection uses a file at a time.
    let state = unsafe { &mut *state(file) };
    // SAFETY: as above.
    let Some(write) = (unsafe { (*state.inner).xWrite }) else { return ffi::SQLITE_IOERR_WRITE };
    let length = usize::try_from(amount).unwrap_or(0);
    // SAFETY: the buffer holds `amount` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) };
    state.summed = says_sums(bytes, offset).unwrap_or(state.summed);
    if !state.summed || !is_page(length, offset) {
        // SAFETY: the arguments are passed on as they are.
        return unsafe { write(file, buffer, amount, offset) };
    }
    let mut page = bytes.to_vec();
    sum::put(&mut page, offset);
    // SAFETY: the page has as many bytes as the buffer had.
    unsafe { write(file, page.as_ptr().cast(), amount, offset) }
}

/// What a first page says about sums; nothing for other bytes.
fn says_sums(bytes: &[u8], offset: i64) -> Option<bool> {
    (offset == 0).then(|| bytes.get(OURS_AT).map(|ours| *ours == OURS)).flatten()
}

fn is_page(length: usize, offset: i64) -> bool {
    let whole = u64::try_from(offset).is_ok_and(|offset| offset.is_multiple_of(length as u64));
    length >= LEAST && length.is_power_of_two() && whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
        INSERT INTO t SELECT i, zeroblob(i * 7), 'word ' || i FROM n;
        INSERT INTO t VALUES (1000, zeroblob(30000), 'long');";

    /// In memory, where there is such a place: how fast a disk syncs is not what is tested.
    fn place() -> tempfile::TempDir {
        let memory = Path::new("/dev/shm");
        let fast = memory.is_dir().then(|| tempfile::tempdir_in(memory).ok()).flatten();
        fast.unwrap_or_else(|| tempfile::tempdir().expect("a directory"))
    }

    fn flags() -> OpenFlags {
        OpenFlags::default()
    }

    fn make(path: &Path) {
        let database = open(path, flags()).expect("opens");
        make_room(&database).expect("asks");
        database.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (i INTEGER PRIMARY KEY, b, w); CREATE INDEX w ON t (w);").expect("creates");
        database.execute_batch(ROWS).expect("writes");
    }

    fn sums(path: &Path) -> bool {
        have_sums(&open(path, flags()).expect("opens"))
    }

    fn is_sound(path: &Path) -> bool {
        let check = || -> rusqlite::Result<String> {
            open(path, flags())?.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        };
        check().is_ok_and(|found| found == "ok")
    }

    fn words(path: &Path) -> rusqlite::Result<Vec<String>> {
        let database = open(path, flags())?;
        let mut select = database.prepare("SELECT w FROM t ORDER BY i")?;
        let words = select.query_map([], |row| row.get(0))?;
        words.collect()
    }

    #[test]
    fn any_flipped_bit_is_read_as_it_was_noted_and_set_right() {
        let dir = place();
        let path = dir.path().join("db");
        make(&path);
        assert!(sums(&path) && is_sound(&path));
        let (good, all) = (std::fs::read(&path).expect("reads"), words(&path).expect("reads"));
        assert_eq!(all.len(), 301);
        // The first page's header bit by bit: it says how to read all the others.
        for bit in (0..800).step_by(13).chain((800..8 * good.len()).step_by(48_017)) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bad).expect("damages");
            if mend(&path, false).expect("looks") == 0 {
                assert!(bit >= 8 * 4096, "bit {bit} is in the first page");
                assert!(is_sound(&path) && words(&path).expect("reads") == all, "bit {bit}");
                assert_eq!(flipped(&path), BTreeSet::from([bit as u64 / 8 / 4096 * 4096]), "bit {bit}");
                assert_eq!(mend(&path, true).expect("mends"), 1, "bit {bit}");
            }
            assert!(flipped(&path).is_empty() && std::fs::read(&path).expect("reads") == good, "bit {bit}");
        }
    }

    #[test]
    fn a_flipped_bit_of_the_first_page_is_read_as_it_was() {
        let dir = place();
        let path = dir.path().join("db");
        make(&path);
        let (good, all) = (std::fs::read(&path).expect("reads"), words(&path).expect("reads"));
        for bit in (0..800).step_by(11) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bad).expect("damages");
            assert_eq!(words(&path).ok().as_ref(), Some(&all), "bit {bit}");
            assert!(!flipped(&path).is_empty(), "bit {bit}");
        }
    }

    #[test]
    fn more_damage_than_a_bit_is_seen() {
        let dir = place();
        let path = dir.path().join("db");
        make(&path);
        let good = std::fs::read(&path).expect("reads");
        for place in (0..good.len() - 1).step_by(1009) {
            let mut bad = good.clone();
            bad[place] ^= 0x41;
            bad[place + 1] ^= 0x10;
            std::fs::write(&path, &bad).expect("damages");
            assert!(!is_sound(&path), "byte {place}");
            assert!(mend(&path, true).expect("looks") == 0, "byte {place}");
        }
    }

    #[test]
    fn pages_in_each_others_place_are_seen() {
        let dir = place();
        let path = dir.path().join("db");
        make(&path);
        let mut bytes = std::fs::read(&path).expect("reads");
        let (one, other) = bytes[4096..].split_at_mut(4096);
        one.swap_with_slice(&mut other[..4096]);
        std::fs::write(&path, bytes).expect("damages");
        assert!(!is_sound(&path));
    }

    #[test]
    fn a_database_without_sums_gets_them_and_one_that_others_changed_is_seen() {
        let dir = place();
        let path = dir.path().join("db");
        let plain = Connection::open(&path).expect("opens");
        plain
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (i INTEGER PRIMARY KEY, b, w);")
            .expect("creates");
        plain.execute_batch(ROWS).expect("writes");
        drop(plain);
        assert!(!sums(&path) && is_sound(&path), "is read as it is");
        let database = open(&path, flags()).expect("opens");
        make_room(&database).expect("asks");
        database.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").expect("writes anew");
        assert!(sums(&path) && is_sound(&path));
        let copy = dir.path().join("copy");
        database.execute("VACUUM INTO ?1", [copy.to_string_lossy()]).expect("copies");
        assert!(sums(&copy) && is_sound(&copy));
        drop(database);
        let plain = Connection::open(&path).expect("opens");
        plain.execute("UPDATE t SET w = 'other'", []).expect("writes");
        drop(plain);
        assert!(!is_sound(&path));
    }
}
