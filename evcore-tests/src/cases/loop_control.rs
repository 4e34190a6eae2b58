//! loop_control
