//! Plans of the models in the editor, and what they cost: built in a thread of its own, the same way as `ptc build` does.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use ptc_cost::predict::predict;
use ptc_driver::{Failure, Request, build_with};
use ptc_plan::file::Trust;
use ptc_report::{Beside, Report, explain};

/// The parser and the checker go as deep as their own bounds allow.
const STACK_BYTES: usize = 16 << 20;

/// A model whose prices are wanted.
pub struct Job {
    pub root: PathBuf,
    pub text: String,
    /// Files beside it, by the name that a `use` has: name to show, and text.
    pub beside: BTreeMap<String, (String, String)>,
    pub entries: Vec<String>,
    pub request: Request,
    pub trust: Trust,
}

/// What a model's plans cost, or why there are none.
#[derive(Default)]
pub struct Prices {
    pub entries: Vec<Priced>,
    pub failure: Option<Failure>,
}

pub struct Priced {
    pub entry: String,
    pub report: Report,
    /// Predicted seconds: of all, and of the query alone.
    pub seconds: f64,
    pub online_seconds: f64,
    pub profile: String,
}

/// The thread that builds, one model after the other.
pub struct Builder {
    jobs: Sender<(Job, u64, Arc<AtomicBool>)>,
    wanted: BTreeMap<PathBuf, Wanted>,
    count: u64,
}

/// The last job of a model.
struct Wanted {
    number: u64,
    stopped: Arc<AtomicBool>,
}

impl Builder {
    /// `done` is told the model, the job's number and the prices.
    pub fn start(done: impl Fn(PathBuf, u64, Prices) + Send + 'static) -> std::io::Result<Builder> {
        let (jobs, waiting) = channel();
        thread::Builder::new().name("prices".into()).stack_size(STACK_BYTES).spawn(move || work(waiting, done))?;
        Ok(Builder { jobs, wanted: BTreeMap::new(), count: 0 })
    }

    /// Instead of what was asked for this model before.
    pub fn ask(&mut self, mut job: Job) {
        self.stop(&job.root);
        self.count += 1;
        let stopped = Arc::new(AtomicBool::new(false));
        job.request.stopped = Some(stopped.clone());
        self.wanted.insert(job.root.clone(), Wanted { number: self.count, stopped: stopped.clone() });
        // A thread that is gone has no answer, which is what nobody then hears.
        let _ = self.jobs.send((job, self.count, stopped));
    }

    pub fn stop(&mut self, root: &Path) {
        if let Some(wanted) = self.wanted.remove(root) {
            wanted.stopped.store(true, Ordering::Relaxed);
        }
    }

    /// Whether this is the answer that is waited for. It is waited for once.
    pub fn is_wanted(&mut self, root: &Path, number: u64) -> bool {
        let found = self.wanted.get(root).is_some_and(|wanted| wanted.number == number);
        if found {
            self.wanted.remove(root);
        }
        found
    }

    pub fn is_busy(&self, root: &Path) -> bool {
        self.wanted.contains_key(root)
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.wanted.values().for_each(|wanted| wanted.stopped.store(true, Ordering::Relaxed));
    }
}

fn work(waiting: Receiver<(Job, u64, Arc<AtomicBool>)>, done: impl Fn(PathBuf, u64, Prices)) {
    for (job, number, stopped) in waiting {
        if stopped.load(Ordering::Relaxed) {
            continue;
        }
        let prices = catch_unwind(AssertUnwindSafe(|| prices(&job, &stopped))).unwrap_or_default();
        if !stopped.load(Ordering::Relaxed) {
            done(job.root, number, prices);
        }
    }
}

fn prices(job: &Job, stopped: &AtomicBool) -> Prices {
    let mut prices = Prices::default();
    for entry in &job.entries {
        let request = Request { entry: Some(entry.clone()), ..job.request.clone() };
        let mut beside = |module: &str| job.beside.get(module).cloned();
        match build_with(&job.root, &job.text, &mut beside, &request, job.trust) {
            _ if stopped.load(Ordering::Relaxed) => return prices,
            Ok(built) => {
                let plan = &built.generated.plan;
                let profile = request.search.as_ref().map(|search| search.profile.clone()).unwrap_or_default();
                let prediction = predict(plan, &profile);
                prices.entries.push(Priced {
                    entry: entry.clone(),
                    report: explain(plan, &Beside::default()),
                    seconds: prediction.seconds(),
                    online_seconds: prediction.online.seconds,
                    profile: profile.name.clone(),
                });
            }
            Err(failure) => {
                prices.failure = Some(failure);
                return prices;
            }
        }
    }
    prices
}
