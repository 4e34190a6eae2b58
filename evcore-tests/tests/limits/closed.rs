//! An epoll set that the program closed by its number.

use std::fs::File;
use std::time::Duration;

use evcore::{Error, Fd, Interest, Ready, Wait};

use crate::{set, sys, turn};

/// Each wait and each registration returns an error that names the call, none looks like a wait without reports, and
/// `reinit` repairs everything.
#[test]
fn a_set_that_was_closed_is_an_error_and_no_spin() {
    sys::alone(|| {
        let (mut base, number) = set::base();
        let ((near, _far), (other, _peer)) = (crate::readable(), crate::readable());
        let event = base.insert(Fd::of(&near), Interest::READ, 1).unwrap();
        base.insert_timer(Duration::ZERO, 7).unwrap();
        sys::usurp(&File::open("/dev/null").unwrap(), number);

        let end = base.update_now().saturating_add(Duration::from_secs(5));
        for wait in [Wait::None, Wait::Forever, Wait::Until(end)] {
            for _ in 0..10 {
                let error = turn(&mut base, wait).unwrap_err();
                assert_eq!(error.errno(), Some(libc::EINVAL), "{error}");
                assert!(error.to_string().contains("epoll_wait"), "{error}");
            }
        }
        let refused = base.insert(Fd::of(&other), Interest::READ, 2).unwrap_err();
        assert!(matches!(refused.error, Error::Backend(_)), "{refused:?}");
        assert_eq!(refused.data, 2);
        // The change reaches the backend at the next wait, which fails before anything is handed out.
        base.modify(event, Interest::READ | Interest::WRITE).unwrap();
        assert!(turn(&mut base, Wait::None).is_err());
        assert!(base.check());

        base.reinit().unwrap();
        let found = turn(&mut base, Wait::Forever).unwrap();
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 7]);
        assert!(found[0].1.contains(Ready::READ));
        base.insert(Fd::of(&other), Interest::READ, 2).unwrap();
        let found = turn(&mut base, Wait::Forever).unwrap();
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
        assert!(base.check());
    });
}
