//! The signal to stop, seen by every connection and every live stream.

use tokio::sync::watch;

/// Waits for the signal.
#[derive(Debug, Clone)]
pub(crate) struct Closing(watch::Receiver<bool>);

/// Gives the signal; dropping it gives it, too.
#[derive(Debug)]
pub(crate) struct Close(watch::Sender<bool>);

pub(crate) fn channel() -> (Close, Closing) {
    let (close, closing) = watch::channel(false);
    (Close(close), Closing(closing))
}

impl Close {
    pub(crate) fn close(&self) {
        self.0.send_replace(true);
    }
}

impl Closing {
    /// Whether the server is to stop.
    pub(crate) fn is_closing(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Ready once the server is to stop.
    pub(crate) async fn wait(&mut self) {
        // An error says that the sender is gone, which means the same.
        drop(self.0.wait_for(|closing| *closing).await);
    }
}
