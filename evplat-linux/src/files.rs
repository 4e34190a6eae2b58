//! Descriptors that epoll refuses with EPERM: regular files, /dev/null, /dev/urandom.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use evcore::backend::{Sink, Token};
use evcore::{Fd, Interest, Ready};
use evplat_posix::Error;

use crate::sys::FileId;

/// The number of reports of a file after which its number is verified.
const VERIFIED_EVERY: u8 = 251;

/// The registrations of descriptors that never block. `poll(2)` and `select(2)` report them as always ready; this
/// does the same for epoll.
///
/// ```text
///   places   fd 7 ▶ 1    fd 4 ▶ 2    fd 9 ▶ 3
///   files    [ 1: edge, reported ] [ 2: level ] [ 3: edge, changed ] [ 4: free ]
///   due      0 ⇄ 2 ⇄ 3 ⇄ 0
/// ```
///
/// A file is found by its descriptor in O(1). A turn visits only the due files: level-triggered files always,
/// edge-triggered ones once for each registration and change, and files watched for neither READ nor WRITE never.
/// They are reported in the order in which they became due.
///
/// Memory: about 40 bytes for each file.
#[derive(Debug, Default)]
pub(crate) struct Files {
    places: HashMap<Fd, u32, BuildHasherDefault<FdHasher>>,
    /// Index 0 of this vector is place 1.
    files: Vec<File>,
    /// Place 0: after the last due file and before the first.
    ends: Link,
    /// The first free place, linked to the next by its `link.next`; 0 if there is none.
    free: u32,
    /// The number of entries read or written.
    #[cfg(test)]
    pub(crate) steps: usize,
}

#[derive(Clone, Copy, Debug)]
struct File {
    token: Token,
    fd: Fd,
    /// The file when it was registered; `None` if it was already closed then.
    id: Option<FileId>,
    interest: Interest,
    /// The number of reports until it is verified.
    unverified: u8,
    /// The neighbours in the list of due files. A file that is not due is linked to itself.
    link: Link,
}

#[derive(Clone, Copy, Debug, Default)]
struct Link {
    prev: u32,
    next: u32,
}

impl File {
    fn stands(&self) -> bool {
        FileId::of(self.fd).zip(self.id).is_some_and(|(now, id)| now.may_be(id))
    }

    /// READ and WRITE, if the event waits for them. Files never have urgent data or a peer that closes.
    fn ready(&self) -> Ready {
        Ready::from_bits_retain((self.interest & (Interest::READ | Interest::WRITE)).bits())
    }
}

impl Files {
    /// Registers a file that is not registered, and makes it due.
    ///
    /// # Errors
    ///
    /// [`Error::Full`] when there is no memory.
    pub(crate) fn insert(&mut self, fd: Fd, token: Token, interest: Interest) -> Result<(), Error> {
        self.places.try_reserve(1).and_then(|()| self.files.try_reserve(1)).map_err(|_| Error::Full)?;
        let file = File { token, fd, id: FileId::of(fd), interest, unverified: VERIFIED_EVERY, link: Link::default() };
        let at = match self.free {
            0 => {
                let at = u32::try_from(self.files.len().saturating_add(1)).map_err(|_| Error::Full)?;
                self.files.push(file);
                at
            }
            free => {
                if let Some(place) = self.file(free) {
                    let next = place.link.next;
                    *place = file;
                    self.free = next;
                }
                free
            }
        };
        self.places.insert(fd, at);
        self.join(at, at);
        self.schedule(at);
        Ok(())
    }

    /// Whether the descriptor was registered as a file.
    #[inline]
    pub(crate) fn contains(&self, fd: Fd) -> bool {
        !self.places.is_empty() && self.places.contains_key(&fd)
    }

    /// Whether the number of a registered file still belongs to that file.
    pub(crate) fn is_same(&self, fd: Fd) -> bool {
        let at = self.places.get(&fd).and_then(|at| usize::try_from(at.checked_sub(1)?).ok());
        at.and_then(|at| self.files.get(at)).is_some_and(File::stands)
    }

    /// Changes the interest and token of a file, whose number may belong to another file now. Makes it due again.
    pub(crate) fn change(&mut self, fd: Fd, token: Token, interest: Interest) {
        let at = self.places.get(&fd).copied().unwrap_or(0);
        if let Some(file) = self.file(at) {
            (file.token, file.interest, file.id) = (token, interest, FileId::of(fd));
            self.schedule(at);
        }
    }

    /// Removes a file; returns `false` if it is not registered.
    #[inline]
    pub(crate) fn remove(&mut self, fd: Fd) -> bool {
        !self.places.is_empty() && self.take_out(fd)
    }

    /// Removes all files.
    pub(crate) fn clear(&mut self) {
        self.places.clear();
        self.files.clear();
        (self.ends, self.free) = (Link::default(), 0);
    }

    /// Whether there is something to report now, so that a wait must not sleep.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.ends.next != 0
    }

    /// Reports the due files. Removes a file whose registration has ended, and one whose number was reused; the
    /// events of the latter get ERROR.
    pub(crate) fn report(&mut self, sink: &mut impl Sink<Fd>) {
        let mut at = self.ends.next;
        while let Some(file) = self.next_report(at) {
            if file.interest.contains(Interest::EDGE) {
                self.unlink(at);
            }
            if file.unverified == 0 && !file.stands() {
                log!(Warn, "epoll: {:?} was closed while registered, or now belongs to another file", file.fd);
                sink.failed(file.token);
                self.take_out(file.fd);
            } else if !sink.ready(file.token, file.ready()) {
                self.take_out(file.fd);
            }
            at = file.link.next;
        }
    }

    /// The file at `at`, which is reported now. If its `unverified` is zero, it must be verified.
    fn next_report(&mut self, at: u32) -> Option<File> {
        let file = self.file(at)?;
        let unverified = file.unverified.saturating_sub(1);
        file.unverified = if unverified == 0 { VERIFIED_EVERY } else { unverified };
        Some(File { unverified, ..*file })
    }

    #[inline(never)]
    fn take_out(&mut self, fd: Fd) -> bool {
        let Some(at) = self.places.remove(&fd) else { return false };
        self.unlink(at);
        let free = self.free;
        if let Some(file) = self.file(at) {
            file.link.next = free;
            self.free = at;
        }
        true
    }

    /// Makes a file due, if it can be ready at all. A file that is already due keeps its position.
    fn schedule(&mut self, at: u32) {
        let Some(file) = self.file(at) else { return };
        match (file.ready().is_empty(), file.link.next == at) {
            (false, true) => {
                self.join(self.ends.prev, at);
                self.join(at, 0);
            }
            (true, false) => self.unlink(at),
            _ => {}
        }
    }

    /// Removes a file from the list of due files. Does nothing if it is not due.
    fn unlink(&mut self, at: u32) {
        if let Some(&mut Link { prev, next }) = self.link(at) {
            self.join(prev, next);
            self.join(at, at);
        }
    }

    /// Links two places.
    fn join(&mut self, prev: u32, next: u32) {
        if let Some(link) = self.link(prev) {
            link.next = next;
        }
        if let Some(link) = self.link(next) {
            link.prev = prev;
        }
    }

    fn link(&mut self, at: u32) -> Option<&mut Link> {
        if at == 0 { Some(&mut self.ends) } else { self.file(at).map(|file| &mut file.link) }
    }

    fn file(&mut self, at: u32) -> Option<&mut File> {
        #[cfg(test)]
        {
            self.steps += 1;
        }
        self.files.get_mut(usize::try_from(at.checked_sub(1)?).ok()?)
    }
}

/// Hashes a descriptor's number with one multiplication. The default hasher protects against keys chosen by an
/// attacker, which descriptors are not, and panics if the system provides no random bytes, as in some sandboxes.
#[derive(Default)]
struct FdHasher(u64);

impl Hasher for FdHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u32(byte.into()));
    }

    fn write_u32(&mut self, number: u32) {
        // 2⁶⁴ divided by the golden ratio. The upper half of the product is well mixed; the rotation moves it down,
        // where the map uses it.
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests;
