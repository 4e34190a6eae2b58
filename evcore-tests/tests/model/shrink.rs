//! Shrinks a failing program: after proptest has simplified it, removes single operations.

use crate::op::{New, Op, Program};

/// The program without any operation that it still fails without, including those of handlers.
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
            // An operation that was needed before may now be removable.
            (at, any) = (0, false);
        } else if fails(&shorter) {
            (program, any) = (shorter, true);
        } else {
            at += 1;
        }
    }
}

/// Removes one operation, counted from the outside in. Returns `false` if there are not that many.
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
