//! The conformance suite: readiness and timers.

#![no_std]
#![no_main]

firmware::suite! { "readiness" "edge" "changes" "unread_changes" "files" "timers" "clock" "intervals" "pauses" }
