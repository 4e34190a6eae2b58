//! The backend and its world as a base sees them.

use evcore::backend::{Features, ManualError};
use evcore::{Interest, Ready};

use crate::call;

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) now: u64,
    /// In the order in which they are scanned, beginning with `start`.
    pub(crate) sources: Vec<Source>,
    pub(crate) start: usize,
    pub(crate) batch: usize,
    /// The watched signals, in the order in which they were watched, with their arrivals.
    pub(crate) signals: Vec<(i32, u32)>,
    pub(crate) woken: bool,
    pub(crate) refusals: u32,
    /// Whether refusals are temporary: the base then retries.
    pub(crate) is_refusal_temporary: bool,
    pub(crate) fail_waits: u32,
    pub(crate) fail_reinits: u32,
    pub(crate) replace: u32,
    /// The features it lacks.
    pub(crate) lacks: Features,
    pub(crate) plans: Vec<call::World>,
    /// All registrations ever made.
    pub(crate) given: Vec<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) fd: u32,
    pub(crate) state: Ready,
    pub(crate) edges: Ready,
    /// The registration, and its interest.
    pub(crate) watch: Option<(u64, Interest)>,
}

pub(crate) fn counted_down(count: &mut u32) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}

impl World {
    pub(crate) fn happens(&mut self, world: call::World) {
        match world {
            call::World::SetReady(fd, ready) => {
                let source = self.source(fd);
                source.state = ready;
                source.edges |= ready;
            }
            call::World::Raise(signum) => {
                for (_, count) in self.signals.iter_mut().filter(|(watched, _)| *watched == signum) {
                    *count += 1;
                }
            }
            call::World::Wake => self.woken = true,
            call::World::Advance(nanos) => self.now = self.now.saturating_add(nanos),
            call::World::SetNow(nanos) => self.now = nanos,
            call::World::Refuse(count) => (self.refusals, self.is_refusal_temporary) = (count, false),
            call::World::RefuseForNow(count) => (self.refusals, self.is_refusal_temporary) = (count, true),
            call::World::SetBatch(batch) => self.batch = batch,
            call::World::FailWaits(count) => self.fail_waits = count,
            call::World::FailReinits(count) => self.fail_reinits = count,
            call::World::Replace(count) => self.replace = count,
            call::World::SetFeatures(features) => self.lacks = Features::all() - features,
            plan => self.plans.push(plan),
        }
    }

    /// The source of an fd. A new one replaces the first unused one.
    fn source(&mut self, fd: u32) -> &mut Source {
        let fresh = Source { fd, state: Ready::empty(), edges: Ready::empty(), watch: None };
        let known = self.sources.iter().position(|source| source.fd == fd);
        let idle = self.sources.iter().position(|source| source.watch.is_none() && source.state.is_empty());
        let at = match (known, idle) {
            (Some(at), _) => at,
            (None, Some(at)) => {
                self.sources[at] = fresh;
                at
            }
            (None, None) => {
                self.sources.push(fresh);
                self.sources.len() - 1
            }
        };
        &mut self.sources[at]
    }

    pub(crate) fn watched(&self, fd: u32) -> Option<Interest> {
        self.sources.iter().find(|source| source.fd == fd)?.watch.map(|(_, interest)| interest)
    }

    pub(crate) fn registration(&self, fd: u32) -> Option<u64> {
        self.sources.iter().find(|source| source.fd == fd)?.watch.map(|(registration, _)| registration)
    }

    /// Registers an fd, or changes its interest.
    pub(crate) fn watch(&mut self, fd: u32, registration: u64, interest: Interest) -> bool {
        if counted_down(&mut self.refusals) {
            return false;
        }
        let source = self.source(fd);
        source.watch = Some((registration, interest));
        // Registered again: current readiness counts as new.
        source.edges = source.state;
        if !self.given.contains(&registration) {
            self.given.push(registration);
        }
        true
    }

    /// The error of a refused [`World::watch`] or [`World::watch_signal`].
    pub(crate) fn refusal(&self) -> ManualError {
        if self.is_refusal_temporary { ManualError::Busy } else { ManualError::Refused }
    }

    pub(crate) fn unwatch(&mut self, fd: u32) {
        self.sources.iter_mut().filter(|source| source.fd == fd).for_each(|source| source.watch = None);
    }

    pub(crate) fn watch_signal(&mut self, signum: i32) -> bool {
        if counted_down(&mut self.refusals) {
            return false;
        }
        self.signals.push((signum, 0));
        true
    }

    /// Returns the arrivals that were not reported.
    pub(crate) fn unwatch_signal(&mut self, signum: i32) -> u32 {
        let at = self.signals.iter().position(|(watched, _)| *watched == signum);
        at.map_or(0, |at| self.signals.remove(at).1)
    }

    /// The fd reports of this wait: registrations and readiness.
    pub(crate) fn reports(&mut self) -> Vec<(u64, Ready)> {
        let mut found = Vec::new();
        let count = self.sources.len();
        let mut at = self.start;
        for _ in 0..count {
            at %= count;
            let source = &mut self.sources[at];
            at += 1;
            let Some((registration, interest)) = source.watch else { continue };
            let news = if interest.contains(Interest::EDGE) { source.edges } else { source.state };
            let asked = Ready::from_bits_retain(interest.bits()) | Ready::ERROR | Ready::HANGUP;
            source.edges -= asked;
            if (news & asked).is_empty() {
                continue;
            }
            found.push((registration, news & asked));
            if found.len() == self.batch {
                self.start = at;
                break;
            }
        }
        found
    }

    /// Adds the reports that a step asked for.
    pub(crate) fn report_more(&self, plan: call::World, reports: &mut Vec<(u64, Ready)>) {
        match plan {
            call::World::Report(fd, ready) => {
                let Some(current) = self.registration(fd) else { return };
                match reports.iter_mut().find(|(registration, _)| *registration == current) {
                    Some((_, bits)) => *bits |= ready,
                    None => reports.push((current, ready)),
                }
            }
            call::World::ReportStale(ready) => {
                reports.extend(self.stale_registrations().into_iter().map(|registration| (registration, ready)));
            }
            _ => {}
        }
    }

    pub(crate) fn stale_registrations(&self) -> Vec<u64> {
        let is_current = |given: &u64| self.sources.iter().any(|source| source.watch.is_some_and(|(r, _)| r == *given));
        self.given.iter().copied().filter(|given| !is_current(given)).collect()
    }
}
