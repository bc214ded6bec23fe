//! How a tracer is made.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::lock::Mutex;
use aitrace_model::Clock;

use crate::config;
use crate::core::{Alive, Core, Destination, WorkerOptions};
use crate::env::Environment;
use crate::exit;
use crate::export::Exporter;
use crate::export::http::HttpOptions;
use crate::export::memory::Memory;
use crate::identity::{Identity, Session};
use crate::ids::{IdGenerator, Random};
use crate::problem::{ErrorHandler, Problem};
use crate::process::plan::ProcessPlan;
use crate::process::{self, Rules, RulesError, Sources};
use crate::registry;
use crate::spool::{self, SpoolOptions};
use crate::state::{Plan, State};
use crate::target::{Chosen, Target};
use crate::ticks::TimeSource;
use crate::tracer::Tracer;

/// Spans that wait before new ones are dropped, unless the bytes are used up earlier.
const QUEUE_ITEMS: usize = 1 << 20;
/// Bytes that wait before new spans are dropped.
const QUEUE_BYTES: usize = 64 << 20;

/// Makes a [`Tracer`]: [`Tracer::builder`]. What is not set comes from the environment, then from the
/// [configuration file](crate::config), then from defaults.
#[derive(Default)]
#[must_use = "`build` makes the tracer"]
pub struct TracerBuilder {
    project: Option<String>,
    source: Option<String>,
    session_id: Option<String>,
    session_name: Option<String>,
    tracer_id: Option<String>,
    run_id: Option<String>,
    dataset_id: Option<String>,
    datapoint_id: Option<String>,
    service: Option<String>,
    language: Option<String>,
    api_key: Option<String>,
    target: Option<String>,
    server_url: Option<String>,
    exporter: Option<Arc<dyn Exporter>>,
    clock: Option<Arc<dyn Clock>>,
    ids: Option<Arc<dyn IdGenerator>>,
    tick: Option<Duration>,
    heartbeat: Option<Duration>,
    batch_items: Option<usize>,
    batch_delay: Option<Duration>,
    queue_bytes: Option<usize>,
    queue_items: Option<usize>,
    export_timeout: Option<Duration>,
    retry_pause: Option<Duration>,
    gzip: Option<bool>,
    compat_mode: Option<bool>,
    disabled: Option<bool>,
    verbose: Option<bool>,
    hold_open_spans: Option<bool>,
    mask: Option<bool>,
    rules: Option<Rules>,
    spool: Option<bool>,
    spool_dir: Option<PathBuf>,
    fallback_html: Option<PathBuf>,
    certificate: Option<PathBuf>,
    proxy: Option<String>,
    exit_wait: Option<Duration>,
    on_error: ErrorHandler,
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $($(#[$doc])*
        pub fn $name(mut self, $name: impl Into<String>) -> Self {
            // An empty text says nothing.
            self.$name = Some($name.into()).filter(|text| !text.is_empty());
            self
        })+
    };
}

macro_rules! settings {
    (into $($(#[$doc:meta])* $name:ident: $type:ty),+ $(,)?) => {
        $($(#[$doc])*
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            self.$name = Some($name.into());
            self
        })+
    };
    ($($(#[$doc:meta])* $name:ident: $type:ty),+ $(,)?) => {
        $($(#[$doc])*
        pub fn $name(mut self, $name: $type) -> Self {
            self.$name = Some($name);
            self
        })+
    };
}

impl TracerBuilder {
    texts! {
        /// Project. Default: `AITRACE_PROJECT`, else `default`.
        project,
        /// Environment, for example `prod`. Default: `AITRACE_SOURCE`, else `dev`.
        source,
        /// Id of the session. Default: a new UUID.
        session_id,
        /// Name of the session. Default: none.
        session_name,
        /// Id of the tracer. Default: random, unique.
        tracer_id,
        /// Evaluation run of all spans.
        run_id,
        /// Evaluation dataset of all spans.
        dataset_id,
        /// Evaluation datapoint of all spans.
        datapoint_id,
        /// Name of the service. Default: `OTEL_SERVICE_NAME`, else none.
        service,
        /// `telemetry.sdk.language`. Default: `rust`.
        language,
        /// Key for the server. Default: `AITRACE_API_KEY`, else none.
        api_key,
        /// Where to send: see [`Target`]. Default: the server's URL if one was given, `AITRACE_TARGET` or
        /// `LOG_TRG`, `AITRACE_SERVER_URL`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT`,
        /// `http://localhost:8000`. Only with an endpoint of OpenTelemetry's go `OTEL_EXPORTER_OTLP_HEADERS`, and
        /// `AITRACE_API_KEY` does not.
        target,
        /// URL of the server; comes second to a target.
        server_url,
        /// URL of an HTTP proxy. Default: that of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`,
        /// `NO_PROXY`), and none for a server on this machine.
        proxy,
    }

    settings! {
        /// How often open spans are looked at, so that they are seen live. Zero: never; then a span is sent
        /// when it has ended. Default: 1 s.
        tick: Duration,
        /// How often a span that stays open is told of again. Default: 10 s.
        heartbeat: Duration,
        /// Most spans of a request. Default: `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, else 512.
        batch_items: usize,
        /// How long finished spans may wait for others when the tick is zero. Default:
        /// `OTEL_BSP_SCHEDULE_DELAY`, else 5 s.
        batch_delay: Duration,
        /// Bytes of finished spans that may wait; what does not fit is dropped and counted. Default: 64 MiB.
        queue_bytes: usize,
        /// Finished spans that may wait. Default: `OTEL_BSP_MAX_QUEUE_SIZE`, else 1 048 576.
        queue_items: usize,
        /// How long one request may take. Default: `OTEL_EXPORTER_OTLP_TIMEOUT`, else
        /// `OTEL_BSP_EXPORT_TIMEOUT`, else 10 s.
        export_timeout: Duration,
        /// The first pause after a passing fault; it doubles up to 30 s, and each is cut by chance. Default: 200 ms.
        retry_pause: Duration,
        /// Whether requests are compressed. Default: whether `OTEL_EXPORTER_OTLP_COMPRESSION` is `gzip`.
        gzip: bool,
        /// Whether trace records repeat their timestamp at the top level, unless
        /// [`set_compat_mode`](crate::config::set_compat_mode) says otherwise. Default: `AITRACE_COMPAT_MODE`,
        /// else the configuration file's `compat-mode`.
        compat_mode: bool,
        /// Whether nothing is recorded. Default: `OTEL_SDK_DISABLED`.
        disabled: bool,
        /// Whether what became of each batch is told on stderr, and the end of the process though all was sent.
        /// Default: `AITRACE_VERBOSE`.
        verbose: bool,
        /// Whether spans are told of only when they have ended: for programs that process them then, with
        /// [`SpanHandle::leave_out`](crate::SpanHandle::leave_out). Default: no.
        hold_open_spans: bool,
        /// Whether secrets are masked. Default: `AITRACE_MASK`, else what the rules say, else yes.
        mask: bool,
        /// What happens to spans before they are exported, after the rules of the section `processing` of
        /// the [configuration file](crate::config) and those of `AITRACE_RULES`.
        rules: Rules,
        /// Whether what cannot be sent to a server is put aside on disk. Default: yes, unless `AITRACE_SPOOL`
        /// is `off`.
        spool: bool,
        /// How long the end of the process waits for what is unsent; zero: not at all, then what is not flushed
        /// is lost. Default: 2 s.
        exit_wait: Duration,
    }

    settings! {
        into
        /// Folder of the spool. Default: `AITRACE_SPOOL_DIR`, else `spool` in the data folder, which is
        /// `AITRACE_DATA_DIR` or the platform's.
        spool_dir: PathBuf,
        /// Folder for a page that shows what was spooled and is not sent when the tracer ends. Default:
        /// `AITRACE_FALLBACK_HTML`, else no page is made.
        fallback_html: PathBuf,
        /// PEM file with the certificates to trust instead of the usual ones. Default:
        /// `OTEL_EXPORTER_OTLP_CERTIFICATE`.
        certificate: PathBuf,
    }

    /// Who is told when delivery fails; at most once in 30 s for the same cause. It is called by the worker's
    /// thread and may block that only. Default: a line on stderr, once.
    pub fn on_error(mut self, handler: impl Fn(&Problem) + Send + Sync + 'static) -> Self {
        self.on_error = ErrorHandler::new(handler);
        self
    }

    /// Sends to an exporter of your own; the target is not used.
    pub fn exporter(mut self, exporter: impl Exporter) -> Self {
        self.exporter = Some(Arc::new(exporter));
        self
    }

    /// Another clock than the system's, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Other ids than random ones, for tests.
    pub fn id_generator(mut self, ids: Arc<dyn IdGenerator>) -> Self {
        self.ids = Some(ids);
        self
    }

    /// Makes the tracer. Nothing is opened, connected or started before the first span.
    pub fn build(self) -> Tracer {
        let environment = config::complete(Environment::read(), &config::current());
        let time = match self.clock.clone() {
            Some(clock) => TimeSource::Injected(clock),
            None => TimeSource::counter(),
        };
        let (target, server_url) = (self.target.as_deref(), self.server_url.as_deref());
        let chosen = Target::choose(target, server_url, &environment, time.timestamp());
        let destination = self.destination(&chosen, &environment);
        let target = chosen.target;
        let records = matches!(destination, Destination::Target(..)) && target.takes_records();
        let plan = Plan {
            tracer: registry::next_number(),
            time,
            records,
            limit_items: self.queue_items.or(environment.queue_items).unwrap_or(QUEUE_ITEMS),
            limit_bytes: self.queue_bytes.unwrap_or(QUEUE_BYTES),
            on_error: self.on_error.clone(),
        };
        let identity = Arc::new(self.identity(&environment));
        let (process, problem) = self.process(&environment, &identity);
        let state = State::new(&plan);
        if let Some(problem) = problem {
            state.hub.note_problem(&problem.to_string());
        }
        let mut options = self.worker_options(&environment);
        if let Destination::Target(Target::Http(url), _) = &destination {
            options.spool = self.spool_options(&environment, spool::key_of(url, &identity.project));
        }
        let core = Core {
            identity,
            samples: process.samples(),
            process,
            ids: self.ids.clone(),
            options,
            target,
            destination,
            off: AtomicBool::new(self.disabled.unwrap_or(environment.disabled)),
            state: Arc::new(state),
            plan,
        };
        let alive = Arc::new(Alive(Arc::new(core)));
        registry::add(&alive);
        exit::install();
        Tracer::from_alive(alive)
    }

    fn process(
        &self,
        environment: &Environment,
        identity: &Identity,
    ) -> (Arc<ProcessPlan>, Option<RulesError>) {
        let (rules, problem) = process::gather(Sources {
            configuration: &config::current(),
            setting: environment.rules.as_deref(),
            home: environment.home.as_deref(),
            given: self.rules.clone(),
            mask: self.mask.or(environment.mask),
        });
        let hold_open = self.hold_open_spans.unwrap_or(false);
        (Arc::new(ProcessPlan::new(rules, identity, hold_open)), problem)
    }

    fn destination(&self, chosen: &Chosen, environment: &Environment) -> Destination {
        match (&self.exporter, &chosen.target) {
            (Some(exporter), _) => Destination::Custom(exporter.clone()),
            (None, Target::Memory) => {
                Destination::Memory(Arc::new(Memory::new(self.queue_bytes.unwrap_or(QUEUE_BYTES))))
            }
            (None, target) => {
                let options = Box::new(self.http_options(chosen, environment));
                Destination::Target(target.clone(), options)
            }
        }
    }

    fn http_options(&self, chosen: &Chosen, environment: &Environment) -> HttpOptions {
        let otlp = &environment.otlp;
        // What is meant for one receiver is not given to another.
        let known_key = environment.api_key.as_deref().filter(|_| !chosen.otlp);
        let timeout = self.export_timeout.or(otlp.timeout).or(environment.export_timeout);
        HttpOptions {
            api_key: self.api_key.as_deref().or(known_key).map(Arc::from),
            headers: if chosen.otlp { otlp.headers.clone() } else { Vec::new() },
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
            gzip: self.gzip.unwrap_or(otlp.gzip),
            compat_mode: self.compat_mode.or(environment.compat_mode).unwrap_or(false),
            traces_url: chosen.traces_url.clone(),
            proxy: self.proxy.clone(),
            certificate: self.certificate.clone().or_else(|| otlp.certificate.clone()),
        }
    }

    fn spool_options(&self, environment: &Environment, key: u64) -> Option<SpoolOptions> {
        let folder = self.spool_dir.clone().or_else(|| environment.spool.clone());
        let wanted = self.spool.unwrap_or(self.spool_dir.is_some() || environment.spool.is_some());
        let folder = folder.filter(|_| wanted)?;
        Some(SpoolOptions { folder, key, bounds: spool::Bounds::default() })
    }

    fn worker_options(&self, environment: &Environment) -> WorkerOptions {
        WorkerOptions {
            tick: self.tick.unwrap_or(Duration::from_secs(1)),
            heartbeat: self.heartbeat.unwrap_or(Duration::from_secs(10)),
            batch_items: self.batch_items.or(environment.batch_items).unwrap_or(512).max(1),
            batch_delay: self.batch_delay.or(environment.batch_delay).unwrap_or(Duration::from_secs(5)),
            backoff: self.retry_pause.unwrap_or(Duration::from_millis(200)),
            max_backoff: Duration::from_secs(30),
            spool: None,
            fallback_html: self.fallback_html.clone().or_else(|| environment.fallback_html.clone()),
            exit_wait: self.exit_wait.unwrap_or(Duration::from_secs(2)),
            verbose: self.verbose.unwrap_or(environment.verbose),
        }
    }

    fn identity(&self, environment: &Environment) -> Identity {
        let mut random = Random::seeded();
        let shared = |text: &Option<String>| text.as_deref().map(Arc::from);
        let project = self.project.as_deref().or(environment.project.as_deref()).unwrap_or("default");
        let source = self.source.as_deref().or(environment.source.as_deref()).unwrap_or("dev");
        let service = self.service.as_deref().or(environment.service.as_deref());
        let language = self.language.as_deref().unwrap_or("rust");
        let session = Session {
            id: shared(&self.session_id).unwrap_or_else(|| random.uuid().into()),
            name: shared(&self.session_name),
        };
        Identity {
            tracer_id: shared(&self.tracer_id).unwrap_or_else(|| random.uuid().into()),
            project: project.into(),
            source: source.into(),
            service: service.map(Arc::from),
            run_id: shared(&self.run_id),
            dataset_id: shared(&self.dataset_id),
            datapoint_id: shared(&self.datapoint_id),
            first_session: Arc::new(session),
            sessions: Mutex::default(),
            resource: Arc::new(Identity::make_resource(project, source, service, language)),
            scope: Arc::new(Identity::make_scope()),
        }
    }
}

impl Tracer {
    /// Begins a tracer; [`TracerBuilder::build`] makes it.
    pub fn builder() -> TracerBuilder {
        TracerBuilder::default()
    }
}

impl std::fmt::Debug for TracerBuilder {
    /// The key is not shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("TracerBuilder");
        out.field("project", &self.project).field("source", &self.source).field("target", &self.target);
        out.finish_non_exhaustive()
    }
}
