//! Names and keys that come again and again, kept once for the life of the process.
//!
//! A program's keys are few and stand in its code. Kept for good, they cost a comparison at each use instead
//! of a string that one thread makes and another frees.

use std::cell::RefCell;
use std::collections::HashSet;

use aitrace::Text;
use parking_lot::Mutex;

/// Texts that are kept; those beyond are made anew at each use, as if there were no table.
const MOST: usize = 4096;
/// Longest text that is kept, in bytes.
pub(crate) const LONGEST: usize = 64;
/// Places of a thread's own memory of the table.
const NEAR: usize = 64;

static TABLE: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

thread_local! {
    /// What this thread used last, by the address of the text in Python's memory.
    static LAST: RefCell<[&'static str; NEAR]> = const { RefCell::new([""; NEAR]) };
}

/// The text, kept if it is short.
#[inline]
pub(crate) fn text(text: &str) -> Text {
    let address = text.as_ptr() as usize;
    let index = (address >> 4 ^ address >> 10) % NEAR;
    let known = LAST.try_with(|last| last.try_borrow().map_or("", |last| last[index])).unwrap_or("");
    // An address may have come to another text since.
    if known == text { Text::Static(known) } else { far(text, index) }
}

#[cold]
fn far(text: &str, index: usize) -> Text {
    let Some(kept) = keep(text) else { return Text::from(text.to_owned()) };
    let remember = |last: &RefCell<[&'static str; NEAR]>| {
        if let Ok(mut last) = last.try_borrow_mut() {
            last[index] = kept;
        }
    };
    // A thread that is being torn down remembers nothing.
    LAST.try_with(remember).unwrap_or_default();
    Text::Static(kept)
}

fn keep(text: &str) -> Option<&'static str> {
    if text.len() > LONGEST {
        return None;
    }
    // Held by another thread: not worth waiting for.
    let mut table = TABLE.try_lock()?;
    let table = table.get_or_insert_default();
    if let Some(kept) = table.get(text) {
        return Some(kept);
    }
    if table.len() >= MOST {
        return None;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    table.insert(kept);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_hold_another_text_and_the_table_is_bounded() {
        let mut buffer = String::from("order");
        assert_eq!(text(&buffer).as_str(), "order");
        buffer.replace_range(.., "score");
        assert_eq!(text(&buffer).as_str(), "score");
        assert!(matches!(text(&buffer), Text::Static("score")));
        the_table_is_bounded_in_length_and_number();
    }

    /// Fills the table of the process, therefore after what needs room in it.
    fn the_table_is_bounded_in_length_and_number() {
        let long = "x".repeat(LONGEST + 1);
        assert!(matches!(text(&long), Text::Shared(_)));
        for number in 0..2 * MOST {
            let key = format!("key {number}");
            assert_eq!(text(&key).as_str(), key);
        }
        assert_eq!(TABLE.lock().as_ref().map(HashSet::len), Some(MOST));
        assert!(matches!(text("one more"), Text::Shared(_)));
    }
}
