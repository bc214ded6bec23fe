//! What a key allows.

/// One thing that a key allows within its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Adding: spans, log records, scores, datasets, runs.
    Ingest,
    /// Reading.
    Read,
    /// Everything: reading, adding, deleting, and the project's keys.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Read, Self::Admin];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }

    /// The scope of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// A set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Scopes(u8);

impl Scopes {
    /// All of them.
    pub(crate) fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether one of them, or one that includes it, is in the set.
    pub(crate) fn allow(self, scope: Scope) -> bool {
        self.0 & (bit(scope) | bit(Scope::Admin)) != 0
    }

    /// Their words.
    pub(crate) fn words(self) -> Vec<&'static str> {
        Scope::ALL.into_iter().filter(|scope| self.0 & bit(*scope) != 0).map(Scope::as_str).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | bit(scope)))
    }
}

const fn bit(scope: Scope) -> u8 {
    1 << scope as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_includes_the_others_and_nothing_else_does() {
        for wanted in Scope::ALL {
            for held in Scope::ALL {
                let allowed = [held].into_iter().collect::<Scopes>().allow(wanted);
                assert_eq!(allowed, held == wanted || held == Scope::Admin, "{held:?} for {wanted:?}");
            }
            assert!(!Scopes::default().allow(wanted));
            assert_eq!(Scope::from_word(wanted.as_str()), Some(wanted));
        }
        assert_eq!(Scopes::all().words(), ["ingest", "read", "admin"]);
        assert_eq!(Scope::from_word("Admin"), None);
    }
}
