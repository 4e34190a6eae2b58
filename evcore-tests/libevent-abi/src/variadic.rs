//! The functions with variable arguments. `c/variadic.c` defines them. rustc does not export C's functions, so here
//! is a jump to each, which does not change the arguments.

use core::ffi::c_void;

macro_rules! jumps {
    ($($name:ident = $target:ident;)*) => {
        unsafe extern "C" {
            $(fn $target();)*
        }
        /// Keeps C's functions from being removed by the linker.
        #[used]
        static TARGETS: &[unsafe extern "C" fn()] = &[$($target),*];
        $(
            // SAFETY: the name is libevent's; the function of C, which has its type, returns to our caller.
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            pub extern "C" fn $name() -> *mut c_void {
                #[cfg(target_arch = "x86_64")]
                core::arch::naked_asm!("jmp {}", sym $target);
                #[cfg(target_arch = "aarch64")]
                core::arch::naked_asm!("b {}", sym $target);
            }
        )*
    };
}

jumps! {
    event_debugx_ = evcore_abi_debugx;
    event_err = evcore_abi_err;
    event_errx = evcore_abi_errx;
    event_logv_ = evcore_abi_logv;
    event_msgx = evcore_abi_msgx;
    event_sock_err = evcore_abi_sock_err;
    event_sock_warn = evcore_abi_sock_warn;
    event_warn = evcore_abi_warn;
    event_warnx = evcore_abi_warnx;
    evutil_snprintf = evcore_abi_snprintf;
    evutil_vsnprintf = evcore_abi_vsnprintf;
}
