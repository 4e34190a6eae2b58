//! What must not compile does not, and says why. The texts beside the cases are those of the compiler that `compiler` names.

#[test]
fn what_must_not_compile_does_not() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
