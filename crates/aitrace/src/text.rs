//! Names, keys and strings that are either compiled in or shared: cloning never copies the text.

use std::sync::Arc;

/// A string whose clone costs at most a reference count.
///
/// Made from a `&'static str` it allocates nothing; from a `String` or an `Arc<str>` it is shared.
#[derive(Debug, Clone)]
pub enum Text {
    /// Part of the program.
    Static(&'static str),
    /// Made at run time.
    Shared(Arc<str>),
}

/// Bytes that a shared text takes beside its own: two counts, and what an allocator adds.
pub(crate) const SHARED_OVERHEAD: usize = 32;

impl Text {
    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
        }
    }

    /// Bytes on the heap that this text keeps alive, 0 for a compiled-in one.
    #[inline]
    pub(crate) fn heap(&self) -> usize {
        match self {
            Self::Static(_) => 0,
            Self::Shared(text) => text.len() + SHARED_OVERHEAD,
        }
    }
}

impl Default for Text {
    #[inline]
    fn default() -> Self {
        Self::Static("")
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            // The same literal is most often the same address: no need to look at the bytes.
            (Self::Static(one), Self::Static(two)) if std::ptr::eq(*one, *two) => true,
            _ => same(self.as_str(), other.as_str()),
        }
    }
}

impl Eq for Text {}

/// Equality of keys: those of one length mostly differ in their last byte, which spares a call.
#[inline]
fn same(one: &str, two: &str) -> bool {
    one.len() == two.len() && one.as_bytes().last() == two.as_bytes().last() && one == two
}

impl From<&'static str> for Text {
    #[inline]
    fn from(text: &'static str) -> Self {
        Self::Static(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Self::Shared(text)
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}
