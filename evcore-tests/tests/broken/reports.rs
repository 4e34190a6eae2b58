//! How a faulty backend changes the reports of a wait.

use evcore::backend::{Signum, Sink, Token};
use evcore::{Interest, Ready};

use crate::backend::{Broken, Sound, URGENT};
use crate::fault::Fault;

/// Collects reports.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) reports: Vec<(Token, Ready)>,
    pub(crate) failed: Vec<Token>,
    pub(crate) signals: Vec<(Signum, u32)>,
    pub(crate) is_rebuild_due: bool,
    pub(crate) is_woken: bool,
}

impl<F> Sink<F> for Found {
    fn ready(&mut self, token: Token, ready: Ready) -> bool {
        self.reports.push((token, ready));
        true
    }
    fn ready_fd(&mut self, _: F, _: Ready) -> bool {
        unreachable!("no backend here reports by fd")
    }
    fn failed(&mut self, token: Token) {
        self.failed.push(token);
    }
    fn signal(&mut self, signum: Signum, count: u32) {
        if count > 0 {
            self.signals.push((signum, count));
        }
    }
    fn woken(&mut self) {
        self.is_woken = true;
    }
    fn rebuild(&mut self) {
        self.is_rebuild_due = true;
    }
}

impl<B: Sound> Broken<B> {
    /// Applies the fault to the reports of a wait.
    pub(crate) fn distorted(&mut self, mut reports: Vec<(Token, Ready)>) -> Vec<(Token, Ready)> {
        let fault = self.fault;
        let interest_of = |token: Token| {
            self.known.iter().rev().find(|known| known.token == token).map_or(Interest::empty(), |known| known.interest)
        };
        let is_read = |(_, ready): &(Token, Ready)| ready.contains(Ready::READ);
        match fault {
            Fault::LosesReports => {
                let mut count = self.reports;
                reports.retain(|_| {
                    count += 1;
                    count % 2 == 1
                });
                self.reports = count;
            }
            Fault::StarvesTheRest => reports.truncate(3),
            Fault::StarvesWriters if reports.iter().any(is_read) => {
                reports.retain(|(token, _)| interest_of(*token).difference(Interest::EDGE) != Interest::WRITE);
            }
            Fault::StarvesRareKinds if reports.iter().any(is_read) => reports.retain(|(token, _)| {
                let interest = interest_of(*token).difference(Interest::EDGE);
                interest != Interest::CLOSED && interest != URGENT
            }),
            Fault::CutsAt16 => reports.truncate(16),
            Fault::CutsAt32 => reports.truncate(32),
            Fault::CutsAt64 => reports.truncate(64),
            Fault::CutsAt256 => reports.truncate(256),
            Fault::ServesTheFirstEight if reports.len() > 8 => {
                let place = |token: Token| self.known.iter().position(|known| known.token == token);
                reports.sort_by_key(|(token, _)| place(*token));
                reports.truncate(8);
            }
            Fault::ReportsTheDeadAsTheLiving => {
                let living = self.known.iter().rev().find(|known| known.lives).map(|known| known.token);
                for (token, _) in &mut reports {
                    if let (Some(living), true) = (living, self.known.iter().any(|k| k.token == *token && !k.lives)) {
                        *token = living;
                    }
                }
            }
            Fault::ReportsOnceMore => reports.extend(self.ended.drain(..).map(|token| (token, Ready::READ))),
            Fault::ReportsTwice => {
                let last = std::mem::replace(&mut self.last, reports.clone());
                reports.extend(last);
            }
            Fault::SwapsTokens => {
                for pair in reports.chunks_exact_mut(2) {
                    let token = pair[0].0;
                    pair[0].0 = pair[1].0;
                    pair[1].0 = token;
                }
            }
            Fault::DropsTheGeneration => {
                for (token, _) in &mut reports {
                    *token = Token::from_bits(token.to_bits() >> 32 << 32);
                }
            }
            Fault::HidesErrors => reports.iter_mut().for_each(|(_, ready)| ready.remove(Ready::ERROR | Ready::HANGUP)),
            Fault::HidesError => reports.iter_mut().for_each(|(_, ready)| ready.remove(Ready::ERROR)),
            Fault::HangUpAsError => {
                for (_, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(Ready::HANGUP)) {
                    *ready = ready.difference(Ready::HANGUP) | Ready::ERROR;
                }
            }
            Fault::UrgentHidesRead => {
                for (_, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(Ready::URGENT)) {
                    ready.remove(Ready::READ);
                }
            }
            Fault::TruncatesTheGeneration | Fault::TruncatesTheGenerationTo16 => {
                let bits =
                    if fault == Fault::TruncatesTheGeneration { 0xFFFF_FFFF_0000_00FF } else { 0xFFFF_FFFF_0000_FFFF };
                reports.iter_mut().for_each(|(token, _)| *token = Token::from_bits(token.to_bits() & bits));
            }
            Fault::HidesHangUp => reports.iter_mut().for_each(|(_, ready)| ready.remove(Ready::HANGUP)),
            Fault::HidesHangUpFromWriters => {
                for (token, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(Ready::HANGUP)) {
                    if interest_of(*token).difference(Interest::EDGE) == Interest::WRITE {
                        *ready = Ready::empty();
                    }
                }
            }
            Fault::HidesResets => reports.retain(|(token, _)| interest_of(*token) != Interest::CLOSED),
            Fault::WriteWithRead => {
                for (token, ready) in reports.iter_mut().filter(|report| is_read(report)) {
                    ready.set(
                        Ready::WRITE,
                        ready.contains(Ready::WRITE) || interest_of(*token).contains(Interest::WRITE),
                    );
                }
            }
            Fault::ReadWithUrgent => {
                for (token, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(Ready::URGENT)) {
                    ready.set(Ready::READ, ready.contains(Ready::READ) || interest_of(*token).contains(Interest::READ));
                }
            }
            Fault::EdgeReadHidesWrite => {
                for (token, ready) in reports.iter_mut().filter(|report| is_read(report)) {
                    if interest_of(*token).contains(Interest::EDGE) {
                        ready.remove(Ready::WRITE);
                    }
                }
            }
            Fault::HalfCloseStopsWriting => {
                for (_, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(Ready::CLOSED)) {
                    ready.remove(Ready::WRITE);
                }
            }
            Fault::ClosedAsRead => {
                for (token, ready) in reports.iter_mut().filter(|(_, ready)| ready.contains(Ready::CLOSED)) {
                    if interest_of(*token).contains(Interest::READ) {
                        *ready = ready.difference(Ready::CLOSED) | Ready::READ;
                    }
                }
            }
            Fault::ReportsNothing => {
                for known in self.known.iter().filter(|known| known.lives) {
                    if !reports.iter().any(|(token, _)| *token == known.token) {
                        reports.push((known.token, Ready::empty()));
                    }
                }
                return reports;
            }
            _ => {}
        }
        self.by_history(&mut reports);
        reports.retain(|(_, ready)| !ready.is_empty());
        reports
    }

    /// Applies faults that depend on earlier reports.
    fn by_history(&mut self, reports: &mut [(Token, Ready)]) {
        let fault = self.fault;
        for (token, ready) in reports {
            let Some(known) = self.known.iter_mut().rev().find(|known| known.token == *token) else { continue };
            known.reported += 1;
            let before = known.had;
            known.had |= *ready;
            match fault {
                Fault::ClosedHidesHangUp if before.contains(Ready::CLOSED) => ready.remove(Ready::HANGUP),
                Fault::ReadHidesClosedEdge
                    if before.contains(Ready::READ) && known.interest.contains(Interest::EDGE) =>
                {
                    ready.remove(Ready::CLOSED);
                }
                _ => {}
            }
            let (is_level, times) = (!known.interest.contains(Interest::EDGE), known.reported);
            let is_muted = match fault {
                Fault::LevelAsEdge => is_level && times > 1,
                Fault::TiresAfterTen => is_level && times > 10,
                Fault::LevelEachSecondTime => is_level && times % 2 == 0,
                Fault::RoomOnce => is_level && times > 1 && *ready == Ready::WRITE,
                Fault::HangUpOnce => ready.contains(Ready::HANGUP) && std::mem::replace(&mut known.hung_up, true),
                _ => std::mem::take(&mut known.is_mute),
            };
            if is_muted {
                *ready = Ready::empty();
            }
        }
    }

    pub(crate) fn report_signals(
        &mut self,
        mut signals: Vec<(Signum, u32)>,
        is_busy: bool,
        sink: &mut impl Sink<B::Fd>,
    ) {
        match self.fault {
            Fault::CountsToOne => signals.iter_mut().for_each(|(_, count)| *count = 1),
            Fault::CountsInAByte => signals.iter_mut().for_each(|(_, count)| *count &= 0xFF),
            Fault::CountsDouble => signals.iter_mut().for_each(|(_, count)| *count *= 2),
            Fault::LosesSignals => signals.truncate(1),
            Fault::ReadinessHidesSignals if is_busy => signals.clear(),
            Fault::SignalsTwice => {
                let last = std::mem::replace(&mut self.last_signals, signals.clone());
                signals.extend(last);
            }
            _ => {}
        }
        for (signum, count) in signals {
            sink.signal(signum, count);
        }
    }
}
