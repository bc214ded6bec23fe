//! The thread beside the writer: whatever takes long and changes nothing until the writer commits it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, TrySendError};
use std::thread::JoinHandle;

use aitrace_store::{ErrorKind, Result, StoreError};
use tokio::sync::mpsc as channel;

use crate::bodies;
use crate::compact::{self, Compacted, Inputs};
use crate::faults;
use crate::retire::{self, Leaving};
use crate::seal::{Sealed, Snapshot};
use crate::segment::Segment;
use crate::shared::Shared;

/// What it is given. Numbers of new files begin after the last one.
#[derive(Debug)]
pub(crate) enum Job {
    Seal(Box<Snapshot>, i64),
    Compact(Inputs, i64),
    Retire(Vec<Arc<Segment>>),
    /// To be freed, and files to be removed; nothing is made of it.
    Bury(Box<Sealed>, Vec<PathBuf>, Buried),
}

/// What it made.
#[derive(Debug)]
pub(crate) enum Made {
    Sealed(Result<Box<Sealed>>),
    Compacted(Result<Compacted>),
    Leaving(Result<Leaving>),
}

/// Bytes that are to be freed, counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Buried(Arc<AtomicUsize>, usize);

impl Drop for Buried {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// The thread. Dropping it ends the thread after the job that it has.
#[derive(Debug)]
pub(crate) struct Keeper {
    jobs: Option<mpsc::SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    made: channel::Receiver<Made>,
    busy: bool,
    buried: Arc<AtomicUsize>,
}

impl Keeper {
    pub(crate) fn start(shared: Arc<Shared>) -> Result<Self> {
        let (jobs, receiver) = mpsc::sync_channel::<Job>(2);
        let (sender, made) = channel::channel(1);
        let folder = shared.folder.clone();
        let thread = std::thread::Builder::new()
            .name("aitrace-store-keeper".to_owned())
            .spawn(move || {
                for job in receiver {
                    let made = run(&shared, &folder, job);
                    if made.is_some_and(|made| sender.blocking_send(made).is_err()) {
                        return;
                    }
                }
            })
            .map_err(faults::io("starting a thread for", std::path::Path::new("the store")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), made, busy: false, buried: Arc::default() })
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Gives it a job. It must not be busy.
    pub(crate) fn give(&mut self, job: Job) -> Result<()> {
        debug_assert!(!self.busy, "one job at a time");
        let gone = || StoreError::new(ErrorKind::Internal, "the store's second thread ended");
        self.jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
        self.busy = true;
        Ok(())
    }

    /// Leaves to it what is only to be freed, of so many bytes, and removed. It need not be free for that.
    pub(crate) fn bury(&self, sealed: Sealed, files: Vec<PathBuf>, bytes: usize) {
        self.buried.fetch_add(bytes, Ordering::Relaxed);
        let job = Job::Bury(Box::new(sealed), files, Buried(Arc::clone(&self.buried), bytes));
        let given = self.jobs.as_ref().map(|jobs| jobs.try_send(job));
        // What it does not take is freed here.
        if let Some(Err(TrySendError::Full(job) | TrySendError::Disconnected(job))) = given {
            bury(job);
        }
    }

    /// Bytes that are still to be freed.
    pub(crate) fn buried(&self) -> usize {
        self.buried.load(Ordering::Relaxed)
    }

    /// What it made, if it is done.
    pub(crate) fn poll(&mut self) -> Option<Made> {
        let made = self.made.try_recv().ok();
        self.busy &= made.is_none();
        made
    }

    /// Waits until it is done.
    pub(crate) async fn wait(&mut self) -> Option<Made> {
        if !self.busy {
            return std::future::pending().await;
        }
        let made = self.made.recv().await;
        self.busy = false;
        made
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.jobs = None;
        self.made.close();
        if let Some(thread) = self.thread.take() {
            // A panic of a job was caught; there is nothing else to learn.
            drop(thread.join());
        }
    }
}

fn run(shared: &Shared, folder: &Path, job: Job) -> Option<Made> {
    let options = &shared.options;
    Some(match job {
        Job::Seal(snapshot, last) => {
            Made::Sealed(guard(|| snapshot.write(folder, last, options).map(Box::new)))
        }
        Job::Compact(inputs, last) => {
            Made::Compacted(guard(|| compact::run(folder, &shared.segments, inputs, last + 1, options)))
        }
        Job::Retire(files) => Made::Leaving(guard(|| Ok(retire::look(&shared.segments, files)))),
        job @ Job::Bury(..) => {
            bury(job);
            return None;
        }
    })
}

fn bury(job: Job) {
    if let Job::Bury(sealed, files, counted) = job {
        drop(sealed);
        drop(counted);
        bodies::remove(&files);
    }
}

/// A job that panics (a footer that does not add up) must not take the thread with it.
fn guard<T>(job: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(job))
        .unwrap_or_else(|_| Err(StoreError::new(ErrorKind::Internal, "a job of the store broke off")))
}
