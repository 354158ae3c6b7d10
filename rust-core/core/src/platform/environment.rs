//! The environment of this process, which libraries read their settings from.
#![allow(unsafe_code)]

use std::ffi::{c_char, CString};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

extern "C" {
    /// POSIX: null-terminated array of `name=value`, which `getenv` and `exec` read.
    static mut environ: *mut *mut c_char;
}

/// Sets a variable, unless it is set. `name` and `value` are constants of this project: without NUL, and the name
/// without `=`.
///
/// For settings that a library takes from the environment alone, before it is first used. Other threads of the process,
/// the JVM's for example, may be amid `getenv`, which takes no lock: `setenv`, which frees the array of variables when
/// it grows, would pull it away from under them. So this copies the array with the new variable in it and puts the copy
/// in the old one's place, in one step; nothing is ever freed.
pub fn set_default(name: &str, value: &str) {
    if std::env::var_os(name).is_some() {
        return;
    }
    let Ok(entry) = CString::new(format!("{name}={value}")) else {
        return;
    };
    let entry = entry.into_raw();
    // SAFETY: `environ` is a pointer like any other, aligned and there as long as the process. Whoever in C reads it
    // meanwhile reads one word, which is written whole.
    let environment = unsafe { AtomicPtr::from_ptr(&raw mut environ) };
    loop {
        let current = environment.load(Ordering::Acquire);
        let mut variables = Vec::new();
        // SAFETY: the array is null (an empty environment) or ends with a null pointer, and is read up to that. It
        // stays valid meanwhile unless another thread is amid `setenv` or `unsetenv`. That race is left; it exists for
        // every reader of the environment, and neither the JVM nor an engine changes its environment once it runs.
        unsafe {
            let mut variable = current;
            while !variable.is_null() && !(*variable).is_null() {
                variables.push(*variable);
                variable = variable.add(1);
            }
        }
        variables.extend([entry, ptr::null_mut()]);
        // Fails where another thread has put another array there since: its variables count as well.
        let replaced =
            environment.compare_exchange(current, variables.as_mut_ptr(), Ordering::AcqRel, Ordering::Acquire);
        if replaced.is_ok() {
            // The environment's own from now on.
            std::mem::forget(variables);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::Command;
    use std::thread;

    use super::*;

    #[test]
    fn variables_of_several_threads_are_added_and_none_is_changed() {
        let path = std::env::var_os("PATH").unwrap();
        set_default("PATH", "/nowhere");
        assert_eq!(std::env::var_os("PATH").unwrap(), path);

        let name = |thread: usize, number: usize| format!("SPARK_CLASSIFY_TEST_{thread}_{number}");
        thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for number in 0..50 {
                        set_default(&name(thread, number), "first");
                        set_default(&name(thread, number), "second");
                    }
                });
            }
        });
        // As other programs and C see it.
        let printed = Command::new("env").output().unwrap().stdout;
        let printed = String::from_utf8_lossy(&printed);
        for (thread, number) in (0..8).flat_map(|thread| (0..50).map(move |number| (thread, number))) {
            let variable = name(thread, number);
            assert_eq!(std::env::var(&variable).unwrap(), "first");
            let line = format!("{variable}=first");
            assert_eq!(printed.lines().filter(|other| **other == line).count(), 1, "{line}");
        }
    }
}
