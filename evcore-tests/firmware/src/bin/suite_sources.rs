//! The conformance suite: what becomes ready, and what time brings.

#![no_std]
#![no_main]

firmware::suite! { "readiness" "edge" "changes" "unread_changes" "files" "timers" "clock" "intervals" "pauses" }
