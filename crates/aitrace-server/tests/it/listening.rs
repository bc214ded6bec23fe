//! What the servers of this process log.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Everything that is logged, at the lowest level. Servers run on threads of their own, so the whole process is listened
/// to; other tests only add to it.
#[derive(Clone, Default)]
pub(crate) struct Listening(Arc<Mutex<Vec<u8>>>);

impl Listening {
    /// From the first call on.
    pub(crate) fn begin() -> Self {
        static ONE: OnceLock<Listening> = OnceLock::new();
        let begin = || {
            let listening = Self::default();
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(listening.clone())
                .finish();
            tracing::subscriber::set_global_default(subscriber).expect("nobody else listens");
            listening
        };
        ONE.get_or_init(begin).clone()
    }

    pub(crate) fn text(&self) -> String {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&heard).into_owned()
    }
}

impl Write for Listening {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Listening {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
