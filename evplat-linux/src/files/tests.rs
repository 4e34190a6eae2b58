use std::fs::File as Open;

use super::*;
use crate::sink::{Found, token};

const READ: Interest = Interest::READ;
const EDGE: Interest = Interest::EDGE;

fn descriptors(count: usize) -> (Vec<Open>, Vec<Fd>) {
    let open: Vec<_> = (0..count).map(|_| Open::open("/dev/null").unwrap()).collect();
    let fds = open.iter().map(Fd::of).collect();
    (open, fds)
}

fn reported(files: &mut Files, ended: &[u64]) -> Vec<(u64, Ready)> {
    let mut found = Found { ended: ended.to_vec(), ..Found::default() };
    files.report(&mut found);
    found.ready
}

/// A reference model that searches: files in any order, due ones from the first.
#[derive(Default)]
struct Model {
    files: Vec<(Fd, u64, Interest)>,
    due: Vec<Fd>,
}

impl Model {
    fn ready(interest: Interest) -> Ready {
        [(Interest::READ, Ready::READ), (Interest::WRITE, Ready::WRITE)]
            .into_iter()
            .filter(|(bit, _)| interest.contains(*bit))
            .fold(Ready::empty(), |all, (_, bit)| all | bit)
    }

    fn remove(&mut self, fd: Fd) -> bool {
        let before = self.files.len();
        self.files.retain(|file| file.0 != fd);
        self.due.retain(|due| *due != fd);
        self.files.len() < before
    }

    fn set(&mut self, fd: Fd, bits: u64, interest: Interest) {
        self.files.retain(|file| file.0 != fd);
        self.files.push((fd, bits, interest));
        if Self::ready(interest).is_empty() {
            self.due.retain(|due| *due != fd);
        } else if !self.due.contains(&fd) {
            self.due.push(fd);
        }
    }

    fn report(&mut self, ended: &[u64]) -> Vec<(u64, Ready)> {
        let mut found = Vec::new();
        for fd in self.due.clone() {
            let (_, bits, interest) = *self.files.iter().find(|file| file.0 == fd).unwrap();
            if interest.contains(EDGE) {
                self.due.retain(|due| *due != fd);
            }
            if ended.contains(&bits) {
                self.remove(fd);
            } else {
                found.push((bits, Self::ready(interest)));
            }
        }
        found
    }
}

#[test]
fn random_operations_as_a_list_does_them() {
    let (_open, fds) = descriptors(24);
    let interests = [
        READ,
        READ | EDGE,
        Interest::WRITE,
        READ | Interest::WRITE | EDGE,
        Interest::CLOSED,
        Interest::URGENT | EDGE,
        READ | Interest::CLOSED,
    ];
    let (mut files, mut model) = (Files::default(), Model::default());
    let mut random = 1u64;
    for round in 0..100_000 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let fd = fds[(random >> 8) as usize % fds.len()];
        let interest = interests[(random >> 16) as usize % interests.len()];
        let is_registered = model.files.iter().any(|file| file.0 == fd);
        match random % 16 {
            0..6 if !is_registered => {
                files.insert(fd, token(round), interest).unwrap();
                model.set(fd, round, interest);
            }
            // A change to a file that is not registered counts as none.
            0..9 => {
                files.change(fd, token(round), interest);
                if is_registered {
                    model.set(fd, round, interest);
                }
            }
            9..12 => assert_eq!(files.remove(fd), model.remove(fd)),
            12 if random >> 32 & 63 == 0 => {
                files.clear();
                model = Model::default();
            }
            _ => {
                let ended: Vec<_> = model.files.iter().map(|file| file.1).filter(|bits| bits % 8 == 0).collect();
                assert_eq!(reported(&mut files, &ended), model.report(&ended), "round {round}");
            }
        }
        assert_eq!(files.is_due(), !model.due.is_empty(), "round {round}");
        for fd in &fds {
            assert_eq!(files.contains(*fd), model.files.iter().any(|file| file.0 == *fd), "round {round}");
        }
    }
    assert!(files.files.len() <= fds.len(), "places are not used again");
}

#[test]
fn due_files_come_in_the_order_they_became_due() {
    let (_open, fds) = descriptors(4);
    let mut files = Files::default();
    for (bits, fd) in (0..).zip(&fds) {
        files.insert(*fd, token(bits), READ | EDGE).unwrap();
    }
    assert_eq!(reported(&mut files, &[]).len(), 4);
    for (bits, fd) in [(3, fds[3]), (1, fds[1]), (2, fds[2])] {
        files.change(fd, token(bits), READ);
    }
    files.change(fds[3], token(3), Interest::WRITE);
    let expected = [(3, Ready::WRITE), (1, Ready::READ), (2, Ready::READ)];
    assert_eq!(reported(&mut files, &[]), expected, "a change has cost a due file its turn");
    assert_eq!(reported(&mut files, &[]), expected);
}

/// How many entries each operation touches with `count` files that are not due.
fn steps_beside(count: usize) -> [usize; 5] {
    let (_open, fds) = descriptors(count + 1);
    let (last, others) = fds.split_last().unwrap();
    let mut files = Files::default();
    for (bits, fd) in (0..).zip(others) {
        files.insert(*fd, token(bits), READ | EDGE).unwrap();
    }
    assert_eq!(reported(&mut files, &[]).len(), count);
    let mut steps = 0;
    let mut since = |files: &Files| files.steps - std::mem::replace(&mut steps, files.steps);
    since(&files);
    assert!(!files.is_due() && reported(&mut files, &[]).is_empty());
    let turn = since(&files);
    assert!(!files.contains(*last) && !files.remove(*last));
    let socket = since(&files);
    files.insert(*last, token(0), READ).unwrap();
    let insert = since(&files);
    files.remove(*last);
    let remove = since(&files);
    for (bits, fd) in (0..10).zip(others) {
        files.change(*fd, token(bits), READ | EDGE);
    }
    assert_eq!(reported(&mut files, &[]).len(), 10);
    [turn, socket, insert, remove, since(&files)]
}

#[test]
fn files_that_are_not_due_cost_nothing() {
    let [turn, socket, insert, remove, ten_due] = steps_beside(10);
    assert_eq!((turn, socket), (1, 0), "a turn asks for the first due one");
    assert!(insert <= 8 && remove <= 8 && ten_due <= 160);
    assert_eq!(steps_beside(400), [turn, socket, insert, remove, ten_due]);
}

#[test]
fn descriptors_are_spread_over_the_map() {
    let buckets = |numbers: Vec<u32>| {
        let hash = |number| {
            let mut hasher = FdHasher::default();
            hasher.write_u32(number);
            hasher.finish() % 4_096
        };
        numbers.into_iter().map(hash).collect::<std::collections::HashSet<_>>().len()
    };
    for step in [1, 2, 64, 1_024, 4_096] {
        let used = buckets((0..2_048).map(|n| n * step).collect());
        assert!(used > 1_200, "numbers {step} apart share {used} buckets");
    }
}

#[test]
fn every_byte_counts_for_the_hash() {
    let hash = |bytes: [u8; 2]| {
        let mut hasher = FdHasher::default();
        hasher.write(&bytes);
        hasher.finish()
    };
    let all: std::collections::HashSet<_> = (0..=u16::MAX).map(|number| hash(number.to_ne_bytes())).collect();
    assert_eq!(all.len(), 65_536);
}

#[test]
fn a_file_that_is_another_now_fails_once_and_is_not_reported_again() {
    let (number, other) = (Open::open("/dev/null").unwrap(), Open::open("/dev/zero").unwrap());
    let (mut files, mut found) = (Files::default(), Found::default());
    files.insert(Fd::of(&number), token(1), Interest::READ).unwrap();
    crate::sys::replace(&other.into(), std::os::fd::AsRawFd::as_raw_fd(&number)).unwrap();
    for _ in 0..300 {
        files.report(&mut found);
    }
    assert_eq!(found.failed, [1]);
    assert!(found.ready.len() <= 251 && !files.contains(Fd::of(&number)) && !files.is_due());
}
