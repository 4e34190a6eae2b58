//! Makes a program that fails a short one. What proptest has made simple is tried without each of its operations.

use crate::op::{New, Op, Program};

/// The program without all operations that it fails without, those of handlers included.
pub(crate) fn shortest(mut program: Program, fails: impl Fn(&Program) -> bool) -> Program {
    let mut at = 0;
    let mut any = false;
    loop {
        let mut shorter = program.clone();
        let mut skip = at;
        if !remove(&mut shorter.ops, &mut skip) {
            if !any {
                return program;
            }
            // What could not be left out before may be of no use now.
            (at, any) = (0, false);
        } else if fails(&shorter) {
            (program, any) = (shorter, true);
        } else {
            at += 1;
        }
    }
}

/// Removes the operation at a place, counted from the outside in. `false`: there are not so many.
fn remove(ops: &mut Vec<Op>, skip: &mut usize) -> bool {
    if *skip < ops.len() {
        ops.remove(*skip);
        return true;
    }
    *skip -= ops.len();
    ops.iter_mut().any(|op| match op {
        Op::Create(New { body, .. })
        | Op::Start { new: New { body, .. }, .. }
        | Op::Crowd { body, .. }
        | Op::Readers { body, .. } => remove(body, skip),
        _ => false,
    })
}
